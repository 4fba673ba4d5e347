"""Sound that belongs to no corpus: files and folders as a user names them, and the windows of long ones."""

from collections.abc import Iterable
from pathlib import Path

from emobox_hf.audio import PLAIN_SUFFIXES
from emobox_hf.corpora.discovery.tree import AUDIO_EXTENSIONS
from emobox_hf.errors import InputError

SUFFIXES = PLAIN_SUFFIXES | AUDIO_EXTENSIONS | {".3gp", ".aac", ".amr", ".m4b", ".mka", ".mkv", ".mov", ".wma"}
"""Files of a folder that are taken for sound; one that is named by itself may be called anything."""


def list_files(places: Iterable[Path]) -> list[Path]:
    """The files named and those in the folders named, each once, folders in the order of their names.

    Raises:
        InputError: A place does not exist, or a folder has no sound in it.
    """
    found: dict[Path, None] = {}
    for place in places:
        if not place.is_dir():
            found[place] = None
            continue
        files = sorted(path for path in place.rglob("*") if _is_sound(path))
        if not files:
            raise InputError(f"{place}: expected sound files, found none that ends in {', '.join(sorted(SUFFIXES))}")
        found |= dict.fromkeys(files)
    if not found:
        raise InputError("name files or folders of sound")
    return list(found)


def cut(n_samples: int, *, window: int, hop: int) -> list[tuple[int, int]]:
    """Start and end of each window of a waveform, in samples; the last one is moved back to end with it.

    >>> cut(100, window=100, hop=50), cut(70, window=100, hop=50)
    ([(0, 100)], [(0, 70)])
    >>> cut(260, window=100, hop=50)
    [(0, 100), (50, 150), (100, 200), (150, 250), (160, 260)]
    """
    if n_samples <= window:
        return [(0, n_samples)]
    starts = [*range(0, n_samples - window, hop), n_samples - window]
    return [(start, start + window) for start in starts]


def _is_sound(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
