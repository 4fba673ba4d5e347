"""What a run scored as a whole: one rule for folds and seeds, used by records and every table.

A score is computed for each fold and seed. The seeds of a fold are averaged, then the folds. Beside that mean stands
the score of all test utterances together, seed by seed and then averaged. Both have an interval over test speakers, by
`scores.intervals`; the deviation over seeds is what training and the draw of the validation part vary by.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emobox_hf.errors import InputError
from emobox_hf.results.predictions import FoldPredictions, join_folds
from emobox_hf.scores import SCORES, Difference, Interval, Rows, Score, estimate, estimate_difference, mean_over_folds


@dataclass(frozen=True, kw_only=True)
class ScoreSummary:
    """One score of a run; fractions for scores that are fractions.

    Attributes:
        mean: Over folds, the seeds of a fold averaged first.
        std: Sample standard deviation over folds, of those means; None for a single fold.
        std_seeds: Sample standard deviation over seeds, of the means over folds; None for a single seed.
        interval: Of `mean`, over test speakers, or utterances where speakers are unknown; None in a record of an
            earlier version whose predictions are lost.
        pooled: The score of the test utterances of all folds together, averaged over seeds; None likewise.
        pooled_interval: Its interval; None likewise.
    """

    mean: float
    std: float | None = None
    std_seeds: float | None = None
    interval: Interval | None = None
    pooled: float | None = None
    pooled_interval: Interval | None = None


def summarize(predictions: Sequence[FoldPredictions]) -> dict[str, ScoreSummary]:
    """Every score of `scores.SCORES` that the predictions of a run, of all folds and seeds, suffice for."""
    parts, units = list_parts(predictions)
    pooled_parts, pooled_units = list_parts(pool_folds(predictions))
    summaries = {}
    for score in SCORES.values():
        if not all(score.is_computable(rows) for rows in parts):
            continue
        values = [score.compute(rows) for rows in parts]
        mean, std = mean_over_folds(_means(values, [one.fold for one in predictions]))
        _, std_seeds = mean_over_folds(_means(values, [one.seed for one in predictions]))
        _, interval = estimate(score, parts, units)
        pooled, pooled_interval = estimate(score, pooled_parts, pooled_units)
        summaries[score.name] = ScoreSummary(
            mean=mean,
            std=std,
            std_seeds=std_seeds,
            interval=interval,
            pooled=pooled,
            pooled_interval=pooled_interval,
        )
    return summaries


def compare(score: Score, first: Sequence[FoldPredictions], second: Sequence[FoldPredictions]) -> Difference:
    """The difference between two runs, the second subtracted, on the utterances that both tested, paired by speaker.

    It is of all those utterances together, averaged over seeds, so that runs of different folds can be compared.

    Raises:
        InputError: They have no test utterance in common, or their class sets differ.
    """
    both = {key for one in first for key in one.keys} & {key for one in second for key in one.keys}
    if not both:
        raise InputError("the two runs have no test utterance in common, so there is nothing to compare")
    sides = [
        [one.take([row for row, key in enumerate(one.keys) if key in both]) for one in pool_folds(predictions)]
        for predictions in (first, second)
    ]
    (one, one_units), (other, other_units) = map(list_parts, sides)
    return estimate_difference(score, one, other, one_units, other_units)


def estimate_parts(score: Score, parts: Sequence[FoldPredictions]) -> tuple[float, Interval]:
    """The mean of a score over parts, such as the seeds of `pool_folds`, and its interval."""
    return estimate(score, *list_parts(parts))


def pool_folds(predictions: Sequence[FoldPredictions]) -> list[FoldPredictions]:
    """All folds of a seed as one, for each seed."""
    seeds = dict.fromkeys(one.seed for one in predictions)
    return [join_folds([one for one in predictions if one.seed == seed]) for seed in seeds]


def list_parts(predictions: Sequence[FoldPredictions]) -> tuple[list[Rows], list[Sequence[object]]]:
    """Rows of each part, and what is left out in turn: speakers where all of them are known, else utterances."""
    parts = [one.rows for one in predictions]
    if all(rows.speakers is not None for rows in parts):
        return parts, [one.speakers for one in predictions]
    unnamed = [rows.take(np.arange(len(rows.references)), speakers=None) for rows in parts]
    return unnamed, [one.keys for one in predictions]


def _means(values: Sequence[float], names: Sequence[object]) -> list[float]:
    """The mean of the values of each name."""
    return [
        float(np.mean([value for value, name in zip(values, names, strict=True) if name == one]))
        for one in dict.fromkeys(names)
    ]
