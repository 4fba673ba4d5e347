"""For whom a run works: scores by gender, by language and by speaker, the worst speaker and the gaps."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from emobox_hf.errors import InputError
from emobox_hf.report.collect import Run, name_runs, show_summary
from emobox_hf.report.protocol import explain, mark_run
from emobox_hf.report.table import Cell, Table, value_of_cell
from emobox_hf.results import FoldPredictions, estimate_parts, pool_folds, read_predictions
from emobox_hf.scores import SCORES, Score

TRAITS = ("gender", "language", "speaker")
FEWEST = 10  # utterances of a group; the UA of fewer says nothing


def groups_tables(runs: Sequence[Run], *, score: str = "ua") -> list[Table]:
    """A table for each run: one score of the test utterances of each gender, language and speaker, worst first.

    Raises:
        InputError: No run has predictions that tell speakers, genders or languages.
    """
    tables = []
    for run, name in zip(runs, name_runs(runs), strict=True):
        parts = pool_folds(read_predictions(run.folder, run.record))
        table = _make_table(f"{run.corpus} by {name}", run, parts, SCORES[score])
        if table is not None:
            tables.append(table)
    if not tables:
        raise InputError(
            "expected predictions that tell speakers, genders or languages, two of one of them at least, found none; "
            "runs of an earlier version lack genders and languages: run again with --overwrite"
        )
    return tables


def _make_table(title: str, run: Run, parts: Sequence[FoldPredictions], score: Score) -> Table | None:
    rows: list[tuple[Cell, ...]] = []
    notes = []
    for trait in TRAITS:
        columns = [getattr(part, f"{trait}s") for part in parts]
        values = sorted(set().union(*columns) - {None})
        if len(values) < 2:
            continue
        rows_of = [_rows_of_each(column) for column in columns]
        found = []
        for value in values:
            some = [part.take(own[value]) for part, own in zip(parts, rows_of, strict=True)]
            if (row := _score_group(trait, value, some, score)) is not None:
                found.append(row)
        if len(found) < 2:
            continue
        found.sort(key=lambda row: value_of_cell(row[-1]) or 0.0, reverse=not score.higher_is_better)
        rows += found
        worst, best = (value_of_cell(found[place][-1]) or 0.0 for place in (0, -1))
        unit = " points" if score.in_percent else ""
        gap = f"{abs(best - worst):.{score.decimals}f}{unit}"
        notes.append(f"{trait}: worst {found[0][1]}, best {found[-1][1]}, {gap} apart.")
    if not rows:
        return None
    mark = mark_run(run).marks
    notes.append(
        f"All test utterances together, seeds averaged; groups of fewer than {FEWEST} utterances are left out. "
        "Intervals over the speakers of a group; of a single speaker there is none. Of many speakers some are worst by "
        "chance."
    )
    return Table(
        f"{title}: {score.caption} by group{f' {mark}' if mark else ''}",
        ("by", "group", "speakers", "utterances", score.title),
        tuple(rows),
        (*notes, *explain([mark])),
        decimals=score.decimals,
    )


def _rows_of_each(values: Sequence[str | None]) -> dict[str | None, list[int]]:
    rows: dict[str | None, list[int]] = defaultdict(list)
    for row, value in enumerate(values):
        rows[value].append(row)
    return rows


def _score_group(trait: str, value: str, parts: Sequence[FoldPredictions], score: Score) -> tuple[Cell, ...] | None:
    """A row of the table, of the parts of one group; None of too few utterances."""
    n = len(parts[0].keys)
    if n < FEWEST or not all(score.is_computable(part.rows) for part in parts):
        return None
    speakers = {speaker for part in parts for speaker in part.speakers}
    if trait == "speaker":  # no interval is over the speakers of one
        estimate: Cell = score.scale(float(np.mean([score.compute(part.rows) for part in parts])))
    else:
        estimate = show_summary(score.name, *estimate_parts(score, parts))
    return trait, value, len(speakers - {None}) or None, n, estimate
