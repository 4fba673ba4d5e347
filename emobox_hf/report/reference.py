"""The paper's scores, as printed."""

import csv
from importlib import resources

PAPER_METRICS = {"ua": "ua", "wa": "wa", "macro_f1": "f1"}
"""The paper's name of each score that it has."""
PAPER_CLASSES = {"asvpesd": 12, "iemocap": 5, "jlcorpus": 5, "msppodcast": 8}
"""How many classes the paper's scores are over, where it is not as many as its lists hold."""
PAPER_NOTE = (
    "The paper's released code pools the predictions of all checkpoints up to the best into one score; its scores have "
    "no intervals, and for some corpora are over other classes than its lists hold."
)

PAPER_CROSS_NOTE = (
    "The paper's test sets hold 240 utterances, of which its cells are no multiples; agreement with emotion2vec chose "
    "the utterances of some."
)


def paper_scores(corpus: str) -> dict[str, dict[str, float]]:
    """Encoder to `ua`, `wa` and `f1` in percent, from the paper's intra-corpus table; empty for a corpus it lacks."""
    path = resources.files("emobox_hf.benchmarks").joinpath("reference/emobox_intra_corpus.csv")
    scores: dict[str, dict[str, float]] = {}
    for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
        if row["corpus"] == corpus:
            scores.setdefault(row["model"], {})[row["metric"]] = float(row["value"])
    return scores
