"""A table of results: printed, as Markdown, as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """A table of results: rows under named columns.

    Attributes:
        title: What the table shows.
        columns: Their names.
        rows: One cell a column; fractions are given in percent, None where there is no value.
        notes: Sentences that belong under it.
        flagged: Row and column, from 0, of cells that a note says something of; they are marked with †.
        decimals: How many of a number that is not whole are printed.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    flagged: frozenset[tuple[int, int]] = frozenset()
    decimals: int = 1

    def to_text(self) -> str:
        """Aligned columns between the title and the notes."""
        notes = ["", *self.notes] if self.notes else []
        return "\n".join([self.title, "", align([self.columns, *self._texts()]), *notes])

    def to_markdown(self) -> str:
        """A Markdown table between the title and the notes."""
        numeric = [all(isinstance(row[i], int | float | None) for row in self.rows) for i in range(len(self.columns))]
        lines = [self.columns, ["---:" if right else "---" for right in numeric], *self._texts()]
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return "\n\n".join([self.title, body, *self.notes]) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """For JSON: a row is a table of its own; a flagged cell is named by its row's first cell and its column."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        flagged = [[self.rows[row][0], self.columns[column]] for row, column in sorted(self.flagged)]
        return {"title": self.title, "rows": rows, "notes": list(self.notes), "flagged": flagged}

    def _texts(self) -> list[list[str]]:
        return [
            [show(cell, self.decimals) + (" †" if (i, j) in self.flagged else "") for j, cell in enumerate(row)]
            for i, row in enumerate(self.rows)
        ]


def show(cell: Cell, decimals: int = 1) -> str:
    """A cell as text, with decimals where it is not whole."""
    if cell is None:
        return ""
    return f"{cell:.{decimals}f}" if isinstance(cell, float) else str(cell)


def percent(fraction: float | None) -> float | None:
    """A fraction in percent."""
    return None if fraction is None else 100 * fraction


def align(rows: Sequence[Sequence[str]]) -> str:
    """Rows as lines with aligned columns; numbers to the right, the first and last column to the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    last = len(widths) - 1
    return "\n".join(
        "  ".join(
            c.ljust(w) if i in (0, last) else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
