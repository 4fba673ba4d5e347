"""RunRecord: what a run was and what it scored, one JSON file a run, with one row per test utterance in Parquet.

A run's folder is named after the digest of its settings, so a run with any other setting is another run. `record.json`
is written last: a folder that has it is finished.
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emobox_hf.errors import InputError
from emobox_hf.files import whole_file, write_text
from emobox_hf.results.earlier import bring_up_to_date
from emobox_hf.results.settings import RunSettings, from_json, to_json

SCHEMA = 4
RECORD, PREDICTIONS = "record.json", "predictions.parquet"


@dataclass(frozen=True, kw_only=True)
class FoldRecord:
    """One probe: a fold and a seed.

    Attributes:
        fold: `fold1` …
        source: How the fold was drawn, in words.
        validation: How its validation part was.
        audit: What test shares with train and validation, by `corpora.audit.summarize_audit`.
        seed: Of the probe's first weights and batches.
        n_train: Utterances trained on.
        n_validation: Utterances that the choice was made on.
        n_test: Utterances scored.
        digests: SHA-256 of the keys of each split, before any clip was left out (`files.sha256_of_keys`).
        chosen: The settings that validation preferred, such as `{"learning_rate": 0.001, "epoch": 63}`.
        validation_ua: UA there, 0 to 1.
        candidates: Every setting that was tried, with its validation figures.
        untrained_classes: Labels that test has and train lacks.
        scores: UA, WA, macro and weighted F1 (0 to 1), recall by label, confusion matrix, absent labels.
        seconds: Training and prediction.
    """

    fold: str
    source: str
    validation: str
    audit: dict[str, Any]
    seed: int
    n_train: int
    n_validation: int
    n_test: int
    digests: dict[str, str]
    chosen: dict[str, float]
    validation_ua: float
    candidates: list[dict[str, Any]]
    untrained_classes: list[str]
    scores: dict[str, Any]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class LayerRecord:
    """One layer's probe in one fold, where all layers were probed.

    Attributes:
        fold: `fold1` …
        layer: Number of the hidden state, or `weighted` for the learned weighted sum over all of them.
        is_chosen: Whether validation chose this layer for the fold's score.
        validation_ua: UA on the validation part, 0 to 1.
        scores: UA, WA, macro and weighted F1 of the test part, 0 to 1.
        weights: Of the weighted sum, one a layer, adding up to 1; None for a single layer.
    """

    fold: str
    layer: int | str
    is_chosen: bool
    validation_ua: float
    scores: dict[str, float]
    weights: list[float] | None = None


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A finished run.

    Attributes:
        settings: Everything that shapes the scores.
        labels: The classes, in the order of every array.
        left_out: Key and reason of each utterance of the corpus without features: too long, missing, undecodable.
        folds: One entry a fold and seed.
        layers: One entry a fold and layer where all layers were probed, else empty.
        summary: For UA, WA, macro and weighted F1 the mean and sample standard deviation over folds, 0 to 1; the seeds
            of a fold are averaged first. A single fold has no deviation: None.
        timings: Seconds of extraction (0 where features were at hand) and of probing, seconds of audio extracted.
        machine: Processor or GPU, processes, peak memory in MB.
        versions: Of this package and of what computed the scores.
        created: When, in ISO 8601, UTC.
    """

    settings: RunSettings
    labels: list[str]
    left_out: list[dict[str, str]]
    folds: list[FoldRecord]
    layers: list[LayerRecord]
    summary: dict[str, dict[str, float | None]]
    timings: dict[str, float]
    machine: dict[str, Any]
    versions: dict[str, str]
    created: str
    schema: int = SCHEMA


@dataclass(frozen=True, eq=False)
class FoldPredictions:
    """A probe's test part, row by row.

    Attributes:
        fold: `fold1` …
        seed: The probe's seed.
        keys: The utterances.
        speakers: Who speaks in each, None where that is not known.
        paths: File of each, relative to its corpus's folder.
        references: Class of each, int64 (n,).
        probabilities: float32 (n, classes).
    """

    fold: str
    seed: int
    keys: Sequence[str]
    speakers: Sequence[str | None]
    paths: Sequence[str]
    references: NDArray[np.int64]
    probabilities: NDArray[np.float32]


def is_finished(folder: Path) -> bool:
    """Whether the run of this folder is done."""
    return (folder / RECORD).is_file()


def write_run(folder: Path, record: RunRecord, predictions: Sequence[FoldPredictions]) -> None:
    """Write the predictions, then the record; either is whole or absent."""
    import pyarrow.parquet as pq

    (folder / RECORD).unlink(missing_ok=True)
    with whole_file(folder / PREDICTIONS) as part:
        pq.write_table(_prediction_table(predictions, record.labels), part)
    write_text(folder / RECORD, json.dumps(record_to_json(record), indent=1, ensure_ascii=False) + "\n")


def record_to_json(record: RunRecord) -> dict[str, Any]:
    """A record as its file has it."""
    table = {one.name: getattr(record, one.name) for one in dataclasses.fields(record)}
    parts = {name: [dataclasses.asdict(one) for one in table[name]] for name in ("folds", "layers")}
    return {**table, **parts, "settings": to_json(record.settings)}


def read_record(folder: Path) -> RunRecord:
    """The record of a finished run; one that an earlier version of this package wrote is brought up to date.

    Raises:
        InputError: There is none, it is damaged, or it is of another schema.
    """
    path = folder / RECORD
    if not path.is_file():
        raise InputError(f"{path}: no such record; the run was not finished")
    try:
        table = bring_up_to_date(json.loads(path.read_text(encoding="utf-8")))
        if table["schema"] != SCHEMA:
            raise InputError(
                f"{path}: schema {table['schema']}, this version reads up to {SCHEMA}; install a newer version of this "
                "package, or run again with --overwrite"
            )
        nested = {
            "settings": from_json(table["settings"], str(path)),
            "folds": [FoldRecord(**fold) for fold in table["folds"]],
            "layers": [LayerRecord(**layer) for layer in table["layers"]],
        }
        return RunRecord(**table | nested)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a whole record ({error}); delete it, or run again with --overwrite") from error


def read_predictions(folder: Path) -> dict[str, list[Any]]:
    """The columns of a run's predictions, see `_prediction_table`.

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


def _prediction_table(predictions: Sequence[FoldPredictions], labels: Sequence[str]) -> Any:
    """One row per fold, seed and test utterance: who and where, reference, prediction, a probability a class."""
    import pyarrow as pa

    names = np.array(labels, dtype=object)
    probabilities = np.concatenate([fold.probabilities for fold in predictions])
    columns = {
        "key": [key for fold in predictions for key in fold.keys],
        "speaker": pa.array([speaker for fold in predictions for speaker in fold.speakers], pa.string()),
        "path": [path for fold in predictions for path in fold.paths],
        "fold": [fold.fold for fold in predictions for _ in fold.keys],
        "seed": pa.array([fold.seed for fold in predictions for _ in fold.keys], pa.int64()),
        "reference": pa.array(names[np.concatenate([fold.references for fold in predictions])]),
        "prediction": pa.array(names[probabilities.argmax(axis=1)]),
    }
    columns |= {f"p_{label}": probabilities[:, index] for index, label in enumerate(labels)}
    return pa.table(columns)
