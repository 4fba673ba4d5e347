"""A score with each speaker left out in turn, the raw material of intervals (`intervals` says what is made of it)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emobox_hf.scores.classification import Floats
from emobox_hf.scores.table import Rows, Score

AT_ONCE = 4096  # confusion matrices; of 35,000 utterances and 12 classes all would be 40 MB for each part


@dataclass(frozen=True, eq=False)
class DeletedOne:
    """A mean over parts, and the same without each unit.

    Attributes:
        whole: With all of them.
        without: float64 (units,).
        units: Their names, in that order.
    """

    whole: float
    without: Floats
    units: list[object]


def delete_one(score: Score, parts: Sequence[Rows], units: Sequence[Sequence[object]]) -> DeletedOne:
    """The mean of a score over parts, and without each unit; the order of rows has no effect.

    Args:
        score: What is computed of each part.
        parts: Rows of each.
        units: For each part the unit of each of its rows.
    """
    names = sorted(set().union(*units), key=str)
    number_of = {name: number for number, name in enumerate(names)}
    values = np.empty((len(parts), len(names)))
    whole = np.empty(len(parts))
    for index, (rows, named) in enumerate(zip(parts, units, strict=True)):
        numbers = np.fromiter(map(number_of.__getitem__, named), dtype=np.int64, count=len(named))
        whole[index] = score.compute(rows)
        values[index] = whole[index]  # without a unit that the part lacks
        is_present = np.bincount(numbers, minlength=len(names)) > 0
        places = np.cumsum(is_present) - 1  # of each unit among those present
        values[index, is_present] = _without_each(score, rows, places[numbers], int(is_present.sum()))
    counted = ~np.isnan(values)
    sums = np.where(counted, values, 0.0).sum(axis=0)
    return DeletedOne(float(whole.mean()), sums / np.maximum(counted.sum(axis=0), 1), names)


def _without_each(score: Score, rows: Rows, places: npt.NDArray[np.int64], n_units: int) -> Floats:
    """The score of one part without each of its units (units,), NaN where nothing is left."""
    if n_units == 1:
        return np.full(1, np.nan)
    if score.terms is not None and score.of_sums is not None:
        terms = score.terms(rows)
        sums = np.zeros((n_units, terms.shape[1]))
        np.add.at(sums, places, terms)
        return score.of_sums(terms.sum(axis=0) - sums)
    if score.of_confusion is None:
        kept = (np.flatnonzero(places != unit) for unit in range(n_units))
        speakers = rows.speakers
        return np.array(
            [
                score.compute(rows.take(some, speakers=None if speakers is None else [speakers[int(i)] for i in some]))
                for some in kept
            ]
        )
    n_cells = rows.n_classes**2
    cells = rows.references * rows.n_classes + rows.predictions
    total = np.bincount(cells, minlength=n_cells).astype(np.float64)
    values = []
    for first in range(0, n_units, AT_ONCE):
        last = min(first + AT_ONCE, n_units)
        taken = slice(None) if last - first == n_units else (first <= places) & (places < last)
        flat = (places[taken] - first) * n_cells + cells[taken]
        own = np.bincount(flat, minlength=(last - first) * n_cells).reshape(last - first, n_cells)
        values.append(score.of_confusion((total - own).reshape(-1, rows.n_classes, rows.n_classes)))
    return np.concatenate(values)
