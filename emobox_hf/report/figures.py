"""Figures from records; matplotlib is the extra `report`."""

from pathlib import Path

import numpy as np

from emobox_hf.errors import InputError
from emobox_hf.files import whole_file
from emobox_hf.results import read_record


def draw_confusion(folder: Path) -> Path:
    """Draw a run's confusion matrix, all folds and seeds added up, to `confusion.png` in its folder; its path.

    Rows are references; a cell shows the share of its row and the count.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("figures need matplotlib: pip install 'emobox-hf[report]'") from error
    record = read_record(folder)
    counts = np.sum([fold.scores["confusion_matrix"] for fold in record.folds], axis=0)  # (classes, classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2 + 0.7 * len(counts)
    figure = Figure(figsize=(size + 1, size), layout="constrained")
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
        f"{settings['corpus']['name']}, {settings['encoder']['name']}, head {settings['probe']['head']}\n"
        f"UA {100 * (record.summary['ua']['mean'] or 0):.1f} over {len({f.fold for f in record.folds})} folds",
        fontsize=10,
    )
    figure.colorbar(image, ax=axes, label="share of the reference", shrink=0.8)
    path = folder / "confusion.png"
    with whole_file(path) as part:
        figure.savefig(part, dpi=150, format="png")
    return path
