"""Figures from records; matplotlib is the extra `report`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emobox_hf.errors import InputError
from emobox_hf.files import whole_file
from emobox_hf.report.table import Estimate, Table, value_of_cell
from emobox_hf.results import read_record


def draw_confusion(folder: Path) -> Path:
    """Draw a run's confusion matrix, all folds and seeds added up, to `confusion.png` in its folder; its path.

    Rows are references; a cell shows the share of its row and the count.

    Raises:
        InputError: matplotlib is not installed.
    """
    record = read_record(folder)
    counts = np.sum([fold.scores["confusion_matrix"] for fold in record.folds], axis=0)  # (classes, classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2 + 0.7 * len(counts)
    figure = _new_figure(size + 1, size)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        text = f"{share:.0%}\n{counts[row, column]}"
        axes.text(column, row, text, ha="center", va="center", color="white" if share > 0.5 else "black", fontsize=9)
    axes.set_xticks(range(len(counts)), record.labels, rotation=45, ha="right")
    axes.set_yticks(range(len(counts)), record.labels)
    axes.set_xlabel("prediction")
    axes.set_ylabel("reference")
    settings = record.settings
    axes.set_title(
        f"{settings.partition.name}, {settings.encoder.name}, head {settings.probe.name}\n"
        f"UA {100 * (record.summary['ua'].mean):.1f} over {len({f.fold for f in record.folds})} folds",
        fontsize=10,
    )
    figure.colorbar(image, ax=axes, label="share of the reference", shrink=0.8)
    return _save(figure, folder / "confusion.png")


def draw_layers(tables: Sequence[Table], path: Path) -> Path:
    """UA by layer, a line a run."""
    (table,) = tables
    layers = [row for row in table.rows if str(row[0]).isdigit()]
    figure = _new_figure(7, 4)
    axes = figure.add_subplot()
    for column, name in enumerate(table.columns[1:], start=1):
        points = [(int(str(row[0])), row[column]) for row in layers if row[column] is not None]
        (curve,) = axes.plot(
            [layer for layer, _ in points], [value_of_cell(cell) for _, cell in points], marker="o", label=name
        )
        bounds = [(layer, cell.low, cell.high) for layer, cell in points if isinstance(cell, Estimate) and cell.low]
        if bounds:
            axes.fill_between(*zip(*bounds, strict=True), color=curve.get_color(), alpha=0.15, linewidth=0)
    axes.set_xlabel("layer (0: input of the first block)")
    axes.set_ylabel("UA, %")
    axes.legend()
    return _save(figure, path)


def draw_cross(tables: Sequence[Table], path: Path) -> Path:
    """A heat map for each table, two in a row: who trains in the rows, who tests in the columns."""
    n_rows = (len(tables) + 1) // 2
    figure = _new_figure(11, 5 * n_rows)
    for number, table in enumerate(tables, start=1):
        numbers = [[value_of_cell(cell) for cell in row[1:]] for row in table.rows]
        values = np.array(numbers, dtype=np.float64)  # None is NaN
        axes = figure.add_subplot(n_rows, 2, number)
        image = axes.imshow(values, cmap="viridis")
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value):
                shade = "black" if image.norm(value) > 0.6 else "white"
                axes.text(column, row, f"{value:.1f}", ha="center", va="center", color=shade)
        axes.set_xticks(range(values.shape[1]), table.columns[1:], rotation=45, ha="right")
        axes.set_yticks(range(values.shape[0]), [str(row[0]) for row in table.rows])
        axes.set_xlabel("tested on")
        axes.set_ylabel("trained on")
        axes.set_title(table.title.partition(" in percent")[0], fontsize=9)
    return _save(figure, path)


def draw_noise(tables: Sequence[Table], path: Path) -> Path:
    """Scores with the most doubtful utterances left out, a line a run; dashed with as many left out at random."""
    figure = _new_figure(7, 4)
    axes = figure.add_subplot()
    for table in (table for table in tables if table.columns[0] == "% removed"):
        shares, _, ua, _, chance = zip(*table.rows, strict=True)
        (line,) = axes.plot(shares, ua, marker="o", label=table.title.partition(" without")[0])
        axes.plot(shares, chance, linestyle="--", color=line.get_color())
    axes.set_xlabel("most doubtful left out, %")
    axes.set_ylabel("UA, %")
    axes.legend()
    return _save(figure, path)


DRAWINGS: Mapping[str, Callable[[Sequence[Table], Path], Path]] = {
    "layers": draw_layers,
    "cross": draw_cross,
    "noise": draw_noise,
}
"""Kinds of report that can be drawn."""


def _new_figure(width_in: float, height_in: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("figures need matplotlib: `pip install matplotlib`") from error
    return Figure(figsize=(width_in, height_in), layout="constrained")


FORMATS = ("png", "svg", "pdf")


def _save(figure: Any, path: Path) -> Path:
    form = path.suffix.removeprefix(".").lower()
    if form not in FORMATS:
        raise InputError(f"{path}: expected a name that ends in .{', .'.join(FORMATS)}, found {path.suffix or 'none'}")
    with whole_file(path) as part:
        figure.savefig(part, dpi=150, format=form)
    return path
