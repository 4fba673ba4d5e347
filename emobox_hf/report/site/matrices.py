"""Tables whose cells are shaded: confusion matrices, and who trains by who tests."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from emobox_hf.report.table import Table, value_of_cell
from emobox_hf.results import RunRecord

N_SHADES = 9


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix: rows references, columns predictions.

    Attributes:
        labels: The classes.
        counts: Utterances, those of all folds and seeds.
        shares: Of each row, 0 to 1; a row of zeros where no test part has the label.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    shares: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class HeatMap:
    """A table of scores, its numbers shaded from lowest to highest.

    Attributes:
        table: The numbers.
        shades: Shade of each cell but the first of a row, 0 to `N_SHADES` - 1; None where there is no number.
        links: Stem of the page of the run of a row's and a column's name.
    """

    table: Table
    shades: tuple[tuple[int | None, ...], ...]
    links: Mapping[tuple[str, str], str]


def confusion_of(record: RunRecord) -> Matrix | None:
    """The confusion matrix of a run, folds and seeds added up; None where a fold has none."""
    if not all(fold.scores.get("confusion_matrix") for fold in record.folds):
        return None
    counts = np.sum([fold.scores["confusion_matrix"] for fold in record.folds], axis=0)  # (classes, classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return Matrix(tuple(record.labels), tuple(map(tuple, counts.tolist())), tuple(map(tuple, shares.tolist())))


def shade_share(share: float) -> int:
    """Shade of a share, 0 to 1."""
    return min(int(share * N_SHADES), N_SHADES - 1)


def shade_table(table: Table, links: Mapping[tuple[str, str], str]) -> HeatMap:
    """A table whose first column has names and whose others have numbers."""
    numbers = [[value_of_cell(cell) for cell in row[1:]] for row in table.rows]
    known = [number for row in numbers for number in row if number is not None]
    low, width = (min(known), max(known) - min(known)) if known else (0.0, 0.0)
    shades = tuple(
        tuple(None if number is None else shade_share((number - low) / width if width else 0.0) for number in row)
        for row in numbers
    )
    return HeatMap(table, shades, links)
