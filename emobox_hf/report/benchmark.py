"""The intra-corpus table: a line a corpus, a column an encoder, the paper's score beside ours."""

from collections.abc import Collection, Sequence

import numpy as np

from emobox_hf.encoders.known import find_known
from emobox_hf.errors import InputError
from emobox_hf.report.collect import Run, name_runs
from emobox_hf.report.reference import paper_scores
from emobox_hf.report.table import Cell, Table

FLAG = " †"


def benchmark_table(runs: Sequence[Run], *, score: str = "ua", with_contaminated: bool = False) -> Table:
    """One score in percent, mean over published folds, of every corpus and encoder, and the mean over corpora.

    A cell whose encoder was trained or tuned on the corpus is marked and left out of the mean unless asked for.

    Raises:
        InputError: There is no run on published folds.
    """
    chosen = [run for run in runs if run.experiment == "intra-corpus" and run.kind_of_folds == "published"]
    if not chosen:
        raise InputError("expected runs on published folds, found none; run `emobox probe`")
    cells: dict[tuple[str, str], float] = {}
    flagged: set[tuple[str, str]] = set()
    for run, name in zip(chosen, name_runs(chosen), strict=True):
        cells[run.corpus, name] = 100 * (run.record.summary[score]["mean"] or 0.0)
        if is_contaminated(run.encoder, run.corpus):
            flagged.add((run.corpus, name))
    corpora, names = sorted({corpus for corpus, _ in cells}), sorted({name for _, name in cells})
    rows: list[tuple[Cell, ...]] = []
    for corpus in corpora:
        best = max(paper_scores(corpus).items(), key=lambda item: item[1]["ua"], default=None)
        paper = f"{best[1]['ua']:.1f} {best[0]}" if best else ""
        rows.append((corpus, *(_cell(cells, flagged, (corpus, name)) for name in names), paper))
    left_out = set() if with_contaminated else flagged
    common = [corpus for corpus in corpora if all((corpus, name) in cells for name in names)]
    rows.append((f"mean of {len(common)}", *(_mean(cells, left_out, common, name) for name in names), ""))
    notes = [f"Mean over the corpora that all encoders were run on: {', '.join(common) or 'none'}."]
    if flagged:
        fate = "in" if with_contaminated else "left out of"
        notes.append(f"{FLAG.strip()}: the encoder was trained or tuned on the corpus; {fate} the mean.")
    return Table(
        f"{score.upper()} in percent, mean over published folds",
        ("corpus", *names, "paper, best UA"),
        tuple(rows),
        tuple(notes),
    )


def is_contaminated(encoder: str, corpus: str) -> bool:
    """Whether an encoder is known to have been trained or tuned on a corpus."""
    known = find_known(encoder)
    return known is not None and corpus in known.trained_on


def _cell(cells: dict[tuple[str, str], float], flagged: Collection[tuple[str, str]], place: tuple[str, str]) -> Cell:
    if place not in cells:
        return None
    return f"{cells[place]:.1f}{FLAG}" if place in flagged else cells[place]


def _mean(
    cells: dict[tuple[str, str], float], left_out: Collection[tuple[str, str]], corpora: Sequence[str], name: str
) -> float | None:
    values = [cells[corpus, name] for corpus in corpora if (corpus, name) not in left_out]
    return float(np.mean(values)) if values else None
