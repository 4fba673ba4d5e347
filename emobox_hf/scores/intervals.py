"""How sure a score is: bootstrap intervals that resample speakers, comparisons of two systems, means over folds.

Utterances of one speaker succeed and fail together, so an interval that resamples utterances is too narrow; with
speakers at hand, whole speakers are drawn with replacement instead (the cluster bootstrap); `resampling` draws them.

Intervals are percentile intervals of the scores of one set of predictions. They tell how the score would vary with
other test speakers (or utterances); the spread over training seeds and folds is not in them. With few speakers, under
ten or so, they are known to be too narrow. In a resample that lacks a class, UA is the mean over the classes it has,
by the same rule as for the full set.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emobox_hf.errors import InputError
from emobox_hf.scores.classification import Floats, checked_labels
from emobox_hf.scores.computing import make_rows
from emobox_hf.scores.resampling import Resamples, draw_resamples
from emobox_hf.scores.table import SCORES


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A percentile interval of one score.

    Attributes:
        low: Lower bound, a fraction.
        high: Upper bound, a fraction.
        confidence: Share of the resampled scores between the bounds, say 0.95.
        unit: What was drawn with replacement, "speakers" or "utterances".
        n_units: How many of them there are.
        n_resamples: How often they were drawn.
    """

    low: float
    high: float
    confidence: float
    unit: str
    n_units: int
    n_resamples: int


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first system's score minus the second's on the same utterances, and its interval.

    An interval without 0 in it is the usual sign that the systems differ at that confidence.
    """

    difference: float
    interval: Interval


def bootstrap_intervals(
    references: npt.ArrayLike,
    predictions: npt.ArrayLike,
    n_classes: int,
    *,
    speakers: Iterable[object] | None = None,
    probabilities: npt.NDArray[np.float32] | None = None,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Percentile bootstrap intervals of all `SCORES` that the arguments suffice for, all from the same resamples.

    The result depends on the seed and on the set of utterances, not on their order, for scores of which the same holds;
    where utterances are drawn, that is for functions of the confusion matrix.

    Args:
        references: Integers (n,) from 0 to `n_classes` - 1.
        predictions: Integers (n,), likewise.
        n_classes: Size of the class set.
        speakers: One name or number an utterance (n,); speakers are drawn. None: utterances are drawn.
        probabilities: float32 (n, classes), for scores that need them.
        confidence: Between 0 and 1, exclusive.
        n_resamples: At least 1.
        seed: Of the NumPy generator.

    Raises:
        InputError: Bad labels, an utterance without a speaker, fewer than two speakers (or utterances), a confidence or
            a number of resamples that makes no sense.
    """
    _check_rule(confidence, n_resamples)
    rows = make_rows(references, predictions, n_classes, speakers=speakers, probabilities=probabilities)
    resamples = draw_resamples([rows], n_resamples, seed)
    computable = [score for score in SCORES.values() if score.is_computable(rows)]
    return {score.name: _interval(resamples.score(score), resamples, confidence) for score in computable}


def bootstrap_differences(
    references: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    n_classes: int,
    *,
    speakers: Iterable[object] | None = None,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Difference]:
    """Paired differences, `first` minus `second`, with intervals; arguments as in `bootstrap_intervals`.

    Both systems are scored on the same resamples, so what is hard for both cancels out.
    """
    _check_rule(confidence, n_resamples)
    checked, systems = checked_labels(references, [first, second], n_classes)
    named = None if speakers is None else list(speakers)
    rows = [make_rows(checked, system, n_classes, speakers=named) for system in systems]
    resamples = draw_resamples(rows, n_resamples, seed)
    computable = [score for score in SCORES.values() if score.is_computable(rows[0])]
    return {
        score.name: Difference(
            difference=float(score.compute(rows[0]) - score.compute(rows[1])),
            interval=_interval(resamples.score(score, 0) - resamples.score(score, 1), resamples, confidence),
        )
        for score in computable
    }


def mean_over_folds(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (divisor folds - 1) of one score over folds; no deviation for one fold.

    >>> mean_over_folds([0.25, 0.5, 0.75]), mean_over_folds([0.5])
    ((0.5, 0.25), (0.5, None))
    """
    if len(values) == 0:
        raise InputError("expected the score of at least one fold, found none")
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def _check_rule(confidence: float, n_resamples: int) -> None:
    if not 0 < confidence < 1:
        raise InputError(f"expected a confidence between 0 and 1, say 0.95, found {confidence}")
    if n_resamples < 1:
        raise InputError(f"expected at least one resample, found n_resamples={n_resamples}; 1000 is usual")


def _interval(values: Floats, resamples: Resamples, confidence: float) -> Interval:
    """The percentile interval of values that a score has on the resamples: the one rule of inference."""
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(
        low=float(low),
        high=float(high),
        confidence=confidence,
        unit=resamples.unit,
        n_units=resamples.n_units,
        n_resamples=len(values),
    )
