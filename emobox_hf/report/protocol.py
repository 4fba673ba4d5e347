"""What of a run's protocol a table has to say beside its score: marks of cells, and what they mean.

A cell of a table is one protocol. A run that differs in one of these is never taken for another: of several runs for a
cell those without a fault go first (`choose_run`), and a cell that has one bears its mark.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from emobox_hf.corpora.spec import list_corpora, load_spec
from emobox_hf.encoders.known.table import find_known
from emobox_hf.report.collect import Run

CONTAMINATED, LEAK, INCOMPLETE, OTHER_CLASSES, OTHER_TEST = "†", "‡", "§", "¶", "#"
MEANINGS = {
    CONTAMINATED: "the encoder was trained or tuned on the tested corpus, or chose the utterances that are tested",
    LEAK: "a speaker or a recording of a test part is also in its train or validation part",
    INCOMPLETE: "utterances or folds are missing, or clips were left out because they could not be read",
    OTHER_CLASSES: "other classes than the corpus's, or a test part that lacks some, so that chance differs",
    OTHER_TEST: "tested on other utterances than most runs of its row",
}
"""What each mark means, in the order of marks."""
BARRED = frozenset({CONTAMINATED, INCOMPLETE, OTHER_CLASSES, OTHER_TEST})
"""Marks whose cells are left out of means; what leaks by the published folds themselves leaks for every encoder."""


@dataclass(frozen=True)
class Marked:
    """A run and the marks of its cell, in the order of `MEANINGS`."""

    run: Run
    marks: str

    def counts(self, *, with_contaminated: bool = False) -> bool:
        """Whether means count it."""
        return not (BARRED - ({CONTAMINATED} if with_contaminated else set())) & set(self.marks)


def mark_runs(runs: Sequence[Run]) -> list[Marked]:
    """The runs of one row, all of one corpus, with the marks of each."""
    tests = Counter(_test_digests(run) for run in runs)
    # Of equally many the run with most utterances; a record of an earlier version may not tell its digests.
    usual = max(tests, key=lambda one: (tests[one], max(_n_tested(run) for run in runs if _test_digests(run) == one)))
    return [Marked(run, _mark(run, is_other=_test_digests(run) != usual)) for run in runs]


def mark_run(run: Run) -> Marked:
    """A run that stands alone."""
    return Marked(run, _mark(run, is_other=False))


def explain(marks: Iterable[str], *, has_means: bool = False, with_contaminated: bool = False) -> list[str]:
    """A note for each mark that occurs; of a table that has means, also whether they count such cells."""
    used = set("".join(marks))

    def fate(mark: str) -> str:
        is_out = mark in BARRED and not (with_contaminated and mark == CONTAMINATED)
        return f"; {'left out of' if is_out else 'in'} the mean" if has_means else ""

    return [f"{mark}: {text}{fate(mark)}." for mark, text in MEANINGS.items() if mark in used]


def choose_run(runs: Sequence[Run]) -> Run:
    """Of several runs for one cell: one without faults before others, of those the latest."""
    faults = [sum(mark != CONTAMINATED for mark in _mark(run, is_other=False)) for run in runs]
    return max(zip(faults, range(len(runs)), runs, strict=True), key=lambda one: (-one[0], one[1]))[2]


def is_contaminated(run: Run) -> bool:
    """Whether a run's encoder is known to have been trained on the tested corpus, or to have chosen its test set."""
    known, partition, tested = find_known(run.encoder), run.settings.partition, run.settings.tested
    chosen_by = partition.test_set_chosen_by
    if chosen_by and chosen_by in (run.encoder, known and known.id, known and known.repo_id):
        return True
    if known is None:
        return False
    return tested in known.trained_on or (partition.test_set == "balanced" and tested in known.chose_test_sets)


def _mark(run: Run, *, is_other: bool) -> str:
    record = run.record
    is_marked = {
        CONTAMINATED: is_contaminated(run),
        LEAK: any(fold.audit.get("verdict") == "leak" for fold in record.folds),
        INCOMPLETE: not record.is_complete,
        OTHER_CLASSES: _has_other_classes(run),
        OTHER_TEST: is_other,
    }
    return "".join(mark for mark in MEANINGS if is_marked[mark])


def _has_other_classes(run: Run) -> bool:
    if any(fold.scores.get("absent") for fold in run.record.folds):
        return True
    if run.settings.experiment != "intra-corpus" or run.corpus not in list_corpora():
        return False
    return set(run.record.labels) != set(load_spec(run.corpus).emotions)


def _test_digests(run: Run) -> tuple[tuple[str, str], ...]:
    """Fold and digest of the keys of each test part."""
    return tuple(sorted({(fold.fold, fold.digests.get("test", "")) for fold in run.record.folds}))


def _n_tested(run: Run) -> int:
    return sum({fold.fold: fold.n_test for fold in run.record.folds}.values())
