"""A table of results: printed, as Markdown, LaTeX, CSV or JSON."""

import csv
import html
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from emobox_hf.text import show_text, write_cell


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; without bounds where none can be estimated."""

    value: float
    low: float | None
    high: float | None


Cell = str | int | float | Estimate | None

NOT_ESTIMABLE = "[n.e.]: not estimable, from three test speakers or fewer (of a mean: in one of its corpora)"
_LATEX = str.maketrans(
    {char: f"\\{char}" for char in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"†": r"$\dagger$", "‡": r"$\ddagger$"}
)
# What would begin a tag, a link or a cell.
_MARKDOWN = re.compile(r"<|(?<=\])\(|\|")


@dataclass(frozen=True)
class Table:
    """A table of results: rows under named columns.

    Attributes:
        title: What the table shows.
        columns: Their names.
        rows: One cell a column; fractions are given in percent, None where there is no value.
        notes: Sentences that belong under it.
        marks: Row and column, from 0, of cells that a note says something of, and the marks they bear.
        decimals: How many of a number that is not whole are printed.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    marks: Mapping[tuple[int, int], str] = field(default_factory=dict)
    decimals: int = 1

    def to_text(self) -> str:
        """Aligned columns between the title and the notes."""
        notes = ["", *self._notes()] if self._notes() else []
        return "\n".join([_in_one_line(self.title), "", align([self._titles(), *self._texts()]), *notes])

    def to_markdown(self) -> str:
        """A Markdown table between the title and the notes."""
        rule = ["---:" if right else "---" for right in self._are_numeric()]
        head, *rows = ([_to_markdown(cell) for cell in line] for line in [self._titles(), *self._texts()])
        body = "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *rows])
        return "\n\n".join([_to_markdown(_in_one_line(self.title)), body, *map(_to_markdown, self._notes())]) + "\n"

    def to_latex(self) -> str:
        """A LaTeX table with booktabs' rules, the title as its caption, the notes below."""
        head, *body = (" & ".join(cell.translate(_LATEX) for cell in line) for line in [self._titles(), *self._texts()])
        aligned = "".join("r" if right else "l" for right in self._are_numeric())
        notes = [rf"\par\footnotesize {note.translate(_LATEX)}" for note in self._notes()]
        lines = [
            r"\begin{table}",
            rf"\caption{{{_in_one_line(self.title).translate(_LATEX)}}}",
            rf"\begin{{tabular}}{{{aligned}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            *(rf"{line} \\" for line in body),
            r"\bottomrule",
            r"\end{tabular}",
            *notes,
            r"\end{table}",
        ]
        return "\n".join(lines) + "\n"

    def to_csv(self) -> str:
        """Comma-separated values, in full; an estimate is three columns, the last column has a row's marks."""
        text = io.StringIO()
        columns, rows = self._flat()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*map(_to_csv, columns), *(["marks"] if self.marks else [])])
        for number, row in enumerate(rows):
            marks = (f"{self.columns[j]}: {mark}" for (i, j), mark in sorted(self.marks.items()) if i == number)
            writer.writerow([*map(_to_csv, row), *(["; ".join(marks)] if self.marks else [])])
        return text.getvalue()

    def to_html(self) -> str:
        """An HTML table with the title as its caption, the notes below."""
        tags = ["right" if right else "left" for right in self._are_numeric()]

        def line(tag: str, cells: Sequence[str]) -> str:
            inner = (
                f'<{tag} style="text-align: {side}">{html.escape(cell)}</{tag}>'
                for side, cell in zip(tags, cells, strict=True)
            )
            return f"<tr>{''.join(inner)}</tr>"

        head, body = line("th", self.columns), "".join(line("td", one) for one in self._texts())
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self._notes())
        caption = f"<caption>{html.escape(self.title)}</caption>"
        return f"<table>{caption}<thead>{head}</thead><tbody>{body}</tbody></table>{notes}"

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_pandas(self) -> Any:
        """A data frame, in full; an estimate is three columns."""
        import pandas as pd

        columns, rows = self._flat()
        return pd.DataFrame(rows, columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: a row is a table of its own; a marked cell is named by its row's first cell and its column."""
        columns, rows = self._flat()
        marks = [
            {"row": self.rows[i][0], "column": self.columns[j], "marks": mark}
            for (i, j), mark in sorted(self.marks.items())
        ]
        return {
            "title": self.title,
            "rows": [dict(zip(columns, row, strict=True)) for row in rows],
            "notes": self._notes(),
            "marks": marks,
        }

    def _texts(self) -> list[list[str]]:
        return [
            [
                _in_one_line(show(cell, self.decimals)) + (f" {self.marks[i, j]}" if (i, j) in self.marks else "")
                for j, cell in enumerate(row)
            ]
            for i, row in enumerate(self.rows)
        ]

    def _titles(self) -> list[str]:
        return [_in_one_line(name) for name in self.columns]

    def _notes(self) -> list[str]:
        cells = [cell for row in self.rows for cell in row if isinstance(cell, Estimate)]
        return [
            *map(_in_one_line, self.notes),
            *([f"{NOT_ESTIMABLE}."] if any(cell.low is None for cell in cells) else []),
        ]

    def _are_numeric(self) -> list[bool]:
        kinds = (int, float, Estimate, type(None))
        return [all(isinstance(row[i], kinds) for row in self.rows) for i in range(len(self.columns))]

    def _flat(self) -> tuple[list[str], list[list[str | int | float | None]]]:
        """Columns and rows with the bounds of estimates in columns of their own."""
        wide = {i for row in self.rows for i, cell in enumerate(row) if isinstance(cell, Estimate)}
        columns = [
            name
            for i, column in enumerate(self.columns)
            for name in ([column, f"{column} from", f"{column} to"] if i in wide else [column])
        ]
        return columns, [list(_flatten(row, wide)) for row in self.rows]


def _flatten(row: Sequence[Cell], wide: set[int]) -> Iterable[str | int | float | None]:
    for i, cell in enumerate(row):
        if isinstance(cell, Estimate):
            yield from (cell.value, cell.low, cell.high)
        else:
            yield cell
            yield from (None, None) if i in wide else ()


def _in_one_line(text: str) -> str:
    return show_text(" ".join(text.split("\n")))


def _to_markdown(text: str) -> str:
    return _MARKDOWN.sub(lambda found: "&lt;" if found.group() == "<" else f"\\{found.group()}", text)


def _to_csv(cell: Cell) -> Cell:
    if cell is None:
        return ""
    return write_cell(cell) if isinstance(cell, str) else cell


def show(cell: Cell, decimals: int = 1) -> str:
    """A cell as text, with decimals where it is not whole; `58.4 [41.0, 73.9]` of an estimate."""
    if cell is None:
        return ""
    if isinstance(cell, Estimate):
        if cell.low is None or cell.high is None:
            return f"{cell.value:.{decimals}f} [n.e.]"
        return f"{cell.value:.{decimals}f} [{cell.low:.{decimals}f}, {cell.high:.{decimals}f}]"
    return f"{cell:.{decimals}f}" if isinstance(cell, float) else str(cell)


def value_of_cell(cell: Cell) -> float | None:
    """The number of a cell, without its interval; None of one that is empty or a word."""
    if isinstance(cell, Estimate):
        return cell.value
    return None if cell is None or isinstance(cell, str) else float(cell)


def mean_of_cells(cells: Sequence[Cell]) -> Cell:
    """The mean of numbers, with an interval where each has one: that of a mean of independent estimates.

    Distances to the bounds are added in squares, each side by itself (MOVER, Zou and Donner 2008), so the interval says
    how the mean over these corpora would vary with other test speakers, not with other corpora. Of numbers one of which
    has no interval the mean has none; None without numbers.
    """
    values = [value for cell in cells if (value := value_of_cell(cell)) is not None]
    if not values:
        return None
    mean = sum(values) / len(values)
    known = [cell for cell in cells if isinstance(cell, Estimate)]
    if len(known) < len(values):
        return mean
    if any(cell.low is None or cell.high is None for cell in known):
        return Estimate(mean, None, None)
    below = math.hypot(*(cell.value - cell.low for cell in known if cell.low is not None)) / len(known)
    above = math.hypot(*(cell.high - cell.value for cell in known if cell.high is not None)) / len(known)
    return Estimate(mean, mean - below, mean + above)


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
