"""Tables of scores for people, computed from records."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emobox_hf.corpora.configurations import PUBLISHED, kind_of
from emobox_hf.encoders.known.table import KNOWN_ENCODERS
from emobox_hf.options import describe
from emobox_hf.report.reference import PAPER_METRICS, paper_scores
from emobox_hf.report.table import align, show
from emobox_hf.results import ALL_LAYERS, LAST, EncoderSettings, RunRecord
from emobox_hf.scores import SCORES, shown_scores


def run_table(record: RunRecord) -> str:
    """A run's scores, a line a fold (its seeds averaged), mean and spread, and the paper's beside."""
    shown = shown_scores()
    rows = [["fold", "test", *shown.values(), "chosen on validation"]]
    for name in dict.fromkeys(fold.fold for fold in record.folds):
        folds = [fold for fold in record.folds if fold.fold == name]
        means = [_mean([fold.scores for fold in folds], score) for score in shown]
        chosen = "; ".join(", ".join(f"{key} {value:g}" for key, value in fold.chosen.items()) for fold in folds)
        rows.append([name, str(folds[0].n_test), *means, chosen.replace("_", " ")])
    summary = record.summary
    means, deviations = (
        [_show(score, summary.get(score, {}).get(name)) for score in shown] for name in ("mean", "std")
    )
    rows.append(["mean", "", *means, ""])
    if any(deviations):  # a single fold has none
        rows.append(["spread", "", *deviations, "standard deviation over folds"])
    layers = ["", layer_table(record)] if record.layers else []
    return "\n".join([_headline(record), "", align(rows), *layers, "", *_notes(record), *_paper_lines(record)])


def layer_table(record: RunRecord) -> str:
    """Scores of each layer's probe, a line a layer, means over folds; where validation chose it."""
    shown = shown_scores()
    rows = [["layer", *shown.values(), "UA on validation", "chosen in"]]
    for layer in dict.fromkeys(line.layer for line in record.layers):
        lines = [line for line in record.layers if line.layer == layer]
        means = [_mean([line.scores for line in lines], score) for score in shown]
        validation = _show("ua", float(np.mean([line.validation_ua for line in lines])))
        rows.append([str(layer), *means, validation, ", ".join(line.fold for line in lines if line.is_chosen)])
    return align(rows)


def _headline(record: RunRecord) -> str:
    """The protocol in a line; what is left at its default and seldom changed is left out."""
    settings = record.settings
    encoder, seeds = settings.encoder, dict.fromkeys(fold.seed for fold in record.folds)
    layer = {LAST: "last layer", ALL_LAYERS: "best layer by validation"}.get(encoder.layer, f"layer {encoder.layer}")
    told = settings.options
    context = f", {told['context']}" if encoder.context != EncoderSettings.context else ""
    precision = f", {encoder.mixed_precision}" if encoder.mixed_precision != EncoderSettings.mixed_precision else ""
    taken = f", {encoder.input}" if encoder.input else ""
    norm = f", {told['output_norm']}" if settings.features.output_norm else ""
    drawn = f", seeds {' '.join(map(str, seeds))}" if "seeds" in settings.probe.settings() else ""
    return (
        f"{settings.partition.name} | {encoder.name}, {layer}{context}{precision}{taken} | "
        f"head {settings.probe.name}{norm}{drawn} | {', '.join(describe(settings.audio).values())}"
    )


def _notes(record: RunRecord) -> list[str]:
    ways = {fold.fold: fold.validation for fold in record.folds}
    differ = len(set(ways.values())) > 1
    named = "; ".join(f"{name}: {how}" for name, how in ways.items()) if differ else next(iter(ways.values()))
    lines = [f"validation: {named}"]
    audits = {fold.fold: fold.audit for fold in record.folds}
    if leaks := {name: audit for name, audit in audits.items() if audit["verdict"] != "independent"}:
        shared = ", ".join(
            f"{name}: {audit['shared_speakers']} of {audit['test_speakers']} test speakers"
            if audit["test_speakers"]
            else f"{name}: speakers unknown"
            for name, audit in leaks.items()
        )
        lines.append(f"not speaker-independent as far as is known; also in train or validation are, in {shared}")
    if record.left_out:
        reasons = ", ".join(f"{clip['key']} ({clip['reason']})" for clip in record.left_out[:5])
        more = f" … and {len(record.left_out) - 5} more in the record" if len(record.left_out) > 5 else ""
        lines.append(f"left out: {len(record.left_out)} clips: {reasons}{more}")
    absent = sorted({label for fold in record.folds for label in fold.scores["absent"]})
    if absent:
        lines.append(f"labels that some test part lacks, over which UA is not averaged: {', '.join(absent)}")
    return lines


def _paper_lines(record: RunRecord) -> list[str]:
    """The paper's table for the corpus, best encoder first; none beside folds that the paper did not use."""
    scores = paper_scores(record.settings.partition.name)
    if not scores or any(kind_of(fold.fold) != PUBLISHED for fold in record.folds):
        return []
    ranked = sorted(scores, key=lambda name: -scores[name]["ua"])
    rows = [["paper (last layer, all folds)", *(shown_scores()[score] for score in PAPER_METRICS), "Hub"]]
    for name in ranked:
        home = KNOWN_ENCODERS[name].repo_id or "" if name in KNOWN_ENCODERS else ""
        rows.append([name, *(f"{scores[name][metric]:.1f}" for metric in PAPER_METRICS.values()), home])
    return ["", align(rows)]


def _mean(scores: Sequence[Mapping[str, Any]], name: str) -> str:
    """The mean of one score; empty where the record, of an earlier version, does not have it."""
    values = [one[name] for one in scores if one.get(name) is not None]
    return _show(name, float(np.mean(values)) if values else None)


def _show(name: str, value: float | None) -> str:
    return show(SCORES[name].scale(value), SCORES[name].decimals)
