"""Geometry of the figures that are lines and bars: UA by layer."""

from dataclasses import dataclass

from emobox_hf.report.layers import by_layer
from emobox_hf.report.site.entries import Entry
from emobox_hf.report.table import value_of_cell

WIDTH, HEIGHT = 560, 200  # of the plotted area, in units of the figure


@dataclass(frozen=True)
class Curve:
    """UA by layer of a run, in percent, and where its points are.

    Attributes:
        entry: The run.
        layers: Layer and UA, in order.
        weighted: UA of the probe on a learned sum of all layers; None where there was none.
        chosen: UA of the layers that validation chose.
        points: x and y of each layer, from the upper left corner.
        ticks: y and text of the horizontal lines.
        weighted_y: y of the weighted sum.
        chosen_in: Layer and how many folds chose it.
    """

    entry: Entry
    layers: tuple[tuple[int, float], ...]
    weighted: float | None
    chosen: float | None
    points: tuple[tuple[float, float], ...]
    ticks: tuple[tuple[float, str], ...]
    weighted_y: float | None
    chosen_in: tuple[tuple[str, int], ...]


def draw_layers(entry: Entry) -> Curve:
    """The curve of a run that probed all layers."""
    cells = by_layer(entry.run).items()
    scores = {layer: ua for layer, cell in cells if (ua := value_of_cell(cell)) is not None}
    layers = sorted((layer, ua) for layer, ua in scores.items() if isinstance(layer, int))
    low, high = (min(90, int(bound(scores.values()) // 10 * 10)) for bound in (min, max))
    high += 10
    last = max(layer for layer, _ in layers) or 1
    chosen = [str(line.layer) for line in entry.run.record.layers if line.is_chosen]
    weighted = scores.get("weighted")

    def place(ua: float) -> float:
        return round(HEIGHT * (high - ua) / (high - low), 1)

    return Curve(
        entry=entry,
        layers=tuple(layers),
        weighted=weighted,
        chosen=entry.run.score("ua"),
        points=tuple((round(WIDTH * layer / last, 1), place(ua)) for layer, ua in layers),
        ticks=tuple((place(ua), str(ua)) for ua in range(low, high + 1, 10)),
        weighted_y=None if weighted is None else place(weighted),
        chosen_in=tuple((layer, chosen.count(layer)) for layer in dict.fromkeys(chosen)),
    )
