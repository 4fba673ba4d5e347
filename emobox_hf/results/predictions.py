"""What a run predicted, one row a fold, seed and test utterance, in Parquet beside the record."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emobox_hf.errors import InputError
from emobox_hf.scores import Rows

PREDICTIONS = "predictions.parquet"
_TEXTS = {"key": "keys", "speaker": "speakers", "gender": "genders", "language": "languages", "sentence": "sentences"}
_TEXTS |= {"path": "paths"}  # columns and the attributes that hold them


@dataclass(frozen=True, eq=False, kw_only=True)
class FoldPredictions:
    """A probe's test part, row by row.

    Attributes:
        fold: `fold1` …
        seed: The probe's seed.
        keys: The utterances.
        speakers: Who speaks in each, None where that is not known.
        genders: Of the speakers, likewise.
        languages: Spoken in each, likewise.
        sentences: What is said in each, as the audit compares sentences, likewise.
        paths: File of each, relative to its corpus's folder.
        references: Class of each, int64 (n,).
        probabilities: float32 (n, classes).
    """

    fold: str
    seed: int
    keys: Sequence[str]
    speakers: Sequence[str | None]
    genders: Sequence[str | None]
    languages: Sequence[str | None]
    sentences: Sequence[str | None]
    paths: Sequence[str]
    references: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The likeliest class of each, int64 (n,)."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def rows(self) -> Rows:
        """As scores take them; speakers are given where each is known."""
        speakers = list(self.speakers)
        return Rows(
            references=self.references,
            predictions=self.predicted,
            n_classes=self.probabilities.shape[1],
            speakers=speakers if all(speakers) else None,
            probabilities=self.probabilities,
        )

    def take(self, rows: Sequence[int]) -> "FoldPredictions":
        """Some of the rows, in the order given."""
        if len(rows) == len(self.keys) and list(rows) == list(range(len(rows))):
            return self
        # One call picks all rows of a column; of a single row it would give no tuple.
        pick = itemgetter(*rows) if len(rows) > 1 else lambda column: tuple(column[row] for row in rows)
        texts: dict[str, Any] = {name: pick(getattr(self, name)) for name in _TEXTS.values()}
        places = np.asarray(rows, dtype=np.int64)
        return replace(self, references=self.references[places], probabilities=self.probabilities[places], **texts)


def join_folds(predictions: Sequence[FoldPredictions]) -> FoldPredictions:
    """The predictions of several folds as those of one, named `all`."""
    return FoldPredictions(
        fold="all",
        seed=predictions[0].seed,
        keys=[key for one in predictions for key in one.keys],
        speakers=[speaker for one in predictions for speaker in one.speakers],
        genders=[gender for one in predictions for gender in one.genders],
        languages=[language for one in predictions for language in one.languages],
        sentences=[sentence for one in predictions for sentence in one.sentences],
        paths=[path for one in predictions for path in one.paths],
        references=np.concatenate([one.references for one in predictions]),
        probabilities=np.concatenate([one.probabilities for one in predictions]),
    )


def write_predictions(path: Path, predictions: Sequence[FoldPredictions], labels: Sequence[str]) -> None:
    """Write one row per fold, seed and test utterance: who and where, reference, prediction, a probability a class."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, joined = np.array(labels, dtype=object), join_folds(predictions)
    columns = {
        "key": joined.keys,
        "speaker": pa.array(joined.speakers, pa.string()),
        "gender": pa.array(joined.genders, pa.string()),
        "language": pa.array(joined.languages, pa.string()),
        "sentence": pa.array(joined.sentences, pa.string()),
        "path": joined.paths,
        "fold": [fold.fold for fold in predictions for _ in fold.keys],
        "seed": pa.array([fold.seed for fold in predictions for _ in fold.keys], pa.int64()),
        "reference": pa.array(names[joined.references]),
        "prediction": pa.array(names[joined.predicted]),
    }
    columns |= {f"p_{label}": joined.probabilities[:, index] for index, label in enumerate(labels)}
    pq.write_table(pa.table(columns), path)


def read_prediction_table(folder: Path, columns: Sequence[str] | None = None) -> Any:
    """A run's predictions as an Arrow table, all columns or some.

    Raises:
        InputError: There are none, they are damaged, or lack a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / PREDICTIONS
    try:
        with pq.ParquetFile(path) as file:
            table = file.read(None if columns is None else list(columns), use_threads=False)
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: expected a run's predictions, found none that can be read ({error})") from error
    if missing := set(columns or ()) - set(table.column_names):
        raise InputError(f"{path}: expected a run's predictions, found no column {', '.join(sorted(missing))}")
    return table


def read_predictions(folder: Path, labels: Sequence[str]) -> list[FoldPredictions]:
    """A run's predictions, fold by fold and seed by seed, in the order that they were written in.

    Args:
        folder: The run's.
        labels: Its classes, in the order of its record.

    Raises:
        InputError: There are none, they are damaged, or they are of other classes.
    """
    table, names = read_prediction_table(folder), [f"p_{label}" for label in labels]
    if lacking := [name for name in ("key", "fold", "seed", "reference", *names) if name not in table.column_names]:
        found = ", ".join(table.column_names)
        raise InputError(f"{folder / PREDICTIONS}: expected a column {lacking[0]}, found {found}")
    texts: dict[str, Any] = {
        attribute: table[column].to_numpy().tolist()
        if column in table.column_names
        else ["" if column == "path" else None] * table.num_rows
        for column, attribute in _TEXTS.items()
    }
    whole = FoldPredictions(
        fold="all",
        seed=0,
        references=number_references(folder, table, labels),
        probabilities=np.stack([table[name].to_numpy() for name in names], axis=1).astype(np.float32, copy=False),
        **texts,
    )
    folds, seeds = table["fold"].to_numpy(), table["seed"].to_numpy()
    starts = np.flatnonzero((folds[1:] != folds[:-1]) | (seeds[1:] != seeds[:-1])) + 1
    rows_of: dict[tuple[str, int], list[int]] = {}
    for rows in np.split(np.arange(len(seeds)), starts) if len(seeds) else ():
        rows_of.setdefault((folds[rows[0]], int(seeds[rows[0]])), []).extend(rows.tolist())
    return [replace(whole.take(rows), fold=fold, seed=seed) for (fold, seed), rows in rows_of.items()]


def number_references(folder: Path, table: Any, labels: Sequence[str]) -> NDArray[np.int64]:
    """The classes in the column `reference` of a run's predictions, int64 (n,), by the order of the record's labels.

    Raises:
        InputError: One is none of the labels.
    """
    references = table["reference"].combine_chunks().dictionary_encode()
    found = references.dictionary.to_pylist()
    if unknown := sorted(set(map(str, found)) - set(labels)):
        raise InputError(
            f"{folder / PREDICTIONS}: expected the labels of its record, {', '.join(labels)}, found {unknown[0]!r}; "
            "run again with --overwrite"
        )
    classes = np.array([labels.index(name) for name in found], dtype=np.int64)
    return np.asarray(classes[references.indices.to_numpy()])
