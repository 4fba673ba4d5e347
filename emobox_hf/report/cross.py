"""Cross-corpus scores: who trains in the rows, who tests in the columns, and the paper's table in both its readings."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from importlib import resources

from emobox_hf.errors import InputError
from emobox_hf.report.collect import Run, name_runs, tell_deviations
from emobox_hf.report.protocol import choose_run, explain, mark_run
from emobox_hf.report.reference import PAPER_CROSS_NOTE
from emobox_hf.report.table import Cell, Table
from emobox_hf.scores import SCORES


def cross_tables(runs: Sequence[Run]) -> list[Table]:
    """Two tables for each encoder: UA and WA of every pair, in percent, rows train, columns test.

    Raises:
        InputError: There is no cross-corpus run.
    """
    chosen = [run for run in runs if run.settings.experiment == "cross-corpus"]
    if not chosen:
        raise InputError("expected cross-corpus runs, found none; run `emobox cross`")
    groups: dict[str, list[Run]] = defaultdict(list)
    for run, name in zip(chosen, name_runs(chosen), strict=True):
        groups[name].append(run)
    return [_matrix(name, group, score) for name, group in groups.items() for score in ("ua", "wa")]


def _matrix(name: str, runs: Sequence[Run], score: str) -> Table:
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        groups[run.trained, run.settings.tested].append(run)
    by_pair = {pair: choose_run(some) for pair, some in groups.items()}
    chosen = list(by_pair.values())
    train, test = (list(dict.fromkeys(pair[side] for pair in by_pair)) for side in (0, 1))
    rows = tuple((one, *(_cell(by_pair.get((one, other)), score) for other in test)) for one in train)
    marks = {
        (train.index(one), 1 + test.index(other)): mark
        for (one, other), run in by_pair.items()
        if (mark := mark_run(run).marks)
    }
    return Table(
        f"{name}: {SCORES[score].caption}, trained on the row, tested on the column",
        ("train", *test),
        rows,
        (_tell_labels(chosen), *explain(marks.values()), *tell_deviations(chosen, score)),
        marks,
    )


def _cell(run: Run | None, score: str) -> Cell:
    return None if run is None else run.estimate(score)


def _tell_labels(runs: Sequence[Run]) -> str:
    """A note of which labels are scored: where pairs share different ones, chance differs."""
    scored = sorted({tuple(run.record.labels) for run in runs}, key=len)
    if len(scored) == 1:
        return f"Scored over {', '.join(scored[0])}."
    pairs = (f"{run.corpus}: {', '.join(run.record.labels)}" for run in runs)
    return f"Scored over the labels that a pair shares, so chance differs. {'; '.join(pairs)}."


def paper_tables(encoder: str) -> list[Table]:
    """The paper's accuracies of one encoder, twice: as its caption reads them and as its authors' page does.

    The caption says that columns are training sets and rows test sets; the page says the reverse. Empty for an encoder
    that the paper lacks.
    """
    path = resources.files("emobox_hf.benchmarks").joinpath("reference/emobox_cross_corpus_cells.csv")
    by_page = {
        (row["row_corpus"], row["column_corpus"]): float(row["value"])
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())
        if row["model"] == encoder
    }
    if not by_page:
        return []
    names = sorted({name for pair in by_page for name in pair})
    by_caption = {(train, test): value for (test, train), value in by_page.items()}
    return [
        Table(
            f"{encoder} in the paper, {how}: WA in percent, trained on the row, tested on the column",
            ("train", *names),
            tuple((train, *(reading.get((train, test)) for test in names)) for train in names),
            (PAPER_CROSS_NOTE,),
        )
        for how, reading in (("read as its caption says", by_caption), ("read as its authors' page says", by_page))
    ]
