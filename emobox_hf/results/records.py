"""RunRecord: what a run was and what it scored, one JSON file a run, with one row per test utterance in Parquet.

A run's folder is named after the digest of its settings, so a run with any other setting is another run. `record.json`
is written last: a folder that has it is finished.
"""

import dataclasses
import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emobox_hf.dataclass_reader import read_as
from emobox_hf.errors import InputError
from emobox_hf.files import whole_file, write_text
from emobox_hf.progress import LOGGER
from emobox_hf.results.earlier import bring_up_to_date
from emobox_hf.results.predictions import PREDICTIONS, FoldPredictions, read_predictions, write_predictions
from emobox_hf.results.probe_file import PROBE, ProbeFile, write_probes
from emobox_hf.results.settings import RunSettings, from_json, tells_length, to_json
from emobox_hf.results.summary import ScoreSummary, summarize

SCHEMA = 5
RECORD = "record.json"


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
    scores: dict[str, float]
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
    """

    settings: RunSettings
    labels: list[str]
    left_out: list[dict[str, str]]
    folds: list[FoldRecord]
    layers: list[LayerRecord]
    summary: dict[str, ScoreSummary]
    timings: dict[str, float]
    machine: dict[str, Any]
    versions: dict[str, str]
    created: str
    layer_summary: dict[str, dict[str, ScoreSummary]] = field(default_factory=dict)
    schema: int = SCHEMA

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
) -> None:
    """Write the predictions and the trained probes, then the record; each is whole or absent.

    On a machine without pyarrow there are no predictions, which is logged: scores need none.
    """
    for name in (RECORD, PROBE):
        (folder / name).unlink(missing_ok=True)
    if probes is not None:
        write_probes(folder, probes)
    if importlib.util.find_spec("pyarrow"):
        with whole_file(folder / PREDICTIONS) as part:
            write_predictions(part, predictions, record.labels)
    else:
        (folder / PREDICTIONS).unlink(missing_ok=True)
        LOGGER.warning(
            "%s: %s is not written, for pyarrow is not installed; the scores are whole, but comparisons, intervals of "
            "reports and the site read it (pip install pyarrow, then run again with --overwrite)",
            folder,
            PREDICTIONS,
        )
    write_text(folder / RECORD, json.dumps(record_to_json(record), indent=1, ensure_ascii=False) + "\n")


def record_to_json(record: RunRecord) -> dict[str, Any]:
    """A record as its file has it."""
    table = {one.name: getattr(record, one.name) for one in dataclasses.fields(record)}
    parts: dict[str, Any] = {name: [dataclasses.asdict(one) for one in table[name]] for name in ("folds", "layers")}
    parts["summary"] = _to_json(record.summary)
    parts["layer_summary"] = {layer: _to_json(one) for layer, one in record.layer_summary.items()}
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
        written = json.loads(path.read_text(encoding="utf-8"))
        table = bring_up_to_date(written)
        if table["schema"] != SCHEMA:
            raise InputError(
                f"{path}: schema {table['schema']}, this version reads up to {SCHEMA}; install a newer version of this "
                "package, or run again with --overwrite"
            )
        nested = {
            "settings": from_json(table["settings"], str(path)),
            "folds": [FoldRecord(**fold) for fold in table["folds"]],
            "layers": [LayerRecord(**layer) for layer in table["layers"]],
            "summary": read_as(Mapping[str, ScoreSummary], table["summary"], f"{path}: summary"),
            "layer_summary": read_as(
                Mapping[str, Mapping[str, ScoreSummary]], table.get("layer_summary", {}), f"{path}: layer_summary"
            ),
        }
        record = RunRecord(**table | nested)
        return record if written["schema"] == SCHEMA else _complete(record, folder)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a whole record ({error}); delete it, or run again with --overwrite") from error


def _to_json(summary: Mapping[str, ScoreSummary]) -> dict[str, Any]:
    return {name: dataclasses.asdict(one) for name, one in summary.items()}


def _complete(record: RunRecord, folder: Path) -> RunRecord:
    """A record of an earlier version with the intervals that it lacks, as far as its predictions are there."""
    try:
        found = summarize(read_predictions(folder, record.labels))
    except InputError:
        return record
    summary = {
        name: dataclasses.replace(found[name], mean=one.mean, std=one.std) if name in found else one
        for name, one in record.summary.items()
    }
    return dataclasses.replace(record, summary=summary)
