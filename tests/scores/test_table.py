"""What one entry of SCORES gives."""

import dataclasses

import numpy as np
import pytest

from emobox_hf.errors import InputError
from emobox_hf.scores import SCORES, Score, bootstrap_differences, bootstrap_intervals, compute_scores

# By speaker: a has both classes right, b one of two, c none of two.
REFERENCES, PREDICTIONS, SPEAKERS = [0, 1, 0, 1, 0, 1], [0, 1, 0, 0, 1, 0], ["a", "a", "b", "b", "c", "c"]


def test_a_score_by_speaker_is_among_the_scores_where_speakers_are_known(speaker_ua):
    assert compute_scores(REFERENCES, PREDICTIONS, 2, speakers=SPEAKERS).values["speaker_ua"] == pytest.approx(0.5)
    assert "speaker_ua" not in compute_scores(REFERENCES, PREDICTIONS, 2).values


def test_a_score_by_speaker_has_an_interval_and_a_paired_difference(speaker_ua):
    interval = bootstrap_intervals(REFERENCES, PREDICTIONS, 2, speakers=SPEAKERS)["speaker_ua"]
    assert (interval.unit, interval.n_units) == ("speakers", 3)
    # Means of three draws from 1, 0.5 and 0: all alike once in 27, so 95 % lie from 0 to 1.
    assert (interval.low, interval.high) == (0.0, 1.0)
    found = bootstrap_differences(REFERENCES, REFERENCES, PREDICTIONS, 2, speakers=SPEAKERS)["speaker_ua"]
    assert found.difference == pytest.approx(0.5)
    assert (found.interval.low, found.interval.high) == (0.0, 1.0)
    assert "speaker_ua" not in bootstrap_intervals(REFERENCES, PREDICTIONS, 2)


def test_a_speaker_drawn_twice_counts_twice(monkeypatch):
    def count(rows):
        return float(len(set(rows.speakers)))

    score = Score(name="n", title="n", text="how many speakers.", compute=count, needs=("speakers",))
    monkeypatch.setitem(SCORES, "n", score)
    interval = bootstrap_intervals(REFERENCES, PREDICTIONS, 2, speakers=SPEAKERS)["n"]
    assert (interval.low, interval.high) == (3.0, 3.0)


@pytest.mark.parametrize("speakers", [None, np.arange(90) % 9])
def test_resamples_of_rows_are_those_of_confusion_matrices(monkeypatch, speakers):
    rng = np.random.default_rng(0)
    references, first, second = rng.integers(0, 3, (3, 90))
    slow = {
        f"slow_{name}": dataclasses.replace(score, name=f"slow_{name}", of_confusion=None)
        for name, score in SCORES.items()
        if score.of_confusion is not None
    }
    monkeypatch.setattr("emobox_hf.scores.bootstrap.SCORES", SCORES | slow)
    options = {"speakers": speakers, "n_resamples": 50}
    for results in (
        bootstrap_intervals(references, first, 3, **options),
        bootstrap_differences(references, first, second, 3, **options),
    ):
        for name in slow:
            assert results[name] == results[name.removeprefix("slow_")]


def test_a_score_of_probabilities_is_computed_where_there_are_some(monkeypatch):
    def miss(rows):
        return float(np.mean((1 - rows.probabilities[np.arange(len(rows.references)), rows.references]) ** 2))

    score = Score(
        name="miss",
        title="Miss",
        text="mean squared error of the true class's probability.",
        compute=miss,
        needs=("probabilities",),
        in_percent=False,
        higher_is_better=False,
    )
    monkeypatch.setitem(SCORES, "miss", score)
    probabilities = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], dtype=np.float32)
    assert compute_scores([0, 1, 0], [0, 0, 1], 2, probabilities=probabilities).values["miss"] == pytest.approx(
        1.25 / 3
    )
    interval = bootstrap_intervals([0, 1, 0], [0, 0, 1], 2, probabilities=probabilities)["miss"]
    assert (interval.low, interval.high) == (0.0, 1.0)
    assert "miss" not in compute_scores([0, 1, 0], [0, 0, 1], 2).values
    assert (score.caption, score.scale(0.25), score.decimals) == ("Miss (lower is better)", 0.25, 3)


def test_fractions_are_shown_in_percent():
    ua = SCORES["ua"]
    assert (ua.caption, ua.scale(0.25), ua.scale(None), ua.decimals) == ("UA in percent", 25.0, None, 1)


@pytest.mark.parametrize(
    ("speakers", "message"),
    [(["a"], "one speaker for each of the 6 utterances, found 1"), ([*SPEAKERS[:5], None], "1 of 6 .* no speaker")],
)
def test_speakers_that_do_not_fit_are_refused(speakers, message):
    with pytest.raises(InputError, match=message):
        compute_scores(REFERENCES, PREDICTIONS, 2, speakers=speakers)
