"""UA, WA, macro F1 and their uncertainty from integer arrays: NumPy only, and the one home of each formula.

A new score that is one number is an entry of `table.SCORES`: a function of the confusion matrix, or of the rows
(speakers, probabilities), and then a key of the metric and of records and a column of tables. Formulas stand in
`classification`, uncertainty in `intervals`.
"""

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
    bootstrap_differences,
    bootstrap_intervals,
    mean_over_folds,
)
from emobox_hf.scores.table import SCORES, Rows, Score, Scores, shown_scores

__all__ = [
    "SCORES",
    "Difference",
    "Interval",
    "Rows",
    "Score",
    "Scores",
    "bootstrap_differences",
    "bootstrap_intervals",
    "compute_scores",
    "confusion_matrix",
    "kappa",
    "macro_f1",
    "mean_over_folds",
    "per_class_f1",
    "per_class_precision",
    "per_class_recall",
    "per_class_support",
    "score_confusion",
    "shown_scores",
    "ua",
    "wa",
    "weighted_f1",
]
