"""Tables of scores for people, computed from records."""

import re
from collections.abc import Sequence

import numpy as np

from emobox_hf.encoders.known import KNOWN_ENCODERS
from emobox_hf.report.reference import paper_scores
from emobox_hf.results import RunRecord

COLUMNS = {"ua": "UA", "wa": "WA", "macro_f1": "macro F1"}
PAPER_METRICS = {"ua": "ua", "wa": "wa", "macro_f1": "f1"}


def run_table(record: RunRecord) -> str:
    """A run's scores in percent, a line a fold (its seeds averaged), mean and spread, and the paper's beside."""
    rows = [["fold", "test", *COLUMNS.values(), "chosen on validation"]]
    for name in dict.fromkeys(fold.fold for fold in record.folds):
        folds = [fold for fold in record.folds if fold.fold == name]
        means = [_percent(float(np.mean([fold.scores[score] for fold in folds]))) for score in COLUMNS]
        chosen = "; ".join(", ".join(f"{key} {value:g}" for key, value in fold.chosen.items()) for fold in folds)
        rows.append([name, str(folds[0].n_test), *means, chosen.replace("_", " ")])
    summary = record.summary
    rows.append(["mean", "", *(_percent(summary[score]["mean"] or 0.0) for score in COLUMNS), ""])
    deviations = [value for score in COLUMNS if (value := summary[score]["std"]) is not None]
    if deviations:  # a single fold has none
        rows.append(["spread", "", *map(_percent, deviations), "standard deviation over folds"])
    return "\n".join([_headline(record), "", align(rows), "", *_notes(record), *_paper_lines(record)])


def align(rows: Sequence[Sequence[str]]) -> str:
    """Rows as lines with aligned columns; numbers to the right, the first and last column to the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    last = len(widths) - 1
    return "\n".join(
        "  ".join(
            c.ljust(w) if i in (0, last) else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _headline(record: RunRecord) -> str:
    settings = record.settings
    encoder, probe = settings["encoder"], settings["probe"]
    seeds = f", seeds {' '.join(map(str, probe['seeds']))}" if "seeds" in probe else ""
    layer = "last layer" if encoder["layer"] == "last" else f"layer {encoder['layer']}"
    context = "" if encoder["context"] == "full" else f", context {encoder['context']}"
    precision = "" if encoder["mixed_precision"] == "no" else f", {encoder['mixed_precision']}"
    norm = ", output norm" if settings["features"]["output_norm"] else ""
    return (
        f"{settings['corpus']['name']} | {encoder['name']}, {layer}{context}{precision} | "
        f"head {probe['head']}{norm}{seeds} | "
        f"resampler {settings['audio']['resampler']}"
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
    settings = record.settings
    scores = paper_scores(settings["corpus"]["name"])
    if not scores or not all(re.fullmatch(r"fold\d+", fold.fold) for fold in record.folds):
        return []
    ranked = sorted(scores, key=lambda name: -scores[name]["ua"])
    rows = [["paper (last layer, all folds)", *COLUMNS.values(), "Hub"]]
    for name in ranked:
        home = KNOWN_ENCODERS[name].repo_id or "" if name in KNOWN_ENCODERS else ""
        rows.append([name, *(f"{scores[name][metric]:.1f}" for metric in PAPER_METRICS.values()), home])
    return ["", align(rows)]


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"
