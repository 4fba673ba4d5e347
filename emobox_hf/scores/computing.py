"""The scores of some predictions."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from emobox_hf.scores.classification import confusion_matrix, per_class_recall
from emobox_hf.scores.table import SCORES, Rows, Scores


def compute_scores(
    references: npt.ArrayLike,
    predictions: npt.ArrayLike,
    n_classes: int,
    *,
    speakers: Iterable[object] | None = None,
    probabilities: npt.NDArray[np.float32] | None = None,
) -> Scores:
    """The scores of `predictions` (n,) against `references` (n,), integers from 0 to `n_classes` - 1.

    Args:
        references: True classes.
        predictions: Predicted classes.
        n_classes: Size of the class set.
        speakers: Who speaks each utterance (n,), for scores that need it.
        probabilities: float32 (n, classes), likewise.

    Raises:
        InputError: The arrays are empty, differ in length, or hold something else than such integers.

    >>> scores = compute_scores([0, 0, 0, 1, 1], [0, 0, 1, 1, 1], 3)
    >>> scores.recall, scores.absent_classes
    ((0.6666666666666666, 1.0, None), (2,))
    >>> round(scores.ua, 4), scores.wa, scores.macro_f1
    (0.8333, 0.8, 0.8)
    """
    confusion = confusion_matrix(references, predictions, n_classes)
    scores = score_confusion(confusion)
    rows = Rows(
        references=np.asarray(references, dtype=np.int64),
        predictions=np.asarray(predictions, dtype=np.int64),
        n_classes=n_classes,
        speakers=None if speakers is None else list(speakers),
        probabilities=probabilities,
    )
    others = {name: score.compute(rows) for name, score in SCORES.items() if score.of_confusion is None}
    scores.values.update({name: value for name, value in others.items() if value is not None})
    return scores


def score_confusion(confusion: npt.NDArray[np.int64]) -> Scores:
    """The scores of one confusion matrix (classes, classes), say the sum of several folds' matrices."""
    recall = per_class_recall(confusion)
    formulas = {name: score.of_confusion for name, score in SCORES.items() if score.of_confusion is not None}
    return Scores(
        values={name: float(formula(confusion)) for name, formula in formulas.items()},
        recall=tuple(None if np.isnan(value) else float(value) for value in recall),
        confusion_matrix=tuple(tuple(int(count) for count in row) for row in confusion),
        n=int(confusion.sum()),
        absent_classes=tuple(int(index) for index in np.flatnonzero(np.isnan(recall))),
    )
