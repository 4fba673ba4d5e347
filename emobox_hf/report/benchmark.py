"""The intra-corpus table: a line a corpus, a column an encoder, the paper's score beside ours."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from emobox_hf.encoders.known.table import find_known
from emobox_hf.report.chance import majority
from emobox_hf.report.collect import Run, name_runs, published_runs, tell_deviations
from emobox_hf.report.protocol import CONTAMINATED, LEAK, MEANINGS, Marked, choose_run, explain, mark_runs
from emobox_hf.report.reference import PAPER_CLASSES, PAPER_METRICS, PAPER_NOTE, paper_scores
from emobox_hf.report.table import Cell, Table, mean_of_cells
from emobox_hf.scores import SCORES


@dataclass(frozen=True)
class Column:
    """A title, a score a corpus, and the rows' marks; `places` are the rows whose cells a mean may count."""

    title: str
    cells: list[Cell]
    marks: list[str]
    places: frozenset[int]


def benchmark_table(runs: Sequence[Run], *, score: str = "ua", with_contaminated: bool = False) -> Table:
    """One score, mean over published folds with its interval, of every corpus and encoder, and the mean over corpora.

    A cell whose protocol is not that of the others bears a mark (`protocol`) and is left out of the mean; encoders that
    were trained on the corpus can be asked for. Next to an encoder of the paper stand the paper's scores.

    Raises:
        InputError: There is no run on published folds that has the score.
    """
    chosen = published_runs(runs, score)
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run, name in zip(chosen, name_runs(chosen), strict=True):
        groups[run.corpus, name].append(run)
    corpora, names = (sorted({place[side] for place in groups}) for side in (0, 1))
    cells: dict[tuple[str, str], Marked] = {}
    for corpus in corpora:
        there = [name for name in names if (corpus, name) in groups]
        marked = mark_runs([choose_run(groups[corpus, name]) for name in there])
        cells |= {(corpus, name): one for name, one in zip(there, marked, strict=True)}
    paper = {corpus: _paper(corpus, score) for corpus in corpora}
    columns = [column for name in names for column in _columns(name, cells, corpora, paper, score, with_contaminated)]
    common = [i for i, corpus in enumerate(corpora) if all((corpus, name) in cells for name in names)]
    rows: list[tuple[Cell, ...]] = [
        (corpus, *_tell_classes(corpus, cells, score), *(column.cells[i] for column in columns), _best(paper[corpus]))
        for i, corpus in enumerate(corpora)
    ]
    notes = [f"Mean over the corpora that all encoders were run on: {', '.join(corpora[i] for i in common) or 'none'}."]
    means: list[Cell] = []
    marks = {(i, j): mark for j, column in enumerate(columns, start=3) for i, mark in enumerate(column.marks) if mark}
    for j, column in enumerate(columns, start=3):
        counted = [i for i in common if i in column.places]
        means.append(mean_of_cells([column.cells[i] for i in counted]))
        if len(counted) < len(common):
            notes.append(f"{column.title}: mean over {len(counted)} of them.")
        kept = {mark for i in counted for mark in column.marks[i] if mark in (LEAK, CONTAMINATED)}
        if kept:
            marks[len(corpora), j] = "".join(mark for mark in MEANINGS if mark in kept)
    rows.append((f"mean of {len(common)}", None, None, *means, ""))
    notes += explain(marks.values(), has_means=True, with_contaminated=with_contaminated)
    notes += _tell_intervals(list(cells.values()), score)
    notes += tell_deviations([one.run for one in cells.values()], score)
    if any(column.title.endswith(", paper") for column in columns):
        others = [f"{corpus} {PAPER_CLASSES[corpus]}" for corpus in corpora if corpus in PAPER_CLASSES]
        notes.append(PAPER_NOTE + (f" Its classes: {', '.join(others)}." if others else ""))
    return Table(
        f"{SCORES[score].caption}, mean over published folds",
        ("corpus", "classes", "majority", *(column.title for column in columns), "paper, best"),
        tuple(rows),
        tuple(notes),
        marks,
        SCORES[score].decimals,
    )


def _tell_classes(corpus: str, cells: dict[tuple[str, str], Marked], score: str) -> tuple[Cell, Cell]:
    """Number of classes, and what the majority scores, of the run with the fewest marks."""
    runs = [marked for (name, _), marked in cells.items() if name == corpus]
    record = min(runs, key=lambda marked: len(marked.marks)).run.record
    return len(record.labels), majority(record, score)


def _columns(
    name: str,
    cells: dict[tuple[str, str], Marked],
    corpora: Sequence[str],
    paper: dict[str, dict[str, float]],
    score: str,
    with_contaminated: bool,
) -> list[Column]:
    """A run's column, and the paper's of the same encoder, which has a score where the run has one."""
    marked = [cells.get((corpus, name)) for corpus in corpora]
    marks = [one.marks if one else "" for one in marked]
    places = frozenset(i for i, one in enumerate(marked) if one and one.counts(with_contaminated=with_contaminated))
    columns = [Column(name, [one.run.estimate(score) if one else None for one in marked], marks, places)]
    known = find_known(next(one.run.encoder for one in marked if one))
    if known is not None and known.in_paper:
        printed: list[Cell] = [
            paper[corpus].get(known.id) if one else None for corpus, one in zip(corpora, marked, strict=True)
        ]
        met = ["".join(mark for mark in one if mark == CONTAMINATED) for one in marks]
        columns.append(Column(f"{name}, paper", printed, met, places))
    return columns


def _tell_intervals(cells: Sequence[Marked], score: str) -> list[str]:
    """What the brackets are, where there are any."""
    found = [one.run.record.summary[score].interval for one in cells if score in one.run.record.summary]
    known = [interval for interval in found if interval is not None]
    if not known:
        return []
    unnamed = sorted({one.run.corpus for one in cells if _unit(one, score) == "utterances"})
    without = f" In {', '.join(unnamed)} speakers are unknown: over utterances, too narrow." if unnamed else ""
    return [f"In brackets: {100 * known[0].confidence:g} % intervals over test speakers.{without}"]


def _unit(one: Marked, score: str) -> str:
    interval = one.run.record.summary[score].interval if score in one.run.record.summary else None
    return interval.unit if interval else ""


def _paper(corpus: str, score: str) -> dict[str, float]:
    """Encoder to the paper's score in percent."""
    if score not in PAPER_METRICS:
        return {}
    return {encoder: scores[PAPER_METRICS[score]] for encoder, scores in paper_scores(corpus).items()}


def _best(scores: dict[str, float]) -> str:
    return "{1:.1f} {0}".format(*max(scores.items(), key=lambda item: item[1])) if scores else ""
