"""A cache of what was read from files: where a file has not changed since, only its size and time are looked at."""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

from emobox_hf.errors import InputError
from emobox_hf.files import cache_dir
from emobox_hf.progress import LOGGER, progress

N_READERS = 8  # files read at once: they are many and small, and disks and networks answer several as fast as one
_TABLE = """create table if not exists memo (
    kind text, path text, size integer, mtime_ns integer, value text, primary key (kind, path)
) without rowid"""


def look_up(
    kind: str, root: Path, paths: Sequence[str], read: Callable[[Path], str]
) -> dict[str, str | InputError | OSError]:
    """`read(root / path)` by path, from the cache where the file has the size and time of change that it had then.

    The memo is a convenience: where it cannot be opened or written, everything is read.

    Args:
        kind: What is read off, such as `sample`; change it when `read` changes its answers.
        root: The folder that the paths are relative to.
        paths: Each once.
        read: Gives a text, or raises; an error is given back in the place of the text and never remembered.
    """
    top = f"{root.resolve()}{os.sep}"
    with ThreadPoolExecutor(N_READERS) as readers:
        marks = dict(zip(paths, readers.map(lambda path: _mark(top + path), paths), strict=True))
        known = _recall(kind, top)
        found: dict[str, str | InputError | OSError] = {
            path: known[path][1] for path in paths if path in known and known[path][0] == marks[path]
        }
        new = [path for path in paths if path not in found]
        if new:
            outcomes = readers.map(lambda path: _try(read, root / path), new)
            is_shown = LOGGER.isEnabledFor(logging.INFO)
            with progress(f"read {root}", total=len(new), unit=" files", is_shown=is_shown, leave=False) as advance:
                for path, outcome in zip(new, outcomes, strict=True):
                    found[path] = outcome
                    advance(1)
    _remember(kind, top, {path: (mark, text) for path in new if (mark := marks[path]) and (text := _text(found[path]))})
    return {path: found[path] for path in paths}


Mark = tuple[int, int]


def _mark(path: str) -> Mark | None:
    """Size and time of change; None where there is no file, so that nothing known fits it."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _try(read: Callable[[Path], str], path: Path) -> str | InputError | OSError:
    try:
        return read(path)
    except (InputError, OSError) as error:
        return error


def _text(outcome: str | InputError | OSError) -> str | None:
    return outcome if isinstance(outcome, str) else None


def _recall(kind: str, top: str) -> dict[str, tuple[Mark, str]]:
    query = "select path, size, mtime_ns, value from memo where kind = ? and path >= ? and path < ?"
    after = top[:-1] + chr(ord(top[-1]) + 1)  # the first text behind all that begin with `top`
    try:
        with _memo() as memo:
            rows = memo.execute(query, (kind, top, after)).fetchall()
    except (sqlite3.Error, OSError):
        return {}
    return {path[len(top) :]: ((size, mtime_ns), value) for path, size, mtime_ns, value in rows}


def _remember(kind: str, top: str, values: dict[str, tuple[Mark, str]]) -> None:
    if not values:
        return
    rows = [(kind, top + path, *mark, text) for path, (mark, text) in values.items()]
    try:
        with _memo() as memo, memo:
            memo.executemany("insert or replace into memo values (?, ?, ?, ?, ?)", rows)
    except (sqlite3.Error, OSError):
        return


@contextmanager
def _memo() -> Iterator[sqlite3.Connection]:
    path = cache_dir() / "memo.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=10)) as memo:
        memo.execute(_TABLE)
        yield memo
