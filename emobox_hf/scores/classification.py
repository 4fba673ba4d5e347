"""Formulas of single-label classification, every one a function of the confusion matrix.

A confusion matrix here is (..., classes, classes), integer or float counts: rows are references, columns predictions,
and leading axes (folds, bootstrap resamples) pass through, so one formula serves one matrix and ten thousand. Every
matrix holds at least one utterance. Scores are fractions, 0 to 1. Where scikit-learn has the figure, the definition is
its own; what it does about classes that do not occur is stated at each function.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from emobox_hf.errors import InputError, first_five

Counts = npt.NDArray[np.number[Any]]
Floats = npt.NDArray[np.float64]


def confusion_matrix(references: npt.ArrayLike, predictions: npt.ArrayLike, n_classes: int) -> npt.NDArray[np.int64]:
    """Counts int64 (classes, classes), rows references, columns predictions; raises as `computing.compute_scores` does.

    >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2).tolist()
    [[1, 1], [0, 1]]
    """
    reference, (prediction,) = checked_labels(references, [predictions], n_classes)
    cells = np.bincount(reference * n_classes + prediction, minlength=n_classes**2)
    return cells.reshape(n_classes, n_classes).astype(np.int64)


def ua(confusion: Counts) -> Floats:
    """Unweighted average recall (...): the mean recall of the classes with references, `balanced_accuracy_score`."""
    recall = per_class_recall(confusion)
    present = ~np.isnan(recall)
    return np.asarray(np.where(present, recall, 0.0).sum(axis=-1) / present.sum(axis=-1), dtype=np.float64)


def wa(confusion: Counts) -> Floats:
    """Accuracy (...), `accuracy_score`."""
    return np.asarray(_hits(confusion).sum(axis=-1) / confusion.sum(axis=(-2, -1)), dtype=np.float64)


def macro_f1(confusion: Counts) -> Floats:
    """Mean F1 (...) over the classes that references or predictions contain: `f1_score(average="macro")`.

    So a class that is predicted but never a reference counts with F1 0, and a class of the set that occurs on neither
    side does not count, exactly as in scikit-learn with `labels=None`.
    """
    occurs = per_class_support(confusion) + confusion.sum(axis=-2) > 0
    return np.asarray(per_class_f1(confusion).sum(axis=-1) / occurs.sum(axis=-1), dtype=np.float64)


def weighted_f1(confusion: Counts) -> Floats:
    """Mean F1 (...) weighted by support: `f1_score(average="weighted")`; classes without references weigh nothing."""
    support = per_class_support(confusion)
    return np.asarray((per_class_f1(confusion) * support).sum(axis=-1) / support.sum(axis=-1), dtype=np.float64)


def per_class_recall(confusion: Counts) -> Floats:
    """Recall (..., classes); NaN where a class has no reference, because no value would be right."""
    return _ratio(_hits(confusion), per_class_support(confusion), empty=np.nan)


def per_class_precision(confusion: Counts) -> Floats:
    """Precision (..., classes); 0 where a class is never predicted, as scikit-learn's `zero_division=0`."""
    return _ratio(_hits(confusion), confusion.sum(axis=-2), empty=0.0)


def per_class_f1(confusion: Counts) -> Floats:
    """F1 (..., classes), 2 hits / (references + predictions); 0 where a class occurs on neither side."""
    return _ratio(2 * _hits(confusion), per_class_support(confusion) + confusion.sum(axis=-2), empty=0.0)


def per_class_support(confusion: Counts) -> Counts:
    """Number of references (..., classes)."""
    support: Counts = confusion.sum(axis=-1)
    return support


def kappa(confusion: Counts) -> Floats:
    """Cohen's kappa (...): agreement beyond what the two sides' class frequencies give by chance; NaN if that is 1."""
    total = confusion.sum(axis=(-2, -1))
    expected = (confusion.sum(axis=-1) * confusion.sum(axis=-2)).sum(axis=-1) / total**2
    return _ratio(wa(confusion) - expected, np.asarray(1 - expected), empty=np.nan)


def checked_labels(
    references: npt.ArrayLike, systems: list[npt.ArrayLike], n_classes: int
) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[np.int64]]]:
    """References (n,) and each system's predictions (n,) as int64, or an InputError that says what is wrong."""
    if n_classes < 1:
        raise InputError(f"expected a number of classes of at least 1, found {n_classes}")
    names = ["predictions"] if len(systems) == 1 else [f"predictions of system {i + 1}" for i in range(len(systems))]
    reference = _checked_column("references", references, n_classes)
    columns = []
    for name, system in zip(names, systems, strict=True):
        column = _checked_column(name, system, n_classes)
        if len(column) != len(reference):
            raise InputError(
                f"expected one prediction for each reference, found {len(column)} {name} and {len(reference)} "
                f"references; pass both for the same utterances in the same order"
            )
        columns.append(column)
    return reference, columns


def _checked_column(name: str, values: npt.ArrayLike, n_classes: int) -> npt.NDArray[np.int64]:
    column = np.asarray(values)
    if column.size == 0:
        raise InputError(f"{name} are empty; at least one utterance is needed for a score")
    if column.ndim != 1 or column.dtype.kind not in "iu":
        raise InputError(
            f"expected {name} as whole numbers in one dimension, found {column.dtype} with shape {column.shape}; "
            f"turn probabilities into classes with argmax(axis=-1)"
        )
    outside = column[(column < 0) | (column >= n_classes)]
    if outside.size:
        raise InputError(
            f"expected {name} from 0 to {n_classes - 1} ({n_classes} classes), found {first_five(np.unique(outside))}; "
            f"give the number of classes of the whole set, or map the labels to it"
        )
    return column.astype(np.int64)


def _hits(confusion: Counts) -> Counts:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _ratio(numerator: Counts, denominator: Counts, *, empty: float) -> Floats:
    result = np.full(np.shape(numerator), empty)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result
