"""What a run predicted, one row a fold, seed and test utterance, in Parquet beside the record."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emobox_hf.errors import InputError, first_line
from emobox_hf.results.digests import AGAIN, DamagedRunError
from emobox_hf.scores import Rows

if TYPE_CHECKING:
    from emobox_hf.results.records import RunRecord

PREDICTIONS = "predictions.parquet"
_TEXTS = {"key": "keys", "speaker": "speakers", "gender": "genders", "language": "languages", "sentence": "sentences"}
_TEXTS |= {"path": "paths"}  # columns and the attributes that hold them
MAY_BE_UNKNOWN = ("speaker", "gender", "language", "sentence", "path")


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
    pq.write_table(pa.table(columns), path, write_page_checksum=True)


def load_predictions(folder: Path, record: "RunRecord") -> bytes:
    """The file of a run's predictions, as it was written.

    Raises:
        DamagedRunError: It changed since the record was written.
        InputError: There is none.
    """
    path = folder / PREDICTIONS
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: expected a run's predictions, found none that can be read ({error})") from error
    if record.predictions_sha256 and hashlib.sha256(content).hexdigest() != record.predictions_sha256:
        raise DamagedRunError(f"{path}: changed since the run's record was written; {AGAIN}")
    return content


def read_prediction_table(folder: Path, record: "RunRecord", columns: Sequence[str] | None = None) -> Any:
    """A run's predictions as an Arrow table, all columns or some; of those of an earlier version some may be absent.

    Raises:
        DamagedRunError: They are damaged, or a column that is asked for is absent or holds something else.
        InputError: There are none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path, content = folder / PREDICTIONS, load_predictions(folder, record)
    chosen = None if columns is None else list(columns)
    try:
        with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True) as file:
            table = file.read(chosen, use_threads=False)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:
        raise DamagedRunError(f"{path}: no predictions that can be read ({first_line(error)}); {AGAIN}") from error
    if missing := set(columns or ()) - set(table.column_names):
        found = ", ".join(table.column_names)
        raise DamagedRunError(f"{path}: expected a column {', '.join(sorted(missing))}, found {found}; {AGAIN}")
    for name in table.column_names:
        if fault := _fault_of(name, table[name]):
            raise DamagedRunError(f"{path}: column {name}: {fault}; {AGAIN}")
    return table


def _fault_of(name: str, column: Any) -> str:
    """What is wrong with a column of predictions, empty if nothing is."""
    import pyarrow as pa

    kind = "number" if name.startswith("p_") else "whole number" if name == "seed" else "text"
    is_kind = {"number": pa.types.is_floating, "whole number": pa.types.is_integer, "text": pa.types.is_string}[kind]
    if not is_kind(column.type) and not (column.null_count == len(column) and name in MAY_BE_UNKNOWN):
        return f"expected a {kind} a row, found {column.type}"
    if column.null_count and name not in MAY_BE_UNKNOWN:
        return f"expected a {kind} in every row, found {column.null_count} without"
    if kind == "number" and not np.isfinite(column.to_numpy()).all():
        return "expected finite numbers"
    return ""


def read_predictions(folder: Path, record: "RunRecord") -> list[FoldPredictions]:
    """A run's predictions, fold by fold and seed by seed, in the order that they were written in.

    Raises:
        DamagedRunError: They are damaged, or do not fit the record.
        InputError: There are none.
    """
    labels, path = record.labels, folder / PREDICTIONS
    table, names = read_prediction_table(folder, record), [f"p_{label}" for label in labels]
    if lacking := [name for name in ("key", "fold", "seed", "reference", *names) if name not in table.column_names]:
        found = ", ".join(table.column_names)
        raise DamagedRunError(f"{path}: expected a column {lacking[0]}, found {found}; {AGAIN}")
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
    for fold, seed in sorted(rows_of.keys() | record.n_test.keys()):
        expected, n_found = record.n_test.get((fold, seed), 0), len(rows_of.get((fold, seed), ()))
        if n_found != expected:
            raise DamagedRunError(
                f"{path}: {fold} seed {seed}: expected {expected} rows, as the record says, found {n_found}; {AGAIN}"
            )
    return [replace(whole.take(rows), fold=fold, seed=seed) for (fold, seed), rows in rows_of.items()]


def number_references(folder: Path, table: Any, labels: Sequence[str]) -> NDArray[np.int64]:
    """The classes in the column `reference` of a run's predictions, int64 (n,), by the order of the record's labels.

    Raises:
        DamagedRunError: One is none of the labels.
    """
    references = table["reference"].combine_chunks().dictionary_encode()
    found = references.dictionary.to_pylist()
    if unknown := sorted(set(map(str, found)) - set(labels)):
        raise DamagedRunError(
            f"{folder / PREDICTIONS}: expected the labels of its record, {', '.join(labels)}, found {unknown[0]!r}; "
            f"{AGAIN}"
        )
    classes = np.array([labels.index(name) for name in found], dtype=np.int64)
    return np.asarray(classes[references.indices.to_numpy()])
