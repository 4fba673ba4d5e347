"""UA, WA, macro F1 and their uncertainty from integer arrays, and the one home of each formula.

A new score that is one number is an entry of `table.SCORES` and nothing else: a function of the confusion matrix, or
of the rows with what it needs of them (speakers, probabilities). It is then a key of the metric, with an interval, a
key of records, and a column of tables. A score of another kind of target, such as the concordance correlation of a
regression head, needs fields of `table.Rows` that hold targets and estimates; a head gives them (`probes/heads.py`).

Formulas stand in `classification`, the rule of inference in `intervals`; `bootstrap` is what the metric offers besides.
"""

from emobox_hf.scores.bootstrap import bootstrap_differences, bootstrap_intervals
from emobox_hf.scores.calibration import apply_temperature, fit_temperature, label_margins
from emobox_hf.scores.classification import (
    confusion_matrix,
    kappa,
    macro_f1,
    per_class_f1,
    per_class_precision,
    per_class_recall,
    per_class_support,
    ua,
    wa,
    weighted_f1,
)
from emobox_hf.scores.computing import compute_scores, score_confusion
from emobox_hf.scores.intervals import (
    Difference,
    Interval,
    estimate,
    estimate_difference,
    mean_over_folds,
    score_differences,
    score_intervals,
)
from emobox_hf.scores.ranking import RankedPair, Ranking, holm, rank_systems
from emobox_hf.scores.table import SCORES, Rows, Score, Scores, shown_scores

__all__ = [
    "SCORES",
    "Difference",
    "Interval",
    "RankedPair",
    "Ranking",
    "Rows",
    "Score",
    "Scores",
    "apply_temperature",
    "bootstrap_differences",
    "bootstrap_intervals",
    "compute_scores",
    "confusion_matrix",
    "estimate",
    "estimate_difference",
    "fit_temperature",
    "holm",
    "kappa",
    "label_margins",
    "macro_f1",
    "mean_over_folds",
    "per_class_f1",
    "per_class_precision",
    "per_class_recall",
    "per_class_support",
    "rank_systems",
    "score_confusion",
    "score_differences",
    "score_intervals",
    "shown_scores",
    "ua",
    "wa",
    "weighted_f1",
]
