"""RunRecord: what a run was and what it scored, one JSON file a run, with one row per test utterance in Parquet.

A run's folder is named after the digest of its settings, so a run with any other setting is another run. `record.json`
is written last: a folder that has it is finished. It holds the digest of the predictions, and one of itself.
"""

import contextlib
import dataclasses
import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from emobox_hf.dataclass_reader import Keys, read_as
from emobox_hf.errors import InputError
from emobox_hf.files import sha256_of_file, whole_file, write_text
from emobox_hf.progress import LOGGER
from emobox_hf.results.digests import AGAIN, DamagedRunError, digest_of_table
from emobox_hf.results.earlier import bring_up_to_date
from emobox_hf.results.predictions import (
    PREDICTIONS,
    FoldPredictions,
    load_predictions,
    read_predictions,
    write_predictions,
)
from emobox_hf.results.probe_file import PROBE, ProbeFile, write_probes
from emobox_hf.results.settings import RunSettings, from_json, tells_length, to_json
from emobox_hf.results.summary import ScoreSummary, summarize

SCHEMA = 6
RECORD = "record.json"
DAMAGED = ".damaged"
"""The end of the name of a run's file that was set aside; it is hidden, so nothing reads it."""

Plain = str | int | float | None  # a bool is no int here: each is what it says
Audit = Annotated[
    dict[str, Any],
    Keys({"verdict": str, "test_speakers": int, "shared_speakers": int}, Plain | bool | dict[str, dict[str, int]]),
]
FoldScores = Annotated[
    dict[str, Any],
    Keys(
        {"recall": dict[str, float | None], "confusion_matrix": list[list[int]], "absent": list[str]},
        float | None,
    ),
]
LayerScores = Annotated[dict[str, float], Keys({"ua": float}, float)]
LeftOut = Annotated[dict[str, str], Keys({"key": str, "reason": str}, str)]


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
        scores: Each of `scores.SCORES`, recall by label, confusion matrix, absent labels.
        calibration: The `temperature` that the validation part asks for, and `nll` and `ece` of the test part with it.
        seconds: Training and prediction.
    """

    fold: str
    source: str
    validation: str
    audit: Audit
    seed: int
    n_train: int
    n_validation: int
    n_test: int
    digests: dict[str, str]
    chosen: dict[str, float]
    validation_ua: float
    candidates: list[dict[str, Any]]
    untrained_classes: list[str]
    scores: FoldScores
    seconds: float
    calibration: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LayerRecord:
    """One layer's probe in one fold, where all layers were probed.

    Attributes:
        fold: `fold1` …
        seed: The probe's seed.
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
    scores: LayerScores
    weights: list[float] | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A finished run.

    Attributes:
        settings: Everything that shapes the scores.
        labels: The classes, in the order of every array.
        left_out: Key and reason of each utterance of the corpus without features: too long, missing, undecodable.
        folds: One entry a fold and seed.
        layers: One entry a fold and layer where all layers were probed, else empty.
        summary: Each score over folds and seeds, with its intervals.
        layer_summary: The same of each layer, and of `weighted`, where all layers were probed.
        timings: Seconds of extraction (0 where features were at hand) and of probing, seconds of audio extracted.
        machine: Processor or GPU, processes, peak memory in MB.
        versions: Of this package and of what computed the scores.
        created: When, in ISO 8601, UTC.
        predictions_sha256: Of the file of predictions; empty where there was none, and in an earlier version's record.
    """

    settings: RunSettings
    labels: list[str]
    left_out: list[LeftOut]
    folds: list[FoldRecord]
    layers: list[LayerRecord]
    summary: dict[str, ScoreSummary]
    timings: dict[str, float]
    machine: dict[str, Plain | bool]
    versions: dict[str, str]
    created: str
    layer_summary: dict[str, dict[str, ScoreSummary]] = field(default_factory=dict)
    predictions_sha256: str = ""
    schema: int = SCHEMA

    @property
    def n_test(self) -> dict[tuple[str, int], int]:
        """Utterances that each probe was tested on, by fold and seed."""
        return {(fold.fold, fold.seed): fold.n_test for fold in self.folds}

    @property
    def is_complete(self) -> bool:
        """Whether no utterance and no fold of its kind is missing; clips that are too long for the protocol are not."""
        settings = self.settings
        has_all = not any(corpus.missing or corpus.n_absent for corpus in settings.corpora)
        return has_all and settings.partition.all_folds and all(tells_length(one["reason"]) for one in self.left_out)


def is_finished(folder: Path) -> bool:
    """Whether the run of this folder is done."""
    return (folder / RECORD).is_file()


def write_run(
    folder: Path, record: RunRecord, predictions: Sequence[FoldPredictions], probes: ProbeFile | None = None
) -> RunRecord:
    """Write the predictions and the trained probes, then the record; each is whole or absent. The record as written.

    On a machine without pyarrow there are no predictions, which is logged: scores need none.
    """
    for name in (RECORD, PROBE):
        (folder / name).unlink(missing_ok=True)
    if probes is not None:
        write_probes(folder, probes)
    if importlib.util.find_spec("pyarrow"):
        with whole_file(folder / PREDICTIONS) as part:
            write_predictions(part, predictions, record.labels)
            record = dataclasses.replace(record, predictions_sha256=sha256_of_file(part))
    else:
        (folder / PREDICTIONS).unlink(missing_ok=True)
        LOGGER.warning(
            "%s: %s is not written, for pyarrow is not installed; the scores are whole, but comparisons, intervals of "
            "reports and the site read it (pip install pyarrow, then run again with --overwrite)",
            folder,
            PREDICTIONS,
        )
    write_text(folder / RECORD, json.dumps(record_to_json(record), indent=1, ensure_ascii=False) + "\n")
    return record


def record_to_json(record: RunRecord) -> dict[str, Any]:
    """A record as its file has it."""
    table = {one.name: getattr(record, one.name) for one in dataclasses.fields(record)}
    parts: dict[str, Any] = {name: [dataclasses.asdict(one) for one in table[name]] for name in ("folds", "layers")}
    parts["summary"] = _to_json(record.summary)
    parts["layer_summary"] = {layer: _to_json(one) for layer, one in record.layer_summary.items()}
    table = {**table, **parts, "settings": to_json(record.settings)}
    return {**table, "sha256": digest_of_table(table)}


def read_run(folder: Path) -> tuple[RunRecord, list[FoldPredictions]]:
    """The record of a finished run and its predictions, both as they were written, and of the same probes.

    Raises:
        InputError: As `read_record` and `read_predictions`.
    """
    record = read_record(folder)
    return record, read_predictions(folder, record)


def read_record(folder: Path) -> RunRecord:
    """The record of a finished run; one that an earlier version of this package wrote is brought up to date.

    Raises:
        DamagedRunError: It changed since it was written, is no record, or does not agree with itself.
        InputError: There is none, or it is of a newer schema.
    """
    path = folder / RECORD
    if not path.is_file():
        raise InputError(f"{path}: no such record; the run was not finished")
    table, schema = _read_table(path)
    try:
        table = bring_up_to_date(table)
        table["settings"] = from_json(table["settings"], "settings")
        record: RunRecord = read_as(RunRecord, table, "record")
        _check(record)
    except (InputError, KeyError, TypeError, ValueError, AttributeError) as error:
        found = str(error) if isinstance(error, InputError) else f"schema {schema}, but not its fields ({error!r})"
        raise DamagedRunError(f"{path}: not a whole record: {found}; {AGAIN}") from error
    return record if schema >= _WITH_INTERVALS else _complete(record, folder)


_OLDEST, _WITH_INTERVALS, _WITH_DIGESTS = 3, 5, 6  # of the schemas


def _read_table(path: Path) -> tuple[dict[str, Any], int]:
    """A record's JSON, which is as it was written, and its schema."""
    try:
        table = json.loads(path.read_bytes().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DamagedRunError(f"{path}: not a whole record ({error}); {AGAIN}") from error
    schema = table.get("schema") if isinstance(table, dict) else None
    if type(schema) is not int:
        raise DamagedRunError(f"{path}: not a whole record: expected a schema, found {schema!r}; {AGAIN}")
    if not _OLDEST <= schema <= SCHEMA:
        raise InputError(
            f"{path}: schema {schema}, this version reads {_OLDEST} to {SCHEMA}; install a newer version of this "
            "package, or run again with --overwrite"
        )
    digest = table.pop("sha256", None)
    if schema >= _WITH_DIGESTS and digest != digest_of_table(table):
        raise DamagedRunError(f"{path}: not a whole record: its content changed since it was written; {AGAIN}")
    return table, schema


def _check(record: RunRecord) -> None:
    """Refuse a record whose parts do not fit each other.

    Raises:
        InputError: There is no corpus, fold or label, or a score counts other labels.
    """
    n = len(record.labels)
    if not record.settings.corpora or not record.folds or not record.labels or len(set(record.labels)) < n:
        counts = f"{len(record.settings.corpora)}, {len(record.folds)} and {record.labels}"
        raise InputError(f"expected corpora, folds and labels, each once, found {counts}")
    if record.layers and not any(isinstance(line.layer, int) for line in record.layers):
        raise InputError("layers: expected numbers of layers, found none")
    for fold in record.folds:
        if [len(row) for row in fold.scores["confusion_matrix"]] != [n] * n:
            where = f"folds, {fold.fold} seed {fold.seed}: scores.confusion_matrix"
            raise InputError(f"{where}: expected {n} rows of {n}, found another shape")


def set_aside_damaged(folder: Path) -> str:
    """What is wrong with a finished run, whose files are then renamed, so that it can be made again; empty if nothing.

    Raises:
        InputError: Its record is of a newer version, and stays.
    """
    try:
        record = read_record(folder)
        if (folder / PREDICTIONS).is_file():
            load_predictions(folder, record)
    except DamagedRunError as error:
        for name in (RECORD, PREDICTIONS):
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                (folder / name).rename(folder / f".{name}{DAMAGED}")
        return str(error)
    except InputError:
        if is_finished(folder):
            raise
        return f"{folder}: another process found the run damaged"
    return ""


def _to_json(summary: Mapping[str, ScoreSummary]) -> dict[str, Any]:
    return {name: dataclasses.asdict(one) for name, one in summary.items()}


def _complete(record: RunRecord, folder: Path) -> RunRecord:
    """A record of an earlier version with the intervals that it lacks, as far as its predictions are there."""
    try:
        found = summarize(read_predictions(folder, record))
    except InputError:
        return record
    summary = {
        name: dataclasses.replace(found[name], mean=one.mean, std=one.std) if name in found else one
        for name, one in record.summary.items()
    }
    return dataclasses.replace(record, summary=summary)
