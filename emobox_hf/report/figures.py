"""Figures from records; matplotlib is the extra `report`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emobox_hf.errors import InputError
from emobox_hf.files import whole_file
from emobox_hf.report.table import Estimate, Table, value_of_cell
from emobox_hf.results import RunRecord, read_record
from emobox_hf.scores import Ranking


def draw_confusion(folder: Path) -> Path:
    """Draw a run's confusion matrix, all folds and seeds added up, to `confusion.png` in its folder; its path.

    Rows are references; a cell shows the share of its row and the count.

    Raises:
        InputError: matplotlib is not installed.
    """
    return _save(_confusion_figure(read_record(folder)), folder / "confusion.png")


def confusion_pixels(record: RunRecord) -> NDArray[np.uint8]:
    """The same figure as pixels, uint8 (height, width, 3).

    Raises:
        InputError: matplotlib is not installed.
    """
    figure = _confusion_figure(record)
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)  # untyped in matplotlib
    canvas.draw()
    pixels: NDArray[np.uint8] = np.asarray(canvas.buffer_rgba())[:, :, :3].copy()
    return pixels


def _confusion_figure(record: RunRecord) -> Any:
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
    return figure


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


def draw_ranks(ranking: Ranking, names: Sequence[str], path: Path) -> Path:
    """A critical-difference diagram: systems on a line of mean ranks, bars over those that are not told apart.

    A bar joins systems that no pair of which differs by Wilcoxon's test with Holm's correction at 0.05; Nemenyi's
    critical difference is drawn above, for scale.
    """
    order = sorted(range(len(names)), key=lambda i: ranking.mean_ranks[i])
    alike = {frozenset((pair.first, pair.second)) for pair in ranking.pairs if pair.p_holm >= 0.05}
    half = (len(order) + 1) // 2
    figure = _new_figure(10, 1.6 + 0.3 * half)
    axes = figure.add_subplot()
    low, high = 1.0, float(len(order))
    margin = 0.035 * len(order) * max(map(len, names)) / 2  # room for the names, at nine points a letter
    axes.set_xlim(high + margin, low - margin)
    axes.set_ylim(-half - 1.5, 2.2)
    axes.axis("off")
    axes.plot([low, high], [0, 0], color="black")
    for tick in range(1, len(order) + 1):
        axes.plot([tick, tick], [0, 0.15], color="black")
        axes.text(tick, 0.25, str(tick), ha="center", va="bottom")
    for place, system in enumerate(order):
        rank, is_left = float(ranking.mean_ranks[system]), place >= half
        y = -1.2 - (len(order) - 1 - place if is_left else place)
        edge = high + 0.3 if is_left else low - 0.3
        axes.plot([rank, rank, edge], [0, y, y], color="black", linewidth=0.8)
        side = "right" if is_left else "left"
        axes.text(edge, y, f" {names[system]} ({rank:.2f}) ", ha=side, va="center", fontsize=9)
    for row, (first, last) in enumerate(_list_cliques(order, alike)):
        ends = [float(ranking.mean_ranks[order[place]]) for place in (first, last)]
        axes.plot([ends[0] - 0.05, ends[1] + 0.05], [-0.25 - 0.18 * row] * 2, color="black", linewidth=3)
    axes.plot([low, low + ranking.critical_difference], [1.4, 1.4], color="grey", linewidth=2)
    axes.text(low, 1.5, f"Nemenyi's critical difference, {ranking.critical_difference:.2f}", ha="right", va="bottom")
    return _save(figure, path)


def _list_cliques(order: Sequence[int], alike: Collection[frozenset[int]]) -> list[tuple[int, int]]:
    """The longest stretches of the order no pair of which differs, as places of their ends."""
    stretches: list[tuple[int, int]] = []
    for first in range(len(order)):
        last = first
        while last + 1 < len(order) and all(
            frozenset((order[place], order[last + 1])) in alike for place in range(first, last + 1)
        ):
            last += 1
        if last > first and not (stretches and stretches[-1][1] >= last):
            stretches.append((first, last))
    return stretches


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
