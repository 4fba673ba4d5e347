"""UA layer by layer."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from emobox_hf.errors import InputError
from emobox_hf.report.collect import Run, name_runs, show_summary
from emobox_hf.report.protocol import explain, mark_run
from emobox_hf.report.table import Cell, Table


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
    numbers = sorted({layer for column in columns for layer in column if isinstance(layer, int)})
    names: list[int | str] = [*numbers, "weighted"]
    rows: list[tuple[Cell, ...]] = [(str(name), *(column.get(name) for column in columns)) for name in names]
    rows.append(("last", *(column[number] for column, number in zip(columns, last, strict=True))))
    rows.append(("best by validation", *(run.estimate("ua") for run in chosen)))
    marks = {(len(rows) - 1, j): mark for j, run in enumerate(chosen, start=1) if (mark := mark_run(run).marks)}
    notes = [
        "UA of the test part in percent, mean over folds and seeds. Layer 0 is the input of the first block. In "
        "each fold the best layer is chosen by validation; weighted is one probe on a learned sum of all layers. In "
        "brackets: 95 % intervals over test speakers (utterances where speakers are unknown)."
    ]
    for title, run in zip(titles, chosen, strict=True):
        notes.append(f"Chosen by validation for {title}: layer {_tell_choices(run)}.")
    return Table("UA by layer", ("layer", *titles), tuple(rows), (*notes, *explain(marks.values())), marks)


def _tell_choices(run: Run) -> str:
    """The layer of each fold; of several seeds how often each layer was chosen."""
    lines = [line for line in run.record.layers if line.is_chosen]
    if len(lines) == len({line.fold for line in lines}):
        return ", ".join(f"{line.layer} in {line.fold}" for line in lines)
    counts = Counter(line.layer for line in lines)
    return ", ".join(f"{layer} {n} times" for layer, n in counts.most_common())


def by_layer(run: Run) -> dict[int | str, Cell]:
    """Layer to UA of the test part in percent with its interval; `weighted` is the learned sum of all layers."""
    layers, summaries = run.record.layers, run.record.layer_summary
    column: dict[int | str, Cell] = {}
    for layer in dict.fromkeys(line.layer for line in layers):
        mean = float(np.mean([line.scores["ua"] for line in layers if line.layer == layer]))
        summary = summaries.get(str(layer), {}).get("ua")
        column[layer] = show_summary("ua", mean, summary.interval if summary else None)
    return column
