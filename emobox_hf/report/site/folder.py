"""The folder of a site: written beside its place, then swapped in; one that is no site of ours is never replaced."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emobox_hf.errors import InputError, first_five

MARKER = "emobox-site.txt"
_HEADING = "A site of `emobox report site`, which replaces these files, and refuses a folder that holds others:"


@contextmanager
def replaced_folder(out: Path) -> Iterator[Path]:
    """An empty folder that takes the place of `out` when the block ends well, and vanishes otherwise.

    Raises:
        InputError: `out` is a file, or holds what no earlier site put there; nothing is changed.
    """
    out = out.resolve()
    check_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", suffix=".part", dir=out.parent) as name:
        new, old = Path(name) / "new", Path(name) / "old"
        new.mkdir()
        yield new
        lines = [_HEADING, *_list_files(new)]
        (new / MARKER).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        check_replaceable(out)
        if out.exists():
            out.rename(old)
        try:
            new.rename(out)
        except OSError:
            if old.exists():
                old.rename(out)
            raise


def check_replaceable(out: Path) -> None:
    """Raise an InputError unless there is no such folder, an empty one, or an earlier site and nothing else."""
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{out}: expected a folder for the site, found a file; name another with --out")
    found = _list_files(out)
    marker = out / MARKER
    written = set(marker.read_text(encoding="utf-8").splitlines()[1:]) | {MARKER} if marker.is_file() else set()
    foreign = [name for name in found if name not in written]
    if foreign:
        raise InputError(
            f"{out}: expected no folder, an empty one or an earlier site; found {len(foreign)} files that no site put "
            f"there: {first_five(foreign)}; move them, or name another folder with --out"
        )


def _list_files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
