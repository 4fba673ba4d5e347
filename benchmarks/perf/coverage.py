"""How often intervals hold the truth, and how often a difference is found where there is none, by simulation.

    python benchmarks/perf/coverage.py [--test-sets 2000] [--seed 0] [--json FILE]

A test set is drawn from a population of speakers: each has a chance to be recognised in each of four emotions, by a
logit with a deviation between speakers of 0.7 and of 0.6 more by emotion, around emotions of 29 to 54 % error. `even`
speakers say ten utterances of each emotion; of `uneven` ones the number of utterances varies threefold (log-normal,
0.6) and emotions are mixed by a Dirichlet distribution of concentration 3. The truth is the UA over the population. For
differences two systems share a speaker's logits up to deviations of 0.4 and 0.3, and are equally good over the
population. `tests/scores/test_coverage.py` runs a short version.
"""

import argparse
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emobox_hf.scores import (
    Difference,
    Interval,
    bootstrap_differences,
    bootstrap_intervals,
    score_differences,
    score_intervals,
)

N_SPEAKERS = (4, 5, 10, 24, 90)
EMOTION_LOGITS = np.array([1.2, 0.8, 0.3, -0.2])
N_CLASSES, PER_SPEAKER = len(EMOTION_LOGITS), 40

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def draw_references(n_speakers: int, rng: np.random.Generator, *, is_uneven: bool) -> tuple[Labels, Labels]:
    """Classes and speakers of a test set, int64 (n,) each."""
    counts = np.full((n_speakers, N_CLASSES), PER_SPEAKER // N_CLASSES)
    if is_uneven:
        sizes = np.exp(rng.normal(0, 0.6, n_speakers))
        mix = rng.dirichlet(np.full(N_CLASSES, 3.0), n_speakers)
        counts = rng.poisson(PER_SPEAKER * (sizes / sizes.mean())[:, None] * mix)
    speakers, classes = (index.reshape(-1) for index in np.indices(counts.shape))
    return np.repeat(classes, counts.reshape(-1)), np.repeat(speakers, counts.reshape(-1))


def draw_logits(n_speakers: int, rng: np.random.Generator) -> Floats:
    """How well each speaker is recognised in each emotion, float64 (speakers, classes)."""
    return EMOTION_LOGITS + rng.normal(0, 0.7, (n_speakers, 1)) + rng.normal(0, 0.6, (n_speakers, N_CLASSES))


def draw_predictions(logits: Floats, references: Labels, speakers: Labels, rng: np.random.Generator) -> Labels:
    """Predictions int64 (n,) that are right as often as the logits say, else another class at random."""
    is_right = rng.random(len(references)) < sigmoid(logits)[speakers, references]
    wrong = (references + rng.integers(1, N_CLASSES, len(references))) % N_CLASSES
    return np.where(is_right, references, wrong)


def sigmoid(logits: Floats) -> Floats:
    """Logits to chances."""
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float64)


@cache
def true_ua() -> float:
    """Of the population."""
    return float(sigmoid(draw_logits(400_000, np.random.default_rng(1))).mean())


def measure_coverage(
    estimate: Callable[..., dict[str, Interval]], n_speakers: int, n_sets: int, seed: int, *, is_uneven: bool
) -> tuple[float, float]:
    """The share of 95 % intervals that hold the truth, and their median width; fractions."""
    rng, truth = np.random.default_rng([seed, n_speakers, is_uneven]), true_ua()
    hits, widths = 0, []
    for _ in range(n_sets):
        references, speakers = draw_references(n_speakers, rng, is_uneven=is_uneven)
        predictions = draw_predictions(draw_logits(n_speakers, rng), references, speakers, rng)
        ua = estimate(references, predictions, N_CLASSES, speakers=speakers)["ua"]
        low, high = bounds_of(ua)
        hits += low <= truth <= high
        widths.append(high - low)
    return hits / n_sets, float(np.median(widths))


def measure_false_positives(
    compare: Callable[..., dict[str, Difference]], n_speakers: int, n_sets: int, seed: int, *, is_uneven: bool
) -> float:
    """The share of 95 % intervals of a difference that leave out 0, where there is no difference."""
    rng = np.random.default_rng([seed, n_speakers, is_uneven])
    found = 0
    for _ in range(n_sets):
        references, speakers = draw_references(n_speakers, rng, is_uneven=is_uneven)
        shared = draw_logits(n_speakers, rng)
        systems = [
            draw_predictions(
                shared + rng.normal(0, 0.4, (n_speakers, 1)) + rng.normal(0, 0.3, shared.shape),
                references,
                speakers,
                rng,
            )
            for _ in range(2)
        ]
        low, high = bounds_of(compare(references, *systems, N_CLASSES, speakers=speakers)["ua"].interval)
        found += not low <= 0 <= high
    return found / n_sets


def bounds_of(interval: Interval) -> tuple[float, float]:
    """Of an interval that is estimable; one without bounds says nothing false."""
    return (-np.inf if interval.low is None else interval.low), (np.inf if interval.high is None else interval.high)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--test-sets", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    rules = {
        "jackknife-t": (score_intervals, score_differences),
        "bootstrap": (bootstrap_intervals, bootstrap_differences),
    }
    figures = []
    print(f"{'rule':12} {'speakers':>15} {'covers %':>9} {'wide':>5}   {'false differences %':>19}")
    for name, (estimate, compare) in rules.items():
        for is_uneven in (False, True):
            for n_speakers in N_SPEAKERS:
                options = {"is_uneven": is_uneven}
                covers, wide = measure_coverage(estimate, n_speakers, arguments.test_sets, arguments.seed, **options)
                false = measure_false_positives(compare, n_speakers, arguments.test_sets, arguments.seed, **options)
                who = f"{n_speakers} {'uneven' if is_uneven else 'even'}"
                print(f"{name:12} {who:>15} {100 * covers:9.1f} {100 * wide:5.1f}   {100 * false:19.1f}", flush=True)
                figures.append({"rule": name, "speakers": who, "covers": covers, "width": wide, "false": false})
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
