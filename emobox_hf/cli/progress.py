"""Progress bars, on a terminal only."""

import sys
from collections.abc import Callable, Iterable
from typing import Any

from emobox_hf.corpora.manifest import Manifest


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
