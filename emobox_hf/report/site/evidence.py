"""What the predictions of a run say: scores by fold and speaker, calibration. They are read once, here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emobox_hf.corpora.configurations import RANDOM
from emobox_hf.report.collect import Run
from emobox_hf.report.protocol import is_contaminated
from emobox_hf.report.site.hard import CorpusEvidence, Utterances
from emobox_hf.report.site.values import Value, show_estimate
from emobox_hf.results import PREDICTIONS, FoldPredictions, estimate_parts, join_folds, read_predictions
from emobox_hf.scores import SCORES, ua, wa
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
    """What a run's predictions say.

    Attributes:
        folds: UA of each fold, seeds averaged, with its interval over the fold's test speakers.
        calibration: Of all folds and seeds together.
        speakers: In order of UA, lowest first; none where they are not known.
    """

    folds: Mapping[str, Value]
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
        if not (run.folder / PREDICTIONS).is_file():
            judged.append(None)
            continue
        predictions = read_predictions(run.folder, run.record)
        tested = join_folds(predictions)
        judged.append(RunEvidence(_score_folds(predictions), _calibrate(tested), _score_speakers(tested)))
        if run.settings.experiment == "intra-corpus" and not is_contaminated(run):
            utterances.add(tested, run.record.labels, is_random=run.kind_of_folds == RANDOM)
    return utterances.summarize(), judged


def _score_folds(predictions: Sequence[FoldPredictions]) -> dict[str, Value]:
    names = dict.fromkeys(one.fold for one in predictions)
    by_fold = {name: [one for one in predictions if one.fold == name] for name in names}
    return {name: show_estimate("ua", *estimate_parts(SCORES["ua"], parts)) for name, parts in by_fold.items()}


def _calibrate(tested: FoldPredictions) -> Calibration:
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


def _score_speakers(tested: FoldPredictions) -> tuple[SpeakerScore, ...]:
    names, n_labels = sorted({name for name in tested.speakers if name is not None}), tested.probabilities.shape[1]
    if not names:
        return ()
    number_of: dict[str | None, int] = {None: -1} | {name: number for number, name in enumerate(names)}
    speakers = np.fromiter(map(number_of.__getitem__, tested.speakers), dtype=np.int64, count=len(tested.keys))
    known = speakers >= 0
    cells = (speakers[known] * n_labels + tested.references[known]) * n_labels + tested.predicted[known]
    counts = np.bincount(cells, minlength=len(names) * n_labels**2).reshape(len(names), n_labels, n_labels)
    n, by_ua, by_wa = counts.sum(axis=(1, 2)), 100 * ua(counts), 100 * wa(counts)
    rows = (SpeakerScore(name, int(n[i]), float(by_ua[i]), float(by_wa[i])) for i, name in enumerate(names))
    return tuple(sorted(rows, key=lambda row: (row.ua, row.speaker)))
