"""UA layer by layer."""

from collections.abc import Sequence

import numpy as np

from emobox_hf.errors import InputError
from emobox_hf.report.collect import Run, name_runs
from emobox_hf.report.table import Cell, Table, percent


def layers_table(runs: Sequence[Run]) -> Table:
    """UA of the test part by layer, a column a run, means over folds; the last layer, and those validation chose.

    Raises:
        InputError: No run probed all layers.
    """
    chosen = [run for run in runs if run.record.layers]
    if not chosen:
        raise InputError("expected runs of all layers, found none; run `emobox probe --layers all --head linear`")
    titles = [f"{run.corpus}: {name}" for run, name in zip(chosen, name_runs(chosen), strict=True)]
    columns = [by_layer(run) for run in chosen]
    last = [max(layer for layer in column if isinstance(layer, int)) for column in columns]
    names: list[int | str] = [*range(max(last) + 1), "weighted"]
    rows: list[tuple[Cell, ...]] = [(str(name), *(column.get(name) for column in columns)) for name in names]
    rows.append(("last", *(column[number] for column, number in zip(columns, last, strict=True))))
    rows.append(("best by validation", *(run.score("ua") for run in chosen)))
    notes = [
        "UA of the test part in percent, mean over folds. Layer 0 is the input of the first block. In each fold the "
        "best layer is chosen by validation; weighted is one probe on a learned sum of all layers."
    ]
    for title, run in zip(titles, chosen, strict=True):
        choices = (f"{line.layer} in {line.fold}" for line in run.record.layers if line.is_chosen)
        notes.append(f"Chosen by validation for {title}: layer {', '.join(choices)}.")
    return Table("UA by layer", ("layer", *titles), tuple(rows), tuple(notes))


def by_layer(run: Run) -> dict[int | str, float | None]:
    """Layer to UA of the test part in percent, mean over folds; `weighted` is the learned sum of all layers."""
    layers = run.record.layers
    return {
        layer: percent(float(np.mean([line.scores["ua"] for line in layers if line.layer == layer])))
        for layer in dict.fromkeys(line.layer for line in layers)
    }
