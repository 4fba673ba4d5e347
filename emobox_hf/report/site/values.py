"""Scores of a run as pages show them."""

import math
from collections.abc import Mapping
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
    interval = run.record.summary.get(score, {}).get("interval")
    if not isinstance(interval, Mapping):
        return None
    low, high = (SCORES[score].scale(interval.get(name)) for name in ("low", "high"))
    return None if low is None or high is None or not math.isfinite(high - low) else (low, high)


def value_of(run: Run, score: str) -> Value:
    """One of `scores.SCORES` of a run."""
    summary = run.record.summary.get(score, {})
    scale = SCORES[score].scale
    return Value(run.score(score), interval_of(run, score), scale(summary.get("std")), scale(summary.get("std_seeds")))


def values_of(run: Run) -> dict[str, Value]:
    """Every score that tables show."""
    return {score: value_of(run, score) for score in shown_scores()}
