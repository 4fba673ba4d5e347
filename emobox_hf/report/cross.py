"""Cross-corpus scores: who trains in the rows, who tests in the columns, and the paper's table in both its readings."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from importlib import resources

from emobox_hf.errors import InputError
from emobox_hf.report.collect import Run, name_runs
from emobox_hf.report.table import Cell, Table, percent


def cross_tables(runs: Sequence[Run]) -> list[Table]:
    """A table for each encoder: WA and UA of every pair, in percent, rows train, columns test.

    Raises:
        InputError: There is no cross-corpus run.
    """
    chosen = [run for run in runs if run.experiment == "cross-corpus"]
    if not chosen:
        raise InputError("expected cross-corpus runs, found none; run `emobox cross`")
    groups: dict[str, list[Run]] = defaultdict(list)
    for run, name in zip(chosen, name_runs(chosen), strict=True):
        groups[name].append(run)
    return [_matrix(name, group, score) for name, group in groups.items() for score in ("ua", "wa")]


def _matrix(name: str, runs: Sequence[Run], score: str) -> Table:
    cells = {tuple(run.corpus.split("-to-")): percent(run.record.summary[score]["mean"]) for run in runs}
    train, test = (list(dict.fromkeys(pair[side] for pair in cells)) for side in (0, 1))
    rows: list[tuple[Cell, ...]] = [(one, *(cells.get((one, other)) for other in test)) for one in train]
    return Table(
        f"{name}: {score.upper()} in percent, trained on the row, tested on the column", ("train", *test), tuple(rows)
    )


def paper_tables(encoder: str) -> list[Table]:
    """The paper's accuracies of one encoder, twice: as its caption reads them and as its authors' page does.

    The caption says that columns are training sets and rows test sets; the page says the reverse. Empty for an encoder
    that the paper lacks.
    """
    path = resources.files("emobox_hf.benchmarks").joinpath("reference/emobox_cross_corpus_cells.csv")
    cells = {
        (row["row_corpus"], row["column_corpus"]): float(row["value"])
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())
        if row["model"] == encoder
    }
    if not cells:
        return []
    names = sorted({name for pair in cells for name in pair})
    by_page = {(train, test): value for (train, test), value in cells.items()}
    by_caption = {(train, test): value for (test, train), value in cells.items()}
    return [
        Table(
            f"{encoder} in the paper, {how}: accuracy in percent, trained on the row, tested on the column",
            ("train", *names),
            tuple((train, *(reading.get((train, test)) for test in names)) for train in names),
        )
        for how, reading in (("read as its caption says", by_caption), ("read as its authors' page says", by_page))
    ]
