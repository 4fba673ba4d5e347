"""Scores of a run as pages show them."""

import math
from dataclasses import dataclass

from emobox_hf.report.collect import Run
from emobox_hf.scores import SCORES, shown_scores


@dataclass(frozen=True)
class Value:
    """A score as tables show it, in percent where it is a fraction.

    Attributes:
        mean: Over folds; None where the record does not have it.
        interval: Bounds of its 95 % interval; None where the record has none.
        std_folds: Sample standard deviation over folds.
        std_seeds: The same over seeds.
    """

    mean: float | None
    interval: tuple[float, float] | None = None
    std_folds: float | None = None
    std_seeds: float | None = None


def interval_of(run: Run, score: str) -> tuple[float, float] | None:
    """Bounds of a score's interval as tables show the score; None where the record has no interval, or half of one."""
    summary = run.record.summary.get(score)
    interval = summary.interval if summary else None
    if interval is None or interval.low is None or interval.high is None:
        return None
    low, high = SCORES[score].scale(interval.low), SCORES[score].scale(interval.high)
    return (low, high) if math.isfinite(high - low) else None


def value_of(run: Run, score: str) -> Value:
    """One of `scores.SCORES` of a run."""
    summary, scale = run.record.summary.get(score), SCORES[score].scale
    if summary is None:
        return Value(None)
    return Value(scale(summary.mean), interval_of(run, score), scale(summary.std), scale(summary.std_seeds))


def values_of(run: Run) -> dict[str, Value]:
    """Every score that tables show."""
    return {score: value_of(run, score) for score in shown_scores()}
