"""What verbs show of long stages, see `emobox_hf.progress`."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from emobox_hf.corpora.manifest import Manifest
from emobox_hf.progress import BYTES, is_quiet, progress, watched

LARGE_BYTES = 10_000_000  # the bar of a smaller download vanishes at its end: some corpora are thousands of files


def watch_utterances(manifest: Manifest, what: str) -> Callable[[Iterable[Any]], Iterable[Any]]:
    """Shows an iteration over all utterances of a manifest."""
    total = len(manifest.utterances)
    return lambda items: watched(items, f"{what} {manifest.spec.name}", total=total, unit=" utterances")


@contextmanager
def watch_bytes(name: str, total: int | None, done: int) -> Iterator[Callable[[int], object]]:
    """Shows the download of one file, on a terminal alone: lines tell of all files of a corpus together."""
    is_large = total is None or total > LARGE_BYTES
    with progress(name, total=total, done=done, unit=BYTES, leave=is_large, only="bar") as advance:
        yield advance


def announce(line: str, out: TextIO | None = None) -> None:
    """Print what is about to be done, on stdout or on `out`, at once; nothing with `--quiet`."""
    if not is_quiet():
        print(line, file=out or sys.stdout, flush=True)
