"""Does the partition matter: one encoder and head under different folds of one corpus."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from emobox_hf.corpora.configurations import RANDOM
from emobox_hf.errors import InputError
from emobox_hf.report.collect import KINDS_OF_FOLDS, Run, name_runs, show_p, show_summary
from emobox_hf.report.protocol import choose_run, explain, mark_run
from emobox_hf.report.table import Cell, Table
from emobox_hf.results import FoldPredictions, compare, pool_folds, read_predictions
from emobox_hf.scores import SCORES, Difference

BASE = "speaker-independent"
NO_RETAKES = "random, without retakes"
UNEQUAL = 0.02  # more of its own training utterances than this, and a run trains on another amount of data
TRAINED_ON_MORE = "*"


def partition_table(runs: Sequence[Run]) -> Table:
    """UA under each kind of folds with its interval, and its difference from speaker-independent folds.

    All test predictions of a seed are scored together, for the folds of a kind test each utterance once; the mean over
    folds stands beside. Differences are paired by speaker on the utterances that both tested. Random folds stand there
    twice: the second line is without test utterances of which train holds another take, the same sentence with the same
    emotion by the same speaker, so that what a known speaker is worth is told from what a known recording is worth.

    Raises:
        InputError: No corpus was run with one encoder under two kinds of folds.
    """
    groups: dict[tuple[str, str], dict[str, list[Run]]] = defaultdict(lambda: defaultdict(list))
    chosen = [run for run in runs if run.settings.experiment == "intra-corpus" and run.kind_of_folds in KINDS_OF_FOLDS]
    for run, name in zip(chosen, name_runs(chosen), strict=True):
        groups[run.corpus, name][run.kind_of_folds].append(run)
    rows: list[tuple[Cell, ...]] = []
    marks: dict[tuple[int, int], str] = {}
    for place, kinds in sorted(groups.items()):
        if len(kinds) > 1:
            _add_rows(place, {kind: choose_run(some) for kind, some in kinds.items()}, rows, marks)
    if not rows:
        raise InputError(
            "expected runs of one corpus and encoder under two kinds of folds, found none; run `emobox probe` with "
            "--folds si and with --folds random beside the published ones"
        )
    columns = ("corpus", "encoder", "folds", "trained on", "UA", "mean of folds", "over si", "p", "detectable")
    notes = [
        "UA of all test utterances together, averaged over seeds, in percent, with its 95 % interval over test "
        "speakers (utterances where speakers are unknown). Trained on: utterances of a fold's train part, mean. Over "
        "si: the difference from speaker-independent folds in points, paired by speaker on the utterances that both "
        "tested, with its interval; p of no difference; the smallest difference found four times in five.",
        *explain(mark for (_, column), mark in marks.items() if column == _FOLDS),
    ]
    if TRAINED_ON_MORE in marks.values():
        notes.append(
            f"{TRAINED_ON_MORE}: trained on another number of utterances, which is part of the difference; "
            "`--train-size equal` gives all kinds of folds as many."
        )
    if any(row[_OVER] == SAME for row in rows):
        notes.append(
            f"{SAME}: both test the same parts, and the same others train or validate; only the draw of the validation "
            "part differs, so there is no difference of partitions to be estimated."
        )
    if any(row[_OVER] == ALL_RETAKES for row in rows):
        notes.append(
            f"{ALL_RETAKES}: of every test utterance another take is trained on, so that what a known speaker is worth "
            "cannot be told from what a known sentence is."
        )
    return Table("What a partition is worth", columns, tuple(rows), tuple(notes), marks)


_FOLDS, _TRAINED, _OVER = 2, 3, 6
SAME, ALL_RETAKES = "same folds", "none left"


def _add_rows(
    place: tuple[str, str], kinds: dict[str, Run], rows: list[tuple[Cell, ...]], marks: dict[tuple[int, int], str]
) -> None:
    """The lines of one corpus and encoder, and their marks."""
    predictions = {
        kind: read_predictions(kinds[kind].folder, kinds[kind].record) for kind in KINDS_OF_FOLDS if kind in kinds
    }
    base = predictions.get(BASE)
    for kind, found in predictions.items():
        run = kinds[kind]
        summary, n_trained = run.record.summary["ua"], _n_trained(run)
        row: list[Cell] = [*place, kind, round(n_trained), show_summary("ua", summary.pooled, summary.pooled_interval)]
        row.append(run.estimate("ua"))
        if mark := mark_run(run).marks:
            marks[len(rows), _FOLDS] = mark
        if kind == BASE or base is None:
            rows.append((*row, None, None, None))
            continue
        if _has_same_folds(run, kinds[BASE]):
            rows.append((*row, SAME, None, None))
            continue
        if abs(n_trained / _n_trained(kinds[BASE]) - 1) > UNEQUAL:
            marks[len(rows), _TRAINED] = TRAINED_ON_MORE
        rows.append((*row, *_show_difference(compare(SCORES["ua"], found, base))))
        fresh = _without_retakes(found) if kind == RANDOM else None
        if fresh == []:
            rows.append((*place, NO_RETAKES, None, None, None, ALL_RETAKES, None, None))
        elif fresh is not None:
            rows.append((*place, NO_RETAKES, None, None, None, *_show_difference(compare(SCORES["ua"], fresh, base))))


def _show_difference(found: Difference) -> tuple[Cell, Cell, Cell]:
    difference = show_summary("ua", found.difference, found.interval)
    return difference, show_p(found.p_value), SCORES["ua"].scale(found.detectable)


def _n_trained(run: Run) -> float:
    return float(np.mean([fold.n_train for fold in run.record.folds]))


def _has_same_folds(one: Run, other: Run) -> bool:
    """Whether two runs test the same sets of utterances, so that the others of each fold are the same, too."""
    tests = [{fold.digests.get("test") for fold in run.record.folds} for run in (one, other)]
    return tests[0] == tests[1] and None not in tests[0]


def _without_retakes(predictions: Sequence[FoldPredictions]) -> list[FoldPredictions] | None:
    """The predictions without utterances of which another fold tests another take; None where there are no such takes.

    Random folds train on whatever they do not test, so a take that another fold tests is in train or validation.
    """
    whole = pool_folds(predictions)[0]
    if not all(whole.speakers) or not any(whole.sentences):
        return None
    fold_of = {key: one.fold for one in predictions for key in one.keys}
    takes: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for key, *take in zip(whole.keys, whole.speakers, whole.sentences, whole.references.tolist(), strict=True):
        takes[tuple(take)].add(fold_of[key])
    kept = []
    for one in predictions:
        named = zip(one.speakers, one.sentences, one.references.tolist(), strict=True)
        kept.append(one.take([row for row, take in enumerate(named) if take[1] is None or len(takes[take]) == 1]))
    if sum(len(one.keys) for one in kept) == sum(len(one.keys) for one in predictions):
        return None
    return [one for one in kept if one.keys]
