"""The intra-corpus table: a line a corpus, a column an encoder, the paper's score beside ours."""

from collections.abc import Sequence

import numpy as np

from emobox_hf.encoders.known.table import find_known
from emobox_hf.report.collect import Run, name_runs, published_runs
from emobox_hf.report.contamination import NOTE, is_contaminated
from emobox_hf.report.reference import PAPER_METRICS, paper_scores
from emobox_hf.report.table import Cell, Table
from emobox_hf.scores import SCORES


def benchmark_table(runs: Sequence[Run], *, score: str = "ua", with_contaminated: bool = False) -> Table:
    """One score, mean over published folds, of every corpus and encoder, and the mean over corpora.

    A cell whose encoder was trained or tuned on the corpus is marked and left out of the mean unless asked for. Next to
    an encoder of the paper stand the paper's scores.

    Raises:
        InputError: There is no run on published folds that has the score.
    """
    chosen = published_runs(runs, score)
    by_place = {(run.corpus, name): run for run, name in zip(chosen, name_runs(chosen), strict=True)}
    corpora, names = (sorted({place[side] for place in by_place}) for side in (0, 1))
    paper = {corpus: _paper(corpus, score) for corpus in corpora}
    columns = [column for name in names for column in _columns(name, by_place, corpora, paper, score)]
    common = [i for i, corpus in enumerate(corpora) if all((corpus, name) in by_place for name in names)]
    flagged = {(i, j) for j, (_, _, marked) in enumerate(columns, start=1) for i in marked}
    rows: list[tuple[Cell, ...]] = [
        (corpus, *(values[i] for _, values, _ in columns), _best(paper[corpus])) for i, corpus in enumerate(corpora)
    ]
    notes = [f"Mean over the corpora that all encoders were run on: {', '.join(corpora[i] for i in common) or 'none'}."]
    means: list[Cell] = []
    for title, values, marked in columns:
        counted = [i for i in common if with_contaminated or i not in marked]
        means.append(_mean([values[i] for i in counted]))
        if len(counted) < len(common):
            notes.append(f"{title}: mean over {len(counted)} of them.")
    rows.append((f"mean of {len(common)}", *means, ""))
    if flagged:
        notes.append(f"{NOTE}; {'in' if with_contaminated else 'left out of'} the mean.")
    titles = (title for title, _, _ in columns)
    return Table(
        f"{SCORES[score].caption}, mean over published folds",
        ("corpus", *titles, "paper, best"),
        tuple(rows),
        tuple(notes),
        frozenset(flagged),
        SCORES[score].decimals,
    )


Column = tuple[str, list[float | None], set[int]]
"""A title, a score a corpus, and the rows that are contaminated."""


def _columns(
    name: str,
    by_place: dict[tuple[str, str], Run],
    corpora: Sequence[str],
    paper: dict[str, dict[str, float]],
    score: str,
) -> list[Column]:
    """A run's column, and the paper's of the same encoder, which has a score where the run has one."""
    runs = [by_place.get((corpus, name)) for corpus in corpora]
    marked = {i for i, run in enumerate(runs) if run and is_contaminated(run)}
    columns: list[Column] = [(name, [run.score(score) if run else None for run in runs], marked)]
    known = find_known(next(run.encoder for run in runs if run))
    if known is not None and known.in_paper:
        printed = [paper[corpus].get(known.id) if run else None for corpus, run in zip(corpora, runs, strict=True)]
        columns.append((f"{name}, paper", printed, marked))
    return columns


def _paper(corpus: str, score: str) -> dict[str, float]:
    """Encoder to the paper's score in percent."""
    if score not in PAPER_METRICS:
        return {}
    return {encoder: scores[PAPER_METRICS[score]] for encoder, scores in paper_scores(corpus).items()}


def _best(scores: dict[str, float]) -> str:
    return "{1:.1f} {0}".format(*max(scores.items(), key=lambda item: item[1])) if scores else ""


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
