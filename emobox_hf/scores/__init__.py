"""UA, WA, macro F1 and their uncertainty from integer arrays: NumPy only, and the one home of each formula."""

from emobox_hf.scores.classification import (
    SCORES,
    Scores,
    compute_scores,
    confusion_matrix,
    kappa,
    macro_f1,
    per_class_f1,
    per_class_precision,
    per_class_recall,
    per_class_support,
    score_confusion,
    ua,
    wa,
    weighted_f1,
)
from emobox_hf.scores.intervals import (
    Difference,
    Interval,
    bootstrap_differences,
    bootstrap_intervals,
    mean_over_folds,
)

__all__ = [
    "SCORES",
    "Difference",
    "Interval",
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
    "ua",
    "wa",
    "weighted_f1",
]
