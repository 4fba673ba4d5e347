"""The scores of predictions, all of the table at once."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from emobox_hf.errors import InputError
from emobox_hf.scores.classification import checked_labels, confusion_matrix, per_class_recall
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
        InputError: The arrays are empty, differ in length, or hold something else than such integers; an utterance has
            no speaker although speakers are given.

    >>> scores = compute_scores([0, 0, 0, 1, 1], [0, 0, 1, 1, 1], 3)
    >>> scores.recall, scores.absent_classes
    ((0.6666666666666666, 1.0, None), (2,))
    >>> round(scores.ua, 4), scores.wa, scores.macro_f1
    (0.8333, 0.8, 0.8)
    """
    rows = make_rows(references, predictions, n_classes, speakers=speakers, probabilities=probabilities)
    scores = score_confusion(confusion_matrix(rows.references, rows.predictions, n_classes))
    others = [score for score in SCORES.values() if score.of_confusion is None and score.is_computable(rows)]
    scores.values.update({score.name: float(score.compute(rows)) for score in others})
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


def make_rows(
    references: npt.ArrayLike,
    predictions: npt.ArrayLike,
    n_classes: int,
    *,
    speakers: Iterable[object] | None = None,
    probabilities: npt.NDArray[np.float32] | None = None,
) -> Rows:
    """Checked references and predictions as `Rows`; arguments and errors are those of `compute_scores`."""
    reference, (prediction,) = checked_labels(references, [predictions], n_classes)
    return Rows(
        references=reference,
        predictions=prediction,
        n_classes=n_classes,
        speakers=None if speakers is None else _checked_speakers(speakers, len(reference)),
        probabilities=probabilities,
    )


def _checked_speakers(speakers: Iterable[object], n: int) -> list[object]:
    names = list(speakers)
    if len(names) != n:
        raise InputError(f"expected one speaker for each of the {n} utterances, found {len(names)} speakers")
    # A value that differs from itself is the NaN that tables use for "missing".
    missing = [index for index, name in enumerate(names) if name is None or name == "" or name != name]
    if missing:
        raise InputError(
            f"{len(missing)} of {n} utterances have no speaker, the first at index {missing[0]}; "
            f"name every speaker, or leave speakers out"
        )
    return names
