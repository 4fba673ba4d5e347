"""Tables of scores for people, computed from records."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emobox_hf.corpora.configurations import PUBLISHED, kind_of
from emobox_hf.encoders.known.table import KNOWN_ENCODERS
from emobox_hf.options import describe
from emobox_hf.report.chance import majority
from emobox_hf.report.collect import show_summary
from emobox_hf.report.reference import PAPER_METRICS, PAPER_NOTE, paper_scores
from emobox_hf.report.table import Estimate, align, show
from emobox_hf.results import ALL_LAYERS, LAST, EncoderSettings, FoldRecord, RunRecord
from emobox_hf.scores import SCORES, shown_scores

MOST_CHOICES = 2  # seeds whose choice by validation stands in a line; of more the median


def run_table(record: RunRecord) -> str:
    """A run's scores, a line a fold (its seeds averaged), mean with intervals and spreads, and the paper's beside."""
    shown = shown_scores()
    rows = [["fold", "test", *shown.values(), "chosen on validation"]]
    for name in dict.fromkeys(fold.fold for fold in record.folds):
        folds = [fold for fold in record.folds if fold.fold == name]
        means = [_mean([fold.scores for fold in folds], score) for score in shown]
        rows.append([name, str(folds[0].n_test), *means, _tell_choices(folds)])
    rows += [line for line in _summary_lines(record) if any(line[2:-1])]
    layers = ["", layer_table(record)] if record.layers else []
    return "\n".join([_headline(record), "", align(rows), *layers, "", *_notes(record), *_paper_lines(record)])


def layer_table(record: RunRecord) -> str:
    """Scores of each layer's probe, a line a layer, means over folds and seeds; how often validation chose it."""
    shown = shown_scores()
    rows = [["layer", *shown.values(), "95 % of UA", "UA on validation", "chosen in"]]
    n_seeds = len({fold.seed for fold in record.folds})
    for layer in dict.fromkeys(line.layer for line in record.layers):
        lines = [line for line in record.layers if line.layer == layer]
        means = [_mean([line.scores for line in lines], score) for score in shown]
        validation = _show("ua", float(np.mean([line.validation_ua for line in lines])))
        chosen = [line.fold for line in lines if line.is_chosen]
        told = ", ".join(chosen) if n_seeds == 1 else f"{len(chosen)} of {len(lines)}" if chosen else ""
        ua = record.layer_summary.get(str(layer), {}).get("ua")
        bounds = _bounds(show_summary("ua", ua.mean, ua.interval)) if ua else ""
        rows.append([str(layer), *means, bounds, validation, told])
    return align(rows)


def _summary_lines(record: RunRecord) -> list[list[str]]:
    """Mean, its interval, deviations over folds and over seeds, and all test utterances together."""
    shown = shown_scores()
    found = [record.summary.get(score) for score in shown]
    n_seeds, n_folds = (len({getattr(fold, name) for fold in record.folds}) for name in ("seed", "fold"))

    def line(name: str, texts: Sequence[str], note: str) -> list[str]:
        return [name, "", *texts, note]

    def values(name: str) -> list[str]:
        return [_show(score, getattr(one, name) if one else None) for score, one in zip(shown, found, strict=True)]

    def bounds(value: str, interval: str) -> list[str]:
        pairs = zip(shown, found, strict=True)
        return [
            _bounds(show_summary(score, getattr(one, value), getattr(one, interval))) if one else ""
            for score, one in pairs
        ]

    lines = [
        line("mean", values("mean"), _tell_interval(record)),
        line("", bounds("mean", "interval"), ""),
        line("spread", values("std"), "standard deviation over folds"),
        line("", values("std_seeds"), f"and over {n_seeds} seeds"),
    ]
    if n_folds > 1:
        lines += [
            line("pooled", values("pooled"), "all test utterances together"),
            line("", bounds("pooled", "pooled_interval"), ""),
        ]
    chance = [show(majority(record, score), SCORES[score].decimals) for score in shown]
    return [*lines, line("majority", chance, "always the most frequent class; of UA that is chance")]


def _bounds(cell: object) -> str:
    if not isinstance(cell, Estimate):
        return ""
    return "n.e." if cell.low is None or cell.high is None else f"[{cell.low:.1f}, {cell.high:.1f}]"


def _tell_interval(record: RunRecord) -> str:
    """What the interval below the mean generalises over."""
    interval = next((one.interval for one in record.summary.values() if one.interval), None)
    if interval is None:
        return ""
    if interval.low is None:
        return "not estimable, from three test speakers or fewer"
    over = f"{100 * interval.confidence:g} % interval over {interval.n_units} test {interval.unit}"
    return over if interval.unit == "speakers" else f"{over}, speakers unknown: too narrow"


def _tell_choices(folds: Sequence[FoldRecord]) -> str:
    """What validation chose; of more than a few seeds the median and the range."""
    if len(folds) <= MOST_CHOICES:
        choices = (", ".join(f"{key} {value:g}" for key, value in fold.chosen.items()) for fold in folds)
        return "; ".join(choices).replace("_", " ")
    told = []
    for key in folds[0].chosen:
        values = [fold.chosen[key] for fold in folds if key in fold.chosen]
        low, high = min(values), max(values)
        told.append(f"{key} {low:g}" if low == high else f"{key} {low:g} to {high:g}")
    return ", ".join(told).replace("_", " ")


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
    drawn = f", seeds {' '.join(map(str, seeds))}"
    return (
        f"{settings.partition.name}, {len(record.labels)} classes | "
        f"{encoder.name}, {layer}{context}{precision}{taken} | "
        f"head {settings.probe.name}{norm}{drawn} | {', '.join(describe(settings.audio).values())}"
    )


def _notes(record: RunRecord) -> list[str]:
    ways = {fold.fold: fold.validation for fold in reversed(record.folds)}  # of several seeds the first
    differ = len(set(ways.values())) > 1
    named = "; ".join(f"{name}: {how}" for name, how in reversed(ways.items())) if differ else next(iter(ways.values()))
    redrawn = len({fold.validation for fold in record.folds}) > len(set(ways.values()))
    lines = [f"validation: {named}{', drawn anew by each seed' if redrawn else ''}"]
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
    return [*lines, *_tell_calibration(record)]


def _tell_calibration(record: RunRecord) -> list[str]:
    """How sure the probes are beside how right, where the record says it."""
    told = ({"ece", "temperature"} <= fold.calibration.keys() for fold in record.folds)
    if "ece" not in record.summary or not all(told):
        return []
    mended = float(np.mean([fold.calibration["ece"] for fold in record.folds]))
    temperatures = [fold.calibration["temperature"] for fold in record.folds]
    return [
        f"calibration: confidence and accuracy are {100 * record.summary['ece'].mean:.0f} points apart, "
        f"{100 * mended:.0f} with the temperature that validation asks for ({min(temperatures):.2g} to "
        f"{max(temperatures):.2g})"
    ]


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
    return ["", align(rows), PAPER_NOTE]


def _mean(scores: Sequence[Mapping[str, Any]], name: str) -> str:
    """The mean of one score; empty where the record, of an earlier version, does not have it."""
    values = [one[name] for one in scores if one.get(name) is not None]
    return _show(name, float(np.mean(values)) if values else None)


def _show(name: str, value: float | None) -> str:
    return show(SCORES[name].scale(value), SCORES[name].decimals)
