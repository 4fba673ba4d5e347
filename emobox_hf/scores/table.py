"""SCORES: every score that is one number. A new one is an entry here, whatever it needs, and stands in the metric, in
records and in tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emobox_hf.scores.classification import Counts, Floats, confusion_matrix, macro_f1, ua, wa, weighted_f1


@dataclass(frozen=True, eq=False, kw_only=True)
class Rows:
    """What was predicted, an utterance a row, as far as it is known.

    Attributes:
        references: True classes, int64 (n,), from 0 to `n_classes` - 1.
        predictions: Predicted classes, int64 (n,).
        n_classes: Size of the class set.
        speakers: Who speaks each; None where that is not known.
        probabilities: float32 (n, classes); None where only classes were predicted.
    """

    references: npt.NDArray[np.int64]
    predictions: npt.NDArray[np.int64]
    n_classes: int
    speakers: Sequence[object] | None = None
    probabilities: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, kw_only=True)
class Score:
    """A score that is one number.

    Attributes:
        name: In records, in the metric, on the command line.
        title: In tables.
        compute: Its value for some rows; None where they lack what it needs, such as speakers or probabilities.
        of_confusion: Where it is a function of the confusion matrix alone, that function, over leading axes; it is what
            lets thousands of resamples be scored at once.
        is_shown: Whether tables have a column of it.
    """

    name: str
    title: str
    compute: Callable[[Rows], float | None]
    of_confusion: Callable[[Counts], Floats] | None = None
    is_shown: bool = True


def _confusion_score(name: str, title: str, formula: Callable[[Counts], Floats], *, is_shown: bool = True) -> Score:
    """A score that is a function of the confusion matrix."""

    def compute(rows: Rows) -> float:
        return float(formula(confusion_matrix(rows.references, rows.predictions, rows.n_classes)))

    return Score(name=name, title=title, compute=compute, of_confusion=formula, is_shown=is_shown)


SCORES: dict[str, Score] = {
    score.name: score
    for score in (
        _confusion_score("ua", "UA", ua),
        _confusion_score("wa", "WA", wa),
        _confusion_score("macro_f1", "macro F1", macro_f1),
        _confusion_score("weighted_f1", "weighted F1", weighted_f1, is_shown=False),
    )
}
"""Every score that is one number, by name."""


def shown_scores() -> dict[str, str]:
    """Name and title of the scores that tables show."""
    return {name: score.title for name, score in SCORES.items() if score.is_shown}


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What a set of predictions scores, as plain Python values that compare and serialise.

    Attributes:
        values: Of `SCORES`, by name; a score that needs what is not there is not among them.
        recall: One a class; None where the references lack the class.
        confusion_matrix: Counts, rows references, columns predictions.
        n: Number of utterances.
        absent_classes: Classes of the set that the references lack, ascending; `ua` says nothing about them.
    """

    values: dict[str, float]
    recall: tuple[float | None, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]
    n: int
    absent_classes: tuple[int, ...]

    @property
    def ua(self) -> float:
        """Unweighted average recall over the classes that the references contain."""
        return self.values["ua"]

    @property
    def wa(self) -> float:
        """Accuracy, which is the recall weighted by support."""
        return self.values["wa"]

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the classes that the references or the predictions contain."""
        return self.values["macro_f1"]

    @property
    def weighted_f1(self) -> float:
        """Mean F1 weighted by support."""
        return self.values["weighted_f1"]
