"""How sure a score is, and how sure a difference: the one rule of inference, used by metric, records and reports.

Utterances of one speaker succeed and fail together, so what varies from one test set to another is who speaks. Each
speaker is left out in turn (the delete-one-group jackknife), and the spread of the scores without one gives the
standard error. With S speakers

    z_s = g(score without speaker s)        se^2 = (S - 1) / S * sum over s of (z_s - mean of z)^2
    interval = g^-1( g(score) -+ t(S - 1) * se )

where g is the logit for a score between 0 and 1, so that no interval leaves that range, and the identity for any other
score and for differences. t(S - 1) is the quantile of Student's distribution with S - 1 degrees of freedom; it is what
makes intervals of few speakers wide enough, which percentiles of a bootstrap over speakers are not. Where every speaker
says the same number of utterances of each class, the interval of a difference in UA is that of a paired t-test over
speakers; where not, a speaker weighs as much as UA gives them.

Simulated (`benchmarks/perf/coverage.py`), 95 % intervals hold the truth in 94 to 96 % of test sets of 4 to 90 speakers.
Of three speakers or fewer nothing is estimated. An interval tells how a score would vary with other test speakers; how
it varies with the seed of training and with the draw of the validation part is the deviation over seeds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emobox_hf.errors import InputError
from emobox_hf.scores.classification import Floats, checked_labels
from emobox_hf.scores.computing import make_rows
from emobox_hf.scores.jackknife import delete_one
from emobox_hf.scores.table import SCORES, Rows, Score

FEWEST_UNITS = 4  # of three speakers an interval of a UA is 40 to 140 points wide, which helps nobody
POWER = 0.8  # of the smallest difference that counts as detectable


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A confidence interval of one score, or of a difference between two.

    Attributes:
        low: Lower bound; a fraction for scores that are fractions. None where there are too few units.
        high: Upper bound, likewise.
        confidence: Share of test sets whose interval holds the truth, say 0.95.
        unit: What the test set is a sample of, "speakers" or "utterances".
        n_units: How many of them there are.
        method: `jackknife-t`, or `bootstrap` where that was asked for.
    """

    low: float | None
    high: float | None
    confidence: float
    unit: str
    n_units: int
    method: str = "jackknife-t"

    @property
    def is_estimable(self) -> bool:
        """Whether there were units enough."""
        return self.low is not None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first system's score minus the second's on the same utterances.

    Attributes:
        difference: Of the scores, a fraction for scores that are fractions.
        interval: Its interval; without bounds where there are too few units, or where both predict the same.
        p_value: Two-sided, of no difference; None where the interval has no bounds, or is a bootstrap's.
        detectable: The smallest true difference that would be found with a probability of `POWER`; likewise.
    """

    difference: float
    interval: Interval
    p_value: float | None = None
    detectable: float | None = None


def score_intervals(
    references: npt.ArrayLike,
    predictions: npt.ArrayLike,
    n_classes: int,
    *,
    speakers: Iterable[object] | None = None,
    probabilities: npt.NDArray[np.float32] | None = None,
    confidence: float = 0.95,
) -> dict[str, Interval]:
    """Intervals of all `SCORES` that the arguments suffice for, of one set of predictions.

    Args:
        references: Integers (n,) from 0 to `n_classes` - 1.
        predictions: Integers (n,), likewise.
        n_classes: Size of the class set.
        speakers: One name or number an utterance (n,). None: utterances stand for themselves, which is too narrow
            wherever several are of one speaker.
        probabilities: float32 (n, classes), for scores that need them.
        confidence: Between 0 and 1, exclusive.

    Raises:
        InputError: Bad labels, an utterance without a speaker, a confidence that makes no sense.
    """
    rows = make_rows(references, predictions, n_classes, speakers=speakers, probabilities=probabilities)
    units = [_unit_names(rows)]
    computable = [score for score in SCORES.values() if score.is_computable(rows)]
    return {score.name: estimate(score, [rows], units, confidence=confidence)[1] for score in computable}


def score_differences(
    references: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    n_classes: int,
    *,
    speakers: Iterable[object] | None = None,
    confidence: float = 0.95,
) -> dict[str, Difference]:
    """Paired differences, `first` minus `second`, of all `SCORES`; arguments as in `score_intervals`.

    A speaker is left out of both systems at once, so what is hard for both cancels out.
    """
    checked, systems = checked_labels(references, [first, second], n_classes)
    named = None if speakers is None else list(speakers)
    rows = [make_rows(checked, system, n_classes, speakers=named) for system in systems]
    units = [_unit_names(rows[0])]
    computable = [score for score in SCORES.values() if score.is_computable(rows[0])]
    return {
        score.name: estimate_difference(score, rows[:1], rows[1:], units, units, confidence=confidence)
        for score in computable
    }


def estimate(
    score: Score, parts: Sequence[Rows], units: Sequence[Sequence[object]], *, confidence: float = 0.95
) -> tuple[float, Interval]:
    """A score's mean over parts, such as the folds and seeds of a run, and its interval.

    A unit is left out of every part that has it. A part that holds nothing else is then left out of the mean.

    Args:
        score: What is computed of each part.
        parts: Rows of each.
        units: For each part the unit of each of its rows: speakers, or where those are unknown utterances.
        confidence: Between 0 and 1, exclusive.
    """
    check_confidence(confidence)
    deleted = delete_one(score, parts, units)
    unit = _name_of_unit(parts)
    if len(deleted.without) < FEWEST_UNITS:
        return deleted.whole, Interval(
            low=None, high=None, confidence=confidence, unit=unit, n_units=len(deleted.without)
        )
    if score.in_percent:
        edge = 1 / (2 * sum(len(rows.references) for rows in parts))  # half an utterance from 0 and from 1
        bounds = _bounds(float(_logit(deleted.whole, edge)), _logit(deleted.without, edge), confidence)
        low, high = map(_from_logit, bounds)
        low, high = min(low, deleted.whole), max(high, deleted.whole)  # a score of 0 or 1 lies beyond the edge
    else:
        low, high = _bounds(deleted.whole, deleted.without, confidence)
    interval = Interval(low=low, high=high, confidence=confidence, unit=unit, n_units=len(deleted.without))
    return deleted.whole, interval


def estimate_difference(
    score: Score,
    first: Sequence[Rows],
    second: Sequence[Rows],
    first_units: Sequence[Sequence[object]],
    second_units: Sequence[Sequence[object]],
    *,
    confidence: float = 0.95,
) -> Difference:
    """The difference of a score's means over the parts of two systems, paired by unit; arguments as in `estimate`.

    Raises:
        InputError: The two were not tested on the same units.
    """
    check_confidence(confidence)
    one, other = delete_one(score, first, first_units), delete_one(score, second, second_units)
    if one.units != other.units:
        differing = sorted(map(str, set(one.units) ^ set(other.units)))
        raise InputError(
            f"a paired difference needs the same {_name_of_unit(first)} on both sides; {len(differing)} are on one "
            f"alone, such as {differing[0]}"
        )
    difference, without = one.whole - other.whole, one.without - other.without
    known = {"confidence": confidence, "unit": _name_of_unit(first), "n_units": len(without)}
    error = _standard_error(without)
    if len(without) < FEWEST_UNITS or (difference == 0 and error == 0):
        return Difference(difference=difference, interval=Interval(low=None, high=None, **known))  # type: ignore[arg-type]
    low, high = _bounds(difference, without, confidence)
    return Difference(
        difference=difference,
        interval=Interval(low=low, high=high, **known),  # type: ignore[arg-type]
        p_value=_p_value(difference, error, len(without) - 1),
        detectable=(_quantile((1 + confidence) / 2, len(without) - 1) + _quantile(POWER, len(without) - 1)) * error,
    )


def check_confidence(confidence: float) -> None:
    """Refuse, as InputError, a confidence that no interval has."""
    if not 0 < confidence < 1:
        raise InputError(f"expected a confidence between 0 and 1, say 0.95, found {confidence}")


def mean_over_folds(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (divisor folds - 1) of one score over folds; no deviation for one fold.

    >>> mean_over_folds([0.25, 0.5, 0.75]), mean_over_folds([0.5])
    ((0.5, 0.25), (0.5, None))
    """
    if len(values) == 0:
        raise InputError("expected the score of at least one fold, found none")
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def _unit_names(rows: Rows) -> Sequence[object]:
    return rows.speakers if rows.speakers is not None else range(len(rows.references))


def _name_of_unit(parts: Sequence[Rows]) -> str:
    return "speakers" if all(rows.speakers is not None for rows in parts) else "utterances"


def _bounds(whole: float, without: Floats, confidence: float) -> tuple[float, float]:
    reach = _quantile((1 + confidence) / 2, len(without) - 1) * _standard_error(without)
    return whole - reach, whole + reach


def _standard_error(without: Floats) -> float:
    """Of the whole, from the values without each unit."""
    n_units = len(without)
    return float(np.sqrt((n_units - 1) / n_units * np.square(without - without.mean()).sum()))


def _quantile(share: float, degrees: int) -> float:
    """Of Student's t; scipy.special is a fifth of scipy.stats to import."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, share))


def _p_value(difference: float, error: float, degrees: int) -> float:
    from scipy.special import stdtr

    return float(2 * stdtr(degrees, -abs(difference) / error)) if error else 0.0


def _logit(values: Floats | float, edge: float) -> Floats:
    clipped = np.clip(values, edge, 1 - edge)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _from_logit(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))
