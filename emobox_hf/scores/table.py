"""SCORES: every score that is one number; an entry here stands in the metric, in intervals, records and tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
import numpy.typing as npt

from emobox_hf.scores.calibration import N_BINS, bin_terms, calibration_error, squared_error, true_class_log
from emobox_hf.scores.classification import Counts, Floats, confusion_matrix, macro_f1, ua, wa, weighted_f1


@dataclass(frozen=True, eq=False, kw_only=True)
class Rows:
    """References, predictions and what else is known of some utterances, one a row.

    What a score of another kind needs, such as the values that a regression head gives, is a field here that is None
    for classifiers, and stands in the `needs` of that score.

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

    def take(self, rows: npt.NDArray[np.int64], *, speakers: Sequence[object] | None) -> "Rows":
        """Some of the rows, one perhaps several times, with `speakers` in place of theirs."""
        return replace(
            self,
            references=self.references[rows],
            predictions=self.predictions[rows],
            speakers=speakers,
            probabilities=None if self.probabilities is None else self.probabilities[rows],
        )


@dataclass(frozen=True, kw_only=True)
class Score:
    """A score that is one number.

    Attributes:
        name: In records, in the metric, on the command line.
        title: In tables.
        text: What it is, for the metric's documentation.
        compute: Its value for some rows.
        needs: Fields of `Rows` beside the classes, such as `speakers`; where one is None the score is left out.
        of_confusion: Where it is a function of the confusion matrix alone, that function, over leading axes; it is what
            lets thousands of resamples be scored at once.
        terms: Where it is a function of sums over utterances, what each adds, float64 (n, terms).
        of_sums: That function, of sums (..., terms).
        in_percent: Whether it is a fraction that tables show in percent.
        higher_is_better: Whether it is, which tables say where it is not.
        is_shown: Whether tables have a column of it.
    """

    name: str
    title: str
    text: str
    compute: Callable[[Rows], float]
    needs: tuple[str, ...] = ()
    of_confusion: Callable[[Counts], Floats] | None = None
    terms: Callable[[Rows], Floats] | None = None
    of_sums: Callable[[Floats], Floats] | None = None
    in_percent: bool = True
    higher_is_better: bool = True
    is_shown: bool = True

    @property
    def full_text(self) -> str:
        """What it is, and what it needs, for the metric's documentation."""
        given = " and ".join(f"`{name}`" for name in self.needs)
        return f"{self.text} Only with {given}." if given else self.text

    @property
    def caption(self) -> str:
        """Its title with unit and direction, for the heading of a table: `UA in percent`."""
        unit = " in percent" if self.in_percent else ""
        return f"{self.title}{unit}{'' if self.higher_is_better else ' (lower is better)'}"

    @property
    def decimals(self) -> int:
        """How many decimals tables show."""
        return 1 if self.in_percent else 3

    @overload
    def scale(self, value: float) -> float: ...

    @overload
    def scale(self, value: float | None) -> float | None: ...

    def scale(self, value: float | None) -> float | None:
        """A value as tables show it: a fraction in percent."""
        return 100 * value if value is not None and self.in_percent else value

    def is_computable(self, rows: Rows) -> bool:
        """Whether the rows hold all that the score needs."""
        return all(getattr(rows, name) is not None for name in self.needs)


def _confusion_score(
    name: str, title: str, text: str, formula: Callable[[Counts], Floats], *, is_shown: bool = True
) -> Score:
    """A score that is a function of the confusion matrix."""

    def compute(rows: Rows) -> float:
        return float(formula(confusion_matrix(rows.references, rows.predictions, rows.n_classes)))

    return Score(name=name, title=title, text=text, compute=compute, of_confusion=formula, is_shown=is_shown)


def _probability_score(
    name: str,
    title: str,
    text: str,
    terms: Callable[[npt.NDArray[np.float32], Rows], Floats],
    of_sums: Callable[[Floats], Floats],
) -> Score:
    """A score of probabilities that is a function of sums over utterances; lower is better."""

    def list_terms(rows: Rows) -> Floats:
        assert rows.probabilities is not None
        return terms(rows.probabilities, rows)

    return Score(
        name=name,
        title=title,
        text=text,
        compute=lambda rows: float(of_sums(list_terms(rows).sum(axis=0))),
        needs=("probabilities",),
        terms=list_terms,
        of_sums=of_sums,
        in_percent=False,
        higher_is_better=False,
        is_shown=False,
    )


def _mean_of(values: Floats) -> Floats:
    """Terms of a mean: the values, and how many there are."""
    return np.stack([values, np.ones_like(values)], axis=1)


def _mean(sums: Floats) -> Floats:
    return np.asarray(sums[..., 0] / sums[..., 1])


SCORES: dict[str, Score] = {
    score.name: score
    for score in (
        _confusion_score(
            "ua",
            "UA",
            "mean recall of the classes that the references contain; chance is 1 / number of classes.",
            ua,
        ),
        _confusion_score("wa", "WA", "accuracy.", wa),
        _confusion_score(
            "macro_f1",
            "macro F1",
            "mean F1 of the classes that the references or the predictions contain. A class that is predicted but "
            "never a reference counts as 0; a label that occurs on neither side does not count.",
            macro_f1,
        ),
        _confusion_score(
            "weighted_f1",
            "weighted F1",
            "mean F1 weighted by the number of references.",
            weighted_f1,
            is_shown=False,
        ),
        _probability_score(
            "nll",
            "NLL",
            "mean of minus the logarithm of the true class's probability, in nats.",
            lambda probabilities, rows: _mean_of(true_class_log(probabilities, rows.references)),
            _mean,
        ),
        _probability_score(
            "brier",
            "Brier",
            "mean squared distance of the probabilities from the true class's one-hot vector, 0 to 2.",
            lambda probabilities, rows: _mean_of(squared_error(probabilities, rows.references)),
            _mean,
        ),
        _probability_score(
            "ece",
            "ECE",
            f"expected calibration error: how far confidence and accuracy are apart, over {N_BINS} bins of confidence.",
            lambda probabilities, rows: bin_terms(probabilities, rows.references == rows.predictions),
            calibration_error,
        ),
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
