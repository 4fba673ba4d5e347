"""Progress bars, on a terminal only."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from emobox_hf.corpora.manifest import Manifest

LARGE_BYTES = 10_000_000  # the bar of a smaller download vanishes at its end: some corpora are thousands of files


def watch_utterances(manifest: Manifest, what: str) -> Callable[[Iterable[Any]], Iterable[Any]]:
    """Wraps an iteration over all utterances of a manifest in a progress bar; nothing where nobody would see it."""
    from tqdm import tqdm

    return lambda items: tqdm(
        items,
        total=len(manifest.utterances),
        desc=f"{what} {manifest.spec.name}",
        unit=" utterances",
        disable=not sys.stderr.isatty(),
    )


@contextmanager
def watch_bytes(name: str, total: int | None, done: int) -> Iterator[Callable[[int], object]]:
    """A progress bar of a download, in bytes and bytes a second; nothing where nobody would see it."""
    from tqdm import tqdm

    is_large = total is None or total > LARGE_BYTES
    hidden = not sys.stderr.isatty()
    with tqdm(total=total, initial=done, desc=name, unit="B", unit_scale=True, leave=is_large, disable=hidden) as shown:
        yield shown.update
