"""The page of a corpus: what it is, who says what, its folds and their audit, its runs, what is hard in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emobox_hf.corpora.configurations import PUBLISHED, kind_of
from emobox_hf.corpora.spec import ACCESS, CorpusSpec
from emobox_hf.report.site.entries import CROSS, Entry, find_spec
from emobox_hf.report.site.evidence import RunEvidence
from emobox_hf.report.site.hard import CorpusEvidence
from emobox_hf.report.site.matrices import Matrix, confusion_of
from emobox_hf.report.site.run_page import mean_of_folds, tell_shared
from emobox_hf.report.site.values import Value
from emobox_hf.results import FoldRecord

MAX_SPEAKERS = 100


@dataclass(frozen=True)
class CorpusFold:
    """A fold of a corpus and the UA, in percent, that runs have on it.

    Attributes:
        fold: Its name.
        kind: Its kind of folds.
        source: Where its lists are from.
        sizes: Utterances of train, validation and test.
        verdict: Of its audit.
        shared: Test speakers that are in train or validation, in words.
        n_runs: Runs that were tested on it.
        low: Lowest UA of these.
        median: Their median.
        high: The highest.
        best: The UA of the corpus's best run, with its interval; None where that run lacks the fold or predictions.
    """

    fold: str
    kind: str
    source: str
    sizes: tuple[int, int, int]
    verdict: str
    shared: str
    n_runs: int
    low: float
    median: float
    high: float
    best: Value | None


@dataclass(frozen=True)
class CorpusPage:
    """A corpus's page.

    Attributes:
        name: The corpus.
        page: The stem of its file.
        spec: Its spec; None for a corpus of one's own.
        access: How it is had, in words.
        folds: Those that runs inside the corpus have.
        entries: The runs tested on it, highest UA first.
        best: The run of highest UA on published folds, else on any, whose encoder did not meet the corpus.
        confusion: That run's confusion matrix.
        evidence: What predictions say; None where none are at hand.
        n_more_speakers: Speakers beyond those that the table of labels holds.
        audio: Key to the site's copy of its sound.
    """

    name: str
    page: str
    spec: CorpusSpec | None
    access: str
    folds: tuple[CorpusFold, ...]
    entries: tuple[Entry, ...]
    best: Entry | None
    confusion: Matrix | None
    evidence: CorpusEvidence | None
    n_more_speakers: int
    audio: Mapping[str, str]

    @property
    def speakers(self) -> tuple[tuple[str | None, tuple[int, ...]], ...]:
        """The first speakers' utterances by label."""
        return self.evidence.counts[:MAX_SPEAKERS] if self.evidence else ()

    @property
    def totals(self) -> tuple[int, ...]:
        """Utterances by label, of all speakers."""
        counts = [row for _, row in self.evidence.counts] if self.evidence else []
        return tuple(map(sum, zip(*counts, strict=True)))

    @property
    def best_ua(self) -> float | None:
        """UA of the best run in percent."""
        return self.best.values["ua"].mean if self.best else None


def make_corpus_page(
    name: str,
    page: str,
    entries: Sequence[Entry],
    evidence: CorpusEvidence | None,
    audio: Mapping[str, str],
    judged: Mapping[str, RunEvidence],
) -> CorpusPage:
    """The page of one corpus from the runs that are tested on it.

    Args:
        name: The corpus.
        page: The stem of its file.
        entries: The runs.
        evidence: What their predictions say of the corpus.
        audio: Key to the site's copy of its sound.
        judged: What the predictions say of each run that has any, by its page.
    """
    spec, best = find_spec(name), _find_best(entries)
    best_folds = judged[best.page].folds if best and best.page in judged else {}
    return CorpusPage(
        name=name,
        page=page,
        spec=spec,
        access=ACCESS[spec.access] if spec else "",
        folds=tuple(_list_folds([entry for entry in entries if entry.protocol != CROSS], best_folds)),
        entries=tuple(sorted(entries, key=lambda entry: (-_ua(entry), entry.page))),
        best=best,
        confusion=confusion_of(best.run.record) if best else None,
        evidence=evidence,
        n_more_speakers=max(0, len(evidence.counts) - MAX_SPEAKERS) if evidence else 0,
        audio=audio,
    )


def _find_best(entries: Sequence[Entry]) -> Entry | None:
    inside = [entry for entry in entries if entry.protocol != CROSS and not entry.is_contaminated]
    published = [entry for entry in inside if entry.protocol == PUBLISHED]
    return max(published or inside, key=lambda entry: (_ua(entry), entry.page), default=None)


def _list_folds(entries: Sequence[Entry], best: Mapping[str, Value]) -> list[CorpusFold]:
    scores: dict[str, list[float]] = {}
    told: dict[str, FoldRecord] = {}
    for entry in entries:
        told |= {fold.fold: fold for fold in entry.run.record.folds}
        for fold, ua in mean_of_folds(entry, "ua").items():
            scores.setdefault(fold, []).append(ua)
    return [
        CorpusFold(
            fold=name,
            kind=kind_of(name),
            source=told[name].source,
            sizes=(told[name].n_train, told[name].n_validation, told[name].n_test),
            verdict=str(told[name].audit.get("verdict", "")),
            shared=tell_shared(told[name].audit),
            n_runs=len(values),
            low=min(values),
            median=float(np.median(values)),
            high=max(values),
            best=best.get(name),
        )
        for name, values in sorted(scores.items(), key=lambda item: (kind_of(item[0]), len(item[0]), item[0]))
    ]


def _ua(entry: Entry) -> float:
    mean = entry.values["ua"].mean
    return -1.0 if mean is None else mean
