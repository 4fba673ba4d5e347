"""The files under a corpus root, listed once."""

import errno
import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from emobox_hf.corpora.placeholders import TABLE, find_placeholders
from emobox_hf.errors import InputError, first_five

# What `audio` decodes, by libsndfile or FFmpeg; other files are no utterances.
AUDIO_EXTENSIONS = frozenset(
    {".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".au", ".caf"}
    | {".webm", ".m4a", ".mp4", ".avi", ".aac", ".mka", ".mkv", ".mov", ".wma", ".3gp", ".amr"}
)


class FileTree:
    """The files under `root`, as sorted relative POSIX paths, without hidden files (`._*` among them) and `__MACOSX`.

    Symbolic links are followed, each real folder once. Paths compare in Unicode NFC whatever the disk holds.

    Raises:
        InputError: The path of an audio file is not UTF-8, so that it can neither be compared nor written down.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        found = sorted(_walk(root))
        self.paths = [path for path in found if is_text(path)]
        if strange := _choose_audio(set(found) - set(self.paths)):
            shown = first_five(ascii(path) for path in strange)
            raise InputError(
                f"{root}: {len(strange)} audio files whose names are not in UTF-8, as in older archives: {shown}; "
                "unpack again with `unzip -O latin1`, or rename them with `convmv -r --notest -f latin1 -t utf8`"
            )
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for path in self.paths:
            self._by_name[comparable(path.rpartition("/")[2])].append(path)

    def find(self, wanted: str) -> str | None:
        """The one file whose path ends with `wanted`, None if there is none.

        Raises:
            InputError: Two files do, or `wanted` leaves the corpus root.
        """
        if ".." in wanted.split("/") or wanted.startswith("/"):
            raise InputError(f"{self.root}: {wanted!r} points outside the corpus folder; refused")
        end = comparable(wanted)
        named = self._by_name.get(end.rpartition("/")[2], ())
        found = [path for path in named if f"/{comparable(path)}".endswith(f"/{end}")]
        if len(found) > 1:
            raise InputError(f"{self.root}: two files for {wanted}: {first_five(found)}; keep one of them")
        return found[0] if found else None

    def require(self, wanted: str, why: str) -> str:
        """Like `find`, but a file that is missing, or a placeholder, is an error that says what it is needed for."""
        found = self.find(wanted)
        if found is None:
            raise InputError(f"{self.root}: no file {wanted}, {why}; {len(self.paths)} other files are there")
        if cause := find_placeholders(self.root, [found], kind=TABLE).get(found):
            raise InputError(f"{self.root / found}, {why}: {cause}")
        return found

    def audio(self) -> list[str]:
        """The paths whose extension is one of an audio or video file."""
        return _choose_audio(self.paths)


def _choose_audio(paths: Iterable[str]) -> list[str]:
    return sorted(path for path in paths if path[path.rfind(".") :].lower() in AUDIO_EXTENSIONS)


def is_text(path: str) -> bool:
    """Whether a path is UTF-8; what the system cannot read as that comes with lone surrogates."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def comparable(path: str) -> str:
    """A path as it is compared: in Unicode NFC, with the extension in lower case."""
    stem, dot, extension = unicodedata.normalize("NFC", path).rpartition(".")
    return f"{stem}{dot}{extension.lower()}"


def _walk(root: Path) -> Iterator[str]:
    seen: set[tuple[int, int]] = set()

    def visit(folder: str, prefix: str) -> Iterator[str]:
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            if _is_of(entry, os.DirEntry.is_dir):
                yield from visit(entry.path, f"{prefix}{entry.name}/")
            elif _is_of(entry, os.DirEntry.is_file):
                yield prefix + entry.name

    yield from visit(os.fspath(root), "")


def _is_of(entry: os.DirEntry[str], kind: Callable[[os.DirEntry[str]], bool]) -> bool:
    """Whether an entry is a folder, or a file; a link that leads to itself is neither."""
    try:
        return kind(entry)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise
