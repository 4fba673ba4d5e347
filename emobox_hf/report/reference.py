"""The paper's scores, as printed."""

import csv
from importlib import resources

PAPER_METRICS = {"ua": "ua", "wa": "wa", "macro_f1": "f1"}
"""The paper's name of each score that it has."""


def paper_scores(corpus: str) -> dict[str, dict[str, float]]:
    """Encoder to `ua`, `wa` and `f1` in percent, from the paper's intra-corpus table; empty for a corpus it lacks."""
    path = resources.files("emobox_hf.benchmarks").joinpath("reference/emobox_intra_corpus.csv")
    scores: dict[str, dict[str, float]] = {}
    for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
        if row["corpus"] == corpus:
            scores.setdefault(row["model"], {})[row["metric"]] = float(row["value"])
    return scores
