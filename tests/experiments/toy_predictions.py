"""Predictions by hand: right wherever no other emotion is told."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from emobox_hf.corpora.manifest import Manifest
from emobox_hf.corpora.predictions import Predictions, write_probabilities


def write_toy_predictions(
    path: Path,
    manifest: Manifest,
    *,
    heard: Mapping[str, str] | None = None,
    silent: Collection[str] = (),
    emotions: Sequence[str] = (),
) -> Path:
    """A file for a corpus: 0.7 for the annotation, or for what is `heard` in a key; none for `silent` keys."""
    told = tuple(emotions or manifest.spec.emotions)
    rows = []
    for u in manifest.utterances:
        row = [0.7 if emotion == (heard or {}).get(u.key, u.emotion) else 0.1 for emotion in told]
        rows.append([np.nan] * len(told) if u.key in silent else row)
    keys = tuple(u.key for u in manifest.utterances)
    made_from = {"corpus": manifest.spec.name, "model": "toy"}
    probabilities = np.array(rows, dtype=np.float32)
    predictions = Predictions(keys, told, probabilities, dict.fromkeys(silent, "too long"), made_from)
    rest = np.zeros(len(rows), dtype=np.float32)
    write_probabilities(predictions, path, corpus_emotions=manifest.spec.emotions, rest=rest)
    return path
