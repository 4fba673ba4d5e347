"""Sound of the utterances that corpus pages list, copied into the site where its owner asks for it."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from emobox_hf.errors import InputError
from emobox_hf.report.site.hard import CorpusEvidence

PLAYABLE = (".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".mp4", ".webm")


def find_audio(audio_dir: Path, corpora: Iterable[str]) -> dict[str, Path]:
    """The folder of each corpus: `<audio_dir>/<corpus>`, where it is there.

    Raises:
        InputError: None of them is.
    """
    root = audio_dir.resolve()
    folders = {name: (root / name).resolve() for name in corpora}
    found = {name: path for name, path in folders.items() if path.is_dir() and path.is_relative_to(root)}
    if not found:
        raise InputError(
            f"{audio_dir}: expected a folder of one of the corpora, {', '.join(sorted(folders))}; found none"
        )
    return found


def copy_audio(folder: Path, evidence: CorpusEvidence, out: Path) -> dict[str, str]:
    """Copy the sound of the hardest and most doubted utterances; key to file name in `out`.

    What a browser does not play, is not there or lies outside the corpus's folder is left out. A segment's file is
    copied whole.
    """
    copies: dict[str, str] = {}
    paths = {hard.key: hard.path for hard in (*evidence.hardest, *evidence.doubted)}
    for number, (key, path) in enumerate(sorted(paths.items()), start=1):
        source = (folder / path).resolve()
        if source.suffix.lower() in PLAYABLE and source.is_relative_to(folder) and source.is_file():
            name = f"{number}{source.suffix.lower()}"
            out.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, out / name)
            copies[key] = name
    return copies
