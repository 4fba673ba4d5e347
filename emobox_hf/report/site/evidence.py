"""What the predictions of a run say: its calibration and its scores by speaker. They are read once, here."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emobox_hf.corpora.configurations import RANDOM
from emobox_hf.report.collect import Run
from emobox_hf.report.protocol import is_contaminated
from emobox_hf.report.site.hard import CorpusEvidence, Utterances
from emobox_hf.report.site.predictions import Tested, read_tested
from emobox_hf.scores import ua, wa
from emobox_hf.scores.calibration import N_BINS, calibration_error, find_bins


@dataclass(frozen=True)
class Bin:
    """Predictions of like confidence, from `low` to `high`: how many, how confident and how often right, 0 to 1."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """How far the likeliest label's probability is the share of predictions that are right.

    Attributes:
        bins: Those that hold predictions, of equal width.
        ece: Expected calibration error, 0 to 1: mean distance of confidence and accuracy, weighted by bin.
        n: Predictions, those of all folds and seeds.
        confidence: Their mean, 0 to 1.
        accuracy: Share that is right, 0 to 1.
    """

    bins: tuple[Bin, ...]
    ece: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class SpeakerScore:
    """A speaker's predictions: how many, UA over the labels the speaker has, and WA, in percent."""

    speaker: str
    n: int
    ua: float
    wa: float


@dataclass(frozen=True)
class RunEvidence:
    """What a run's predictions say; `speakers` are in order of UA, lowest first, and none where they are not known."""

    calibration: Calibration
    speakers: tuple[SpeakerScore, ...]


def gather(runs: Sequence[Run]) -> tuple[CorpusEvidence | None, list[RunEvidence | None]]:
    """What the predictions of the runs that are tested on one corpus say of it, and of each run.

    A run whose folder has a record alone says nothing. Runs across corpora, and those whose encoder met the corpus, say
    nothing of the corpus.
    """
    utterances = Utterances()
    judged: list[RunEvidence | None] = []
    for run in runs:
        tested = read_tested(run)
        judged.append(None if tested is None else RunEvidence(_calibrate(tested), _score_speakers(tested)))
        if tested is not None and run.settings.experiment == "intra-corpus" and not is_contaminated(run):
            utterances.add(tested, is_random=run.kind_of_folds == RANDOM)
    return utterances.summarize(), judged


def _calibrate(tested: Tested) -> Calibration:
    confidence = tested.probabilities.max(axis=1).astype(np.float64)
    right = tested.predicted == tested.references
    place = find_bins(confidence)
    n = np.bincount(place, minlength=N_BINS)
    sums = [np.bincount(place, weights=values, minlength=N_BINS) for values in (confidence, right)]
    mean_confidence, accuracy = (one / np.maximum(n, 1) for one in sums)
    bins = tuple(
        Bin(i / N_BINS, (i + 1) / N_BINS, int(n[i]), float(mean_confidence[i]), float(accuracy[i]))
        for i in np.flatnonzero(n)
    )
    ece = float(calibration_error(np.concatenate([n, *sums])))
    return Calibration(bins, ece, len(right), float(confidence.mean()), float(right.mean()))


def _score_speakers(tested: Tested) -> tuple[SpeakerScore, ...]:
    names, n_labels = tested.speaker_names, tested.probabilities.shape[1]
    known = tested.speakers >= 0
    if not known.any():
        return ()
    cells = (tested.speakers[known] * n_labels + tested.references[known]) * n_labels + tested.predicted[known]
    counts = np.bincount(cells, minlength=len(names) * n_labels**2).reshape(len(names), n_labels, n_labels)
    n, by_ua, by_wa = counts.sum(axis=(1, 2)), 100 * ua(counts), 100 * wa(counts)
    rows = (SpeakerScore(names[i], int(n[i]), float(by_ua[i]), float(by_wa[i])) for i in range(len(names)) if n[i])
    return tuple(sorted(rows, key=lambda row: (row.ua, row.speaker)))
