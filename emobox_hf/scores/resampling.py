"""Bootstrap resamples of a test set, over speakers or utterances, and the scores of each.

A score that is a function of the confusion matrix sees a resample through its matrix alone, the sum of those of the
units drawn, hence all resamples at once; any other score is computed resample by resample, on the rows drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emobox_hf.errors import InputError
from emobox_hf.scores.classification import Floats
from emobox_hf.scores.table import Rows, Score


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
