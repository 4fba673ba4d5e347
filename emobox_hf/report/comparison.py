"""Which of several systems is better: pairs inside each corpus, ranks over corpora."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from emobox_hf.errors import InputError
from emobox_hf.report.collect import Run, name_runs, show_p, show_summary
from emobox_hf.report.protocol import choose_run, explain, mark_runs
from emobox_hf.report.reference import PAPER_METRICS, PAPER_NOTE, paper_scores
from emobox_hf.report.table import Cell, Table
from emobox_hf.results import FoldPredictions, compare, read_predictions
from emobox_hf.scores import SCORES, Difference, Ranking, Score, holm, rank_systems

RULES = (
    "First minus second in points, of all test utterances that both tested, seeds averaged, paired by speaker, with "
    "its 95 % interval; p of no difference, and after Holm's correction for the pairs of this table; the smallest "
    "difference that such a comparison finds four times in five."
)


@dataclass(frozen=True)
class Compared:
    """What a comparison found: its tables, and the ranking over corpora with the systems' names where there is one."""

    tables: list[Table]
    ranking: Ranking | None = None
    names: tuple[str, ...] = ()


def compare_runs(runs: Sequence[Run], *, score: str = "ua") -> Compared:
    """Every pair of systems in each corpus, then ranks over the corpora that all of them were run on.

    Raises:
        InputError: There are no two runs of one corpus.
    """
    groups: dict[str, dict[str, list[Run]]] = defaultdict(lambda: defaultdict(list))
    for run, name in zip(runs, name_runs(runs), strict=True):
        groups[run.corpus][_name(run, name, runs)].append(run)
    corpora = {
        corpus: {name: choose_run(some) for name, some in systems.items()}
        for corpus, systems in sorted(groups.items())
        if len(systems) > 1
    }
    if not corpora:
        raise InputError(
            "expected runs of one corpus by two systems, found none: encoders, heads, layers or folds that differ; run "
            "`emobox probe` with another of them"
        )
    tables = [_pair_table(corpus, systems, SCORES[score]) for corpus, systems in corpora.items()]
    return _add_ranks(tables, {corpus: _counted(systems, score) for corpus, systems in corpora.items()}, SCORES[score])


def compare_paper(*, score: str = "ua") -> Compared:
    """The ranks of the paper's own table, 32 corpora by ten encoders.

    Raises:
        InputError: The paper lacks the score.
    """
    if score not in PAPER_METRICS:
        raise InputError(f"the paper has {', '.join(PAPER_METRICS)}, not {score}")
    from emobox_hf.corpora.spec import list_corpora

    metric = PAPER_METRICS[score]
    printed = {corpus: {name: one[metric] for name, one in paper_scores(corpus).items()} for corpus in list_corpora()}
    return _add_ranks([], printed, SCORES[score], (PAPER_NOTE,))


def _name(run: Run, name: str, runs: Sequence[Run]) -> str:
    """A system's name, with its kind of folds where these differ."""
    return name if len({one.kind_of_folds for one in runs}) == 1 else f"{name}, {run.kind_of_folds} folds"


def _counted(systems: Mapping[str, Run], score: str) -> dict[str, float]:
    """The scores that ranks may count, as tables show them."""
    marked = zip(systems, mark_runs(list(systems.values())), strict=True)
    values = {name: one.run.score(score) for name, one in marked if one.counts()}
    return {name: value for name, value in values.items() if value is not None}


def _pair_table(corpus: str, systems: Mapping[str, Run], score: Score) -> Table:
    predictions: dict[str, list[FoldPredictions]] = {
        name: read_predictions(run.folder, run.record) for name, run in systems.items()
    }
    ordered = sorted(systems, key=lambda name: -(systems[name].score(score.name) or 0.0))
    pairs = [
        (one, other)
        for one, other in combinations(ordered, 2)
        if systems[one].record.labels == systems[other].record.labels
    ]
    found = [compare(score, predictions[one], predictions[other]) for one, other in pairs]
    known = [one.p_value for one in found if one.p_value is not None]
    adjusted = iter(holm(known))
    rows: list[tuple[Cell, ...]] = [
        (one, other, *_cells(score, difference, None if difference.p_value is None else next(adjusted)))
        for (one, other), difference in zip(pairs, found, strict=True)
    ]
    marked = dict(zip(systems, mark_runs(list(systems.values())), strict=True))
    marks = {
        (i, j): marked[name].marks for i, pair in enumerate(pairs) for j, name in enumerate(pair) if marked[name].marks
    }
    return Table(
        f"{corpus}: {score.title}",
        ("first", "second", "difference", "p", "p, Holm", "detectable"),
        tuple(rows),
        (RULES, *explain(marks.values())),
        marks,
        score.decimals,
    )


def _cells(score: Score, found: Difference, p_holm: float | None) -> tuple[Cell, Cell, Cell, Cell]:
    return (
        show_summary(score.name, found.difference, found.interval),
        show_p(found.p_value),
        show_p(p_holm),
        score.scale(found.detectable),
    )


def _add_ranks(
    tables: list[Table], scores: Mapping[str, Mapping[str, float]], score: Score, notes: tuple[str, ...] = ()
) -> Compared:
    """The tables and, of systems that were run on every one of enough corpora, those of their ranks."""
    names = sorted(set.intersection(*(set(one) for one in scores.values())))
    try:
        values = np.array([[one[name] for name in names] for one in scores.values()])
        ranking = rank_systems(values, higher_is_better=score.higher_is_better)
    except InputError:  # too few of either
        return Compared(tables)
    order = sorted(range(len(names)), key=lambda i: ranking.mean_ranks[i])
    means = values.mean(axis=0)
    ranks = Table(
        f"Mean rank by {score.title} over {len(scores)} corpora",
        ("system", "mean rank", f"mean {score.title}"),
        tuple((names[i], f"{ranking.mean_ranks[i]:.2f}", float(means[i])) for i in order),
        (
            f"Friedman: chi-squared {ranking.statistic:.1f}, p = {ranking.p_value:.1g}. Nemenyi's critical difference "
            f"at 0.05 is {ranking.critical_difference:.2f}: mean ranks that are closer are not told apart by it. The "
            "test of the pairs below is sharper, and what it says of two systems does not depend on the others.",
            f"Corpora: {', '.join(scores)}.",
            *notes,
        ),
        decimals=score.decimals,
    )
    pairs = Table(
        f"Pairs over {len(scores)} corpora, by Wilcoxon's signed-rank test",
        ("first", "second", "median difference", "wins", "losses", "p", "p, Holm"),
        tuple(
            (
                names[pair.first],
                names[pair.second],
                pair.median,
                pair.wins,
                pair.losses,
                show_p(pair.p_value),
                show_p(pair.p_holm),
            )
            for pair in ranking.pairs
        ),
        (f"Differences of {score.title} in points; p after Holm's correction for {len(ranking.pairs)} pairs.",),
        decimals=score.decimals,
    )
    return Compared([*tables, ranks, pairs], ranking, tuple(names))
