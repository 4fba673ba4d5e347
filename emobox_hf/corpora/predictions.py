"""Predictions: what a model says of each utterance's emotion, one row a key, as a Parquet file.

Columns: `key`; `p_<emotion>` for each emotion of the corpus, null where the model has no such label; `rest`, the
probability of the model's other labels; `reason`, why an utterance has no prediction (its probabilities are null then).
Any Parquet file with `key` and two or more `p_<label>` will do, the labels named as in `synonyms`.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emobox_hf.corpora.synonyms import map_label
from emobox_hf.errors import InputError, first_five
from emobox_hf.files import parse_json, sha256_of_file

PREFIX = "p_"
_METADATA = b"emobox"
_ROUNDING = 1e-3  # of probabilities that were computed or stored in half precision


@dataclass(frozen=True, eq=False)
class Predictions:
    """A model's probabilities of emotions, one row an utterance.

    Attributes:
        keys: The utterances.
        emotions: Those that the model has a label for.
        probabilities: float32 (utterances, emotions), nan in the rows of utterances without a prediction.
        reasons: Why utterances have none, by key.
        made_from: What is known of the model and the sound; empty for a file of another origin.
        sha256: Digest of the file; empty where there is none yet.
    """

    keys: tuple[str, ...]
    emotions: tuple[str, ...]
    probabilities: NDArray[np.float32]
    reasons: Mapping[str, str]
    made_from: Mapping[str, Any]
    sha256: str = ""

    @property
    def model(self) -> str:
        """The model's name, for people."""
        return str(self.made_from.get("model", "unknown model"))

    def choose(self, emotions: Sequence[str]) -> dict[str, str]:
        """The most probable of the given emotions for each utterance that has a prediction.

        Raises:
            InputError: The model has labels for fewer than two of them.
        """
        columns = [index for index, emotion in enumerate(self.emotions) if emotion in emotions]
        if len(columns) < 2:
            raise InputError(
                f"two of {', '.join(emotions)} or more have to be predicted, found probabilities of "
                f"{', '.join(self.emotions) or 'none'}"
            )
        kept = self.probabilities[:, columns]  # (utterances, chosen)
        best = np.where(np.isnan(kept), -1, kept).argmax(axis=1)
        rows = zip(self.keys, best, kept[:, 0], strict=True)
        return {key: self.emotions[columns[index]] for key, index, first in rows if not np.isnan(first)}


def write_probabilities(
    predictions: Predictions, path: Path, *, corpus_emotions: Sequence[str], rest: NDArray[np.float32]
) -> None:
    """Write predictions as a Parquet file with a column for each emotion of the corpus.

    Args:
        predictions: What to write.
        path: A file that is overwritten; `files.whole_file` gives one.
        corpus_emotions: The corpus's emotions, in order.
        rest: float32 (utterances,), the probability of the model's other labels.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    n = len(predictions.keys)
    columns: dict[str, Any] = {"key": pa.array(predictions.keys, pa.string())}
    for emotion in corpus_emotions:
        found = predictions.emotions.index(emotion) if emotion in predictions.emotions else None
        values = pa.nulls(n, pa.float32()) if found is None else _to_column(predictions.probabilities[:, found])
        columns[f"{PREFIX}{emotion}"] = values
    columns["rest"] = _to_column(rest)
    columns["reason"] = pa.array([predictions.reasons.get(key) for key in predictions.keys], pa.string())
    table = pa.table(columns).replace_schema_metadata({_METADATA: json.dumps(dict(predictions.made_from))})
    pq.write_table(table, path)


def read_probabilities(path: Path, *, keys: Sequence[str], corpus: str) -> Predictions:
    """The predictions of a corpus's utterances, in the order of `keys`.

    Args:
        path: A file as this module's docstring says.
        keys: The utterances of the corpus, each of which has to have one row.
        corpus: Its name.

    Raises:
        InputError: The file cannot be read, is of another corpus, names labels that mean nothing or the same, lacks
            keys, has others, or has some twice; or a row is no probability for some emotions and one for others.
    """
    columns, made_from = _read_columns(path)
    if made_from.get("corpus", corpus) != corpus:
        raise InputError(f"{path}: expected predictions of {corpus}, found those of {made_from['corpus']}")
    found = columns["key"]
    if twice := [key for key, count in Counter(found).items() if count > 1]:
        raise InputError(f"{path}: each key once was expected; {len(twice)} come again: {first_five(twice)}")
    lacking, extra = sorted(set(keys) - set(found)), sorted(set(found) - set(keys))
    if lacking or extra:
        wrong = [f"{len(lacking)} keys are missing: {first_five(lacking)}"] if lacking else []
        wrong += [f"{len(extra)} keys are not the corpus's: {first_five(extra)}"] if extra else []
        raise InputError(
            f"{path}: expected one row for each of {len(keys)} utterances of {corpus}, found {len(found)} rows; "
            f"{'; '.join(wrong)}. `emobox label {corpus}` makes the whole file"
        )
    emotions, probabilities = _collect_probabilities(path, columns)
    row_of = {key: row for row, key in enumerate(found)}
    reasons = {key: reason for key, reason in zip(found, columns.get("reason", ()), strict=False) if reason}
    rows = [row_of[key] for key in keys]
    return Predictions(tuple(keys), emotions, probabilities[rows], reasons, made_from, sha256_of_file(path))


def _read_columns(path: Path) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        columns = table.to_pydict()
    except (OSError, pa.ArrowException, UnicodeError) as error:  # OSError is also what Arrow says of a damaged footer
        raise InputError(
            f"{path}: expected a Parquet file of predictions, found none that can be read ({error}); `emobox label` "
            "makes one"
        ) from error
    if "key" not in table.column_names or table.num_rows == 0:
        raise InputError(
            f"{path}: expected rows with a column `key` and columns `p_<emotion>`, found {table.num_rows} rows with "
            f"{', '.join(table.column_names)}"
        )
    note = (table.schema.metadata or {}).get(_METADATA, b"{}").decode("utf-8", "replace")
    made_from = parse_json(note, f"{path}: what its metadata says of the model")
    if not isinstance(made_from, dict):
        raise InputError(f"{path}: what its metadata says of the model is no object")
    return columns, made_from


def _collect_probabilities(path: Path, columns: Mapping[str, list[Any]]) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """The emotions of a file and their probabilities, float32 (rows, emotions); columns of null are skipped."""
    emotions: dict[str, str] = {}
    for name, values in columns.items():
        if not name.startswith(PREFIX) or all(value is None for value in values):
            continue
        emotion = map_label(name.removeprefix(PREFIX))
        if emotion is None or emotion in emotions:
            trouble = "no emotion" if emotion is None else f"{emotion}, as {emotions[emotion]} does"
            raise InputError(f"{path}: column {name} names {trouble}; rename it to p_<an emotion of EmoBox>")
        emotions[emotion] = name
    if len(emotions) < 2:
        raise InputError(
            f"{path}: expected two columns `p_<emotion>` or more, found {', '.join(emotions.values()) or 'none'} in "
            f"{', '.join(columns)}"
        )
    try:
        probabilities = np.array([columns[name] for name in emotions.values()], dtype=np.float32).T
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: expected numbers in {', '.join(emotions.values())}: {error}") from error
    missing = np.isnan(probabilities)
    outside = ~missing & ~((probabilities >= 0) & (probabilities <= 1 + _ROUNDING))
    wrong = (missing.any(axis=1) & ~missing.all(axis=1)) | outside.any(axis=1)
    if wrong.any():
        keys = [columns["key"][row] for row in np.flatnonzero(wrong)]
        raise InputError(
            f"{path}: probabilities, 0 to 1, were expected for every emotion or for none of a row; {len(keys)} rows "
            f"have others: {first_five(keys)}"
        )
    return tuple(emotions), probabilities


def _to_column(values: NDArray[np.float32]) -> Any:
    """A column whose nan are null."""
    import pyarrow as pa

    return pa.array(values, pa.float32(), mask=np.isnan(values))
