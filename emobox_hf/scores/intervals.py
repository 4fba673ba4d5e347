"""How sure a score is: bootstrap intervals that resample speakers, comparisons of two systems, means over folds.

Utterances of one speaker succeed and fail together, so an interval that resamples utterances is too narrow; with
speakers at hand, whole speakers are drawn with replacement instead (the cluster bootstrap). A resample is only ever
seen through its confusion matrix, the sum of those of the units drawn, hence no loop over resamples.

Intervals are percentile intervals of the scores of one set of predictions. They tell how the score would vary with
other test speakers (or utterances); the spread over training seeds and folds is not in them. With few speakers, under
ten or so, they are known to be too narrow. In a resample that lacks a class, UA is the mean over the classes it has,
by the same rule as for the full set.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emobox_hf.errors import InputError
from emobox_hf.scores.classification import Counts, Floats, checked_labels, confusion_matrix
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
    confidence: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """One interval for each of `SCORES` that the confusion matrix gives, all from the same resamples.

    The result depends on the seed and on the set of utterances, not on their order.

    Args:
        references: Integers (n,) from 0 to `n_classes` - 1.
        predictions: Integers (n,), likewise.
        n_classes: Size of the class set.
        speakers: One name or number an utterance (n,); speakers are drawn. None: utterances are drawn.
        confidence: Between 0 and 1, exclusive.
        n_resamples: At least 1.
        seed: Of the NumPy generator.

    Raises:
        InputError: Bad labels, an utterance without a speaker, fewer than two speakers (or utterances), a confidence or
            a number of resamples that makes no sense.
    """
    resamples, unit, n_units = _resample(references, [predictions], n_classes, speakers, confidence, n_resamples, seed)
    return {
        name: _interval(score(resamples[0]), confidence=confidence, unit=unit, n_units=n_units)
        for name, score in _formulas().items()
    }


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
    """The paired difference `first` minus `second` for each of them; arguments as in `bootstrap_intervals`.

    Both systems are scored on the same resamples, so what is hard for both cancels out.
    """
    systems = [first, second]
    resamples, unit, n_units = _resample(references, systems, n_classes, speakers, confidence, n_resamples, seed)
    full = [confusion_matrix(references, system, n_classes) for system in systems]
    return {
        name: Difference(
            difference=float(score(full[0]) - score(full[1])),
            interval=_interval(
                score(resamples[0]) - score(resamples[1]), confidence=confidence, unit=unit, n_units=n_units
            ),
        )
        for name, score in _formulas().items()
    }


def _formulas() -> Mapping[str, Callable[[Counts], Floats]]:
    """The scores that a confusion matrix gives: a resample is seen through its matrix alone."""
    return {name: score.of_confusion for name, score in SCORES.items() if score.of_confusion is not None}


def mean_over_folds(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (divisor folds - 1) of one score over folds; no deviation for one fold.

    >>> mean_over_folds([0.25, 0.5, 0.75]), mean_over_folds([0.5])
    ((0.5, 0.25), (0.5, None))
    """
    if len(values) == 0:
        raise InputError("expected the score of at least one fold, found none")
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def _resample(
    references: npt.ArrayLike,
    systems: list[npt.ArrayLike],
    n_classes: int,
    speakers: Iterable[object] | None,
    confidence: float,
    n_resamples: int,
    seed: int,
) -> tuple[Floats, str, int]:
    """Confusion matrices float64 (systems, resamples, classes, classes), what was drawn, and how many there are."""
    if not 0 < confidence < 1:
        raise InputError(f"expected a confidence between 0 and 1, say 0.95, found {confidence}")
    if n_resamples < 1:
        raise InputError(f"expected at least one resample, found n_resamples={n_resamples}; 1000 is usual")
    reference, predictions = checked_labels(references, systems, n_classes)
    cells = np.stack([reference * n_classes + prediction for prediction in predictions])  # (systems, n)
    if speakers is not None:
        unit, group = "speakers", _speaker_numbers(speakers, len(reference))
        n_units = int(group.max()) + 1
        chances = np.full(n_units, 1 / n_units)
    else:
        # Utterances that fall into the same cell of every system are alike, so drawing utterances is drawing cells.
        unit, n_units = "utterances", len(reference)
        cells, counts = np.unique(cells, axis=1, return_counts=True)
        group, chances = np.arange(cells.shape[1]), counts / n_units
    if n_units < 2:
        raise InputError(
            f"an interval needs at least two {unit} to resample, found {n_units}; "
            + ("leave speakers out to resample utterances" if speakers is not None else "leave the interval out")
        )
    draws = np.random.default_rng(seed).multinomial(n_units, chances, size=n_resamples)  # (resamples, groups)
    confusions = np.stack([_confusions(cell, group, n_classes) for cell in cells])  # (systems, groups, classes, ...)
    return np.einsum("rg,sgij->srij", draws.astype(np.float64), confusions, optimize=True), unit, n_units


def _confusions(cells: npt.NDArray[np.int64], groups: npt.NDArray[np.int64], n_classes: int) -> npt.NDArray[np.float64]:
    """One confusion matrix a group, float64 (groups, classes, classes); a cell is reference * classes + prediction."""
    n_groups = int(groups.max()) + 1
    counts = np.bincount(groups * n_classes**2 + cells, minlength=n_groups * n_classes**2)
    return counts.reshape(n_groups, n_classes, n_classes).astype(np.float64)


def _speaker_numbers(speakers: Iterable[object], n: int) -> npt.NDArray[np.int64]:
    """int64 (n,): each utterance's speaker as 0, 1, …, numbered by name so that order of utterances has no effect."""
    names = list(speakers)
    if len(names) != n:
        raise InputError(f"expected one speaker for each of the {n} utterances, found {len(names)} speakers")
    # A value that differs from itself is the NaN that tables use for "missing".
    missing = [index for index, name in enumerate(names) if name is None or name == "" or name != name]
    if missing:
        raise InputError(
            f"{len(missing)} of {n} utterances have no speaker, the first at index {missing[0]}; "
            f"name every speaker, or leave speakers out to resample utterances"
        )
    numbers = {name: number for number, name in enumerate(sorted(set(names), key=str))}
    return np.array([numbers[name] for name in names], dtype=np.int64)


def _interval(resampled: Floats, *, confidence: float, unit: str, n_units: int) -> Interval:
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(
        low=float(low),
        high=float(high),
        confidence=confidence,
        unit=unit,
        n_units=n_units,
        n_resamples=len(resampled),
    )
