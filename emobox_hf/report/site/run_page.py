"""The page of a run: its record, what its predictions say, its folds and layers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from emobox_hf.report.site.curves import Curve, draw_layers
from emobox_hf.report.site.entries import Entry
from emobox_hf.report.site.evidence import RunEvidence
from emobox_hf.report.site.matrices import Matrix, confusion_of
from emobox_hf.report.table import percent
from emobox_hf.results.settings import to_json
from emobox_hf.scores import SCORES, shown_scores


@dataclass(frozen=True)
class FoldRow:
    """A fold and seed of a run; scores in percent where they are fractions."""

    fold: str
    seed: int
    sizes: tuple[int, int, int]
    verdict: str
    shared: str
    scores: tuple[float | None, ...]
    chosen: str


@dataclass(frozen=True)
class RunPage:
    """A run's page.

    Attributes:
        entry: The run.
        evidence: What its predictions say; None where they are not at hand.
        folds: A row a fold and seed.
        confusion: Folds and seeds added up; None where the record holds none.
        curve: UA by layer, where all layers were probed.
        validation: How the validation part was drawn, in words.
        absent: Labels that some test part lacks.
        facts: Sections of the record, each a table of names and values: settings, machine, versions, time.
    """

    entry: Entry
    evidence: RunEvidence | None
    folds: tuple[FoldRow, ...]
    confusion: Matrix | None
    curve: Curve | None
    validation: str
    absent: tuple[str, ...]
    facts: Mapping[str, tuple[tuple[str, str], ...]]


def make_run_page(entry: Entry, evidence: RunEvidence | None) -> RunPage:
    """The page of one run."""
    record = entry.run.record
    settings = to_json(record.settings)
    partition = settings.pop("partition")
    digests = partition.pop("digests")
    corpora = {
        f"corpus {corpus['name']}": {name: value for name, value in corpus.items() if name != "name"}
        for corpus in settings.pop("corpora")
    }
    sections: dict[str, Mapping[str, Any]] = {
        "Settings": {"digest": entry.digest, **settings, "partition": partition},
        "Corpora": corpora,
        "Digests of splits (SHA-256 of keys)": digests,
        "Machine": record.machine,
        "Versions": record.versions,
        "Time": {"created": record.created, **{f"{name}, s": value for name, value in record.timings.items()}},
    }
    return RunPage(
        entry=entry,
        evidence=evidence,
        folds=tuple(
            FoldRow(
                fold=fold.fold,
                seed=fold.seed,
                sizes=(fold.n_train, fold.n_validation, fold.n_test),
                verdict=str(fold.audit.get("verdict", "")),
                shared=tell_shared(fold.audit),
                scores=tuple(SCORES[score].scale(fold.scores.get(score)) for score in shown_scores()),
                chosen=", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in fold.chosen.items()),
            )
            for fold in record.folds
        ),
        confusion=confusion_of(record),
        curve=draw_layers(entry) if record.layers else None,
        validation="; ".join(dict.fromkeys(fold.validation for fold in record.folds)),
        absent=tuple(sorted({label for fold in record.folds for label in fold.scores.get("absent", ())})),
        facts={title: tuple(_flatten(section)) for title, section in sections.items() if section},
    )


def tell_shared(audit: Mapping[str, Any]) -> str:
    """How many speakers of a test part were trained or chosen on: `2 of 5`."""
    if not audit.get("test_speakers"):
        return "not known"
    return f"{audit.get('shared_speakers', 0)} of {audit['test_speakers']}"


def mean_of_folds(entry: Entry, score: str) -> dict[str, float]:
    """Fold to a score as tables show it, seeds averaged; without folds that lack it."""
    by_fold: dict[str, list[float]] = {}
    for fold in entry.run.record.folds:
        value = SCORES[score].scale(fold.scores.get(score))
        if value is not None:
            by_fold.setdefault(fold.fold, []).append(value)
    return {fold: float(np.mean(values)) for fold, values in by_fold.items()}


def recall_of_labels(entry: Entry) -> dict[str, float]:
    """Label to recall in percent over folds and seeds added up; without labels that no test part has."""
    confusion = confusion_of(entry.run.record)
    if confusion is None:
        return {}
    rows = zip(entry.run.record.labels, confusion.shares, strict=True)
    recall = ((label, percent(row[number])) for number, (label, row) in enumerate(rows) if sum(row))
    return {label: value for label, value in recall if value is not None}


def _flatten(table: Mapping[str, Any], stem: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in table.items():
        path = f"{stem}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            rows += _flatten(value, f"{path}: ")
        else:
            rows.append((path, _show(value)))
    return rows


def _show(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_show, value)) or "none"
    if isinstance(value, float):
        return "none" if math.isinf(value) else f"{value:g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None or value == "" else str(value)
