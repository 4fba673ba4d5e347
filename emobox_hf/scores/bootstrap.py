"""The bootstrap over speakers, an option of the metric; the rule of records and reports is that of `intervals`.

Percentile intervals of scores on resamples that draw whole speakers with replacement, utterances where speakers are
unknown. Of few speakers they are too narrow: nominal 95 % cover about 80 % at 4 speakers, 85 at 5, 90 at 10. In a
resample that lacks a class, UA is the mean over the classes it has, by the same rule as for the full set.

A score that is a function of the confusion matrix sees a resample through its matrix alone, the sum of those of the
units drawn, hence all resamples at once; any other score is computed resample by resample, on the rows drawn.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emobox_hf.errors import InputError
from emobox_hf.scores.classification import Floats, checked_labels
from emobox_hf.scores.computing import make_rows
from emobox_hf.scores.intervals import Difference, Interval, check_confidence
from emobox_hf.scores.table import SCORES, Rows, Score


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


@dataclass(frozen=True, eq=False, kw_only=True)
class Resamples:
    """Bootstrap resamples of one test set, the same for one system or several.

    Attributes:
        systems: The rows of each system, all of the same utterances.
        unit: What is drawn, "speakers" or "utterances".
        n_units: How many of them there are.
        counts: int64 (resamples, groups), how many units are drawn of each group.
        groups: int64 (n,), the group of each row. A speaker is a group; of utterances, those that no system's confusion
            matrix tells apart are one.
        confusions: float64 (systems, resamples, classes, classes).
        seed: Of the draws.
    """

    systems: Sequence[Rows]
    unit: str
    n_units: int
    counts: npt.NDArray[np.int64]
    groups: npt.NDArray[np.int64]
    confusions: Floats
    seed: int

    def score(self, score: Score, system: int = 0) -> Floats:
        """The score of one system on each resample (resamples,)."""
        if score.of_confusion is not None:
            return score.of_confusion(self.confusions[system])
        return np.array([score.compute(rows) for rows in self._draw_rows(self.systems[system])])

    def _draw_rows(self, rows: Rows) -> Iterator[Rows]:
        """The rows of each resample; a speaker drawn twice is two speakers."""
        members = [np.flatnonzero(self.groups == group) for group in range(self.counts.shape[1])]
        for number, counts in enumerate(self.counts):
            if self.unit == "speakers":
                drawn = [members[group] for group in np.repeat(np.arange(len(members)), counts)]
                speakers = [copy for copy, taken in enumerate(drawn) for _ in taken]
                yield rows.take(np.concatenate(drawn), speakers=speakers)
            else:
                rng = np.random.default_rng([self.seed, number])  # every system has the same utterances
                drawn = [rng.choice(taken, count) for taken, count in zip(members, counts, strict=True)]
                yield rows.take(np.concatenate(drawn), speakers=None)


def draw_resamples(systems: Sequence[Rows], n_resamples: int, seed: int) -> Resamples:
    """Resamples that draw speakers with replacement, as many as there are; utterances where speakers are unknown.

    Raises:
        InputError: There are fewer than two of them.
    """
    rows = systems[0]
    cells = np.stack([rows.references * rows.n_classes + one.predictions for one in systems])  # (systems, n)
    if rows.speakers is not None:
        unit, groups = "speakers", _number_by_name(rows.speakers)
        n_units = int(groups.max()) + 1
        chances = np.full(n_units, 1 / n_units)
        by_group = _confusions(cells, groups, rows.n_classes)
    else:
        # Utterances that fall into the same cell of every system are alike, so drawing utterances is drawing cells.
        unit, n_units = "utterances", cells.shape[1]
        distinct, groups, sizes = np.unique(cells, axis=1, return_inverse=True, return_counts=True)
        groups, chances = groups.reshape(-1), sizes / n_units
        by_group = _confusions(distinct, np.arange(distinct.shape[1]), rows.n_classes)
    if n_units < 2:
        raise InputError(
            f"an interval needs at least two {unit} to resample, found {n_units}; "
            + ("leave speakers out to resample utterances" if rows.speakers is not None else "leave the interval out")
        )
    counts = np.random.default_rng(seed).multinomial(n_units, chances, size=n_resamples)  # (resamples, groups)
    confusions = np.einsum("rg,sgij->srij", counts.astype(np.float64), by_group, optimize=True)
    return Resamples(
        systems=systems, unit=unit, n_units=n_units, counts=counts, groups=groups, confusions=confusions, seed=seed
    )


def _confusions(cells: npt.NDArray[np.int64], groups: npt.NDArray[np.int64], n_classes: int) -> Floats:
    """Confusion matrices of each system and group, float64 (systems, groups, classes, classes).

    Args:
        cells: int64 (systems, n), reference * classes + prediction.
        groups: int64 (n,).
        n_classes: Size of the class set.
    """
    shape = (int(groups.max()) + 1, n_classes, n_classes)
    counts = [np.bincount(groups * n_classes**2 + row, minlength=shape[0] * n_classes**2) for row in cells]
    return np.stack(counts).reshape(len(cells), *shape).astype(np.float64)


def _number_by_name(names: Sequence[object]) -> npt.NDArray[np.int64]:
    """Each name as a number, int64 (n,), in the order of names, so that the order of utterances has no effect."""
    numbers = {name: number for number, name in enumerate(sorted(set(names), key=str))}
    return np.array([numbers[name] for name in names], dtype=np.int64)


def _check_rule(confidence: float, n_resamples: int) -> None:
    check_confidence(confidence)
    if n_resamples < 1:
        raise InputError(f"expected at least one resample, found n_resamples={n_resamples}; 1000 is usual")


def _interval(values: Floats, resamples: Resamples, confidence: float) -> Interval:
    """The percentile interval of values that a score has on the resamples."""
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(
        low=float(low),
        high=float(high),
        confidence=confidence,
        unit=resamples.unit,
        n_units=resamples.n_units,
        method="bootstrap",
    )
