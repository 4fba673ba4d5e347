"""What a run predicted, one row a fold, seed and test utterance, in Parquet beside the record."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emobox_hf.errors import InputError
from emobox_hf.scores import Rows

PREDICTIONS = "predictions.parquet"


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
        columns = {
            name: getattr(self, name) for name in ("keys", "speakers", "genders", "languages", "sentences", "paths")
        }
        named: dict[str, Any] = {name: [column[row] for row in rows] for name, column in columns.items()}
        return replace(self, references=self.references[rows], probabilities=self.probabilities[rows], **named)


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


def read_columns(folder: Path) -> dict[str, list[Any]]:
    """The columns of a run's predictions, see `write_predictions`; a record of an earlier version lacks some.

    Raises:
        InputError: There are none, or they are damaged.
    """
    columns: dict[str, list[Any]] = read_prediction_table(folder).to_pydict()
    return columns


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
    columns = read_columns(folder)
    names = [f"p_{label}" for label in labels]
    if lacking := [name for name in ("key", "fold", "seed", "reference", *names) if name not in columns]:
        raise InputError(f"{folder / PREDICTIONS}: expected a column {lacking[0]}, found {', '.join(columns)}")
    number_of = {label: number for number, label in enumerate(labels)}
    unknown = sorted(set(columns["reference"]) - set(number_of))
    if unknown:
        raise InputError(f"{folder / PREDICTIONS}: reference {unknown[0]!r} is none of the record's labels")
    references = np.array([number_of[name] for name in columns["reference"]], dtype=np.int64)
    probabilities = np.array([columns[name] for name in names], dtype=np.float32).T
    n = len(references)
    whole = FoldPredictions(
        fold="all",
        seed=0,
        keys=columns["key"],
        speakers=columns.get("speaker", [None] * n),
        genders=columns.get("gender", [None] * n),
        languages=columns.get("language", [None] * n),
        sentences=columns.get("sentence", [None] * n),
        paths=columns.get("path", [""] * n),
        references=references,
        probabilities=probabilities,
    )
    places: dict[tuple[str, int], list[int]] = {}
    for row, place in enumerate(zip(columns["fold"], columns["seed"], strict=True)):
        places.setdefault(place, []).append(row)
    return [replace(whole.take(rows), fold=fold, seed=seed) for (fold, seed), rows in places.items()]
