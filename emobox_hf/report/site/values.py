"""Scores of a run as pages show them."""

import math
from dataclasses import dataclass

from emobox_hf.report.collect import Run
from emobox_hf.scores import SCORES, Interval, shown_scores


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


def bounds_of(score: str, interval: Interval | None) -> tuple[float, float] | None:
    """An interval as tables show the score; None where there is none, or half of one."""
    if interval is None or interval.low is None or interval.high is None:
        return None
    low, high = SCORES[score].scale(interval.low), SCORES[score].scale(interval.high)
    return (low, high) if math.isfinite(high - low) else None


def show_estimate(score: str, mean: float, interval: Interval) -> Value:
    """A score and its interval, as `scores.intervals.estimate` gives them."""
    return Value(SCORES[score].scale(mean), bounds_of(score, interval))


def interval_of(run: Run, score: str) -> tuple[float, float] | None:
    """Bounds of the interval that a run's record has of a score."""
    summary = run.record.summary.get(score)
    return bounds_of(score, summary.interval if summary else None)


def value_of(run: Run, score: str) -> Value:
    """One of `scores.SCORES` of a run."""
    summary, scale = run.record.summary.get(score), SCORES[score].scale
    if summary is None:
        return Value(None)
    return Value(scale(summary.mean), interval_of(run, score), scale(summary.std), scale(summary.std_seeds))


def values_of(run: Run) -> dict[str, Value]:
    """Every score that tables show."""
    return {score: value_of(run, score) for score in shown_scores()}
