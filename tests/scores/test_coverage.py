"""The rule of inference holds what it says where the bootstrap does not: a short version of the benchmark."""

import pytest

from benchmarks.perf.coverage import measure_coverage, measure_false_positives
from emobox_hf.scores import bootstrap_intervals, score_differences, score_intervals

N_SETS = 400  # a share of 0.95 has a standard error of 0.011 then


@pytest.mark.parametrize("is_uneven", [False, True])
@pytest.mark.parametrize("n_speakers", [4, 5, 10, 24])
def test_intervals_hold_the_truth_as_often_as_they_say(n_speakers, is_uneven):
    covers, _ = measure_coverage(score_intervals, n_speakers, N_SETS, 0, is_uneven=is_uneven)
    assert 0.92 - 0.01 <= covers <= 0.97 + 0.01
    false = measure_false_positives(score_differences, n_speakers, N_SETS, 0, is_uneven=is_uneven)
    assert 0.03 - 0.01 <= false <= 0.07 + 0.01


def test_the_bootstrap_is_too_narrow_at_four_speakers():
    covers, _ = measure_coverage(bootstrap_intervals, 4, 200, 0, is_uneven=False)
    assert covers < 0.88
