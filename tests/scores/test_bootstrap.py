import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from emobox_hf.errors import InputError
from emobox_hf.scores import bootstrap_differences, bootstrap_intervals, compute_scores


def clustered(n_speakers, *, seed, per_speaker=20):
    """Two classes; how often a speaker is recognised varies uniformly between speakers, 0.5 on average."""
    rng = np.random.default_rng(seed)
    speakers = np.repeat(np.arange(n_speakers), per_speaker)
    references = np.tile([0, 1], len(speakers) // 2)
    right = rng.random(len(speakers)) < rng.random(n_speakers)[speakers]
    return references, np.where(right, references, 1 - references), speakers


def width(interval):
    return interval.high - interval.low


@pytest.mark.parametrize("speakers", [None, ["a", "a", "b", "b", "c", "c"]])
def test_perfect_predictions_have_the_interval_one_to_one(speakers):
    labels = [0, 1, 0, 1, 2, 2]
    for interval in bootstrap_intervals(labels, labels, 4, speakers=speakers).values():
        assert (interval.low, interval.high) == (1.0, 1.0)


def test_interval_says_what_was_resampled():
    labels = [0, 1, 0, 1]
    by_speaker = bootstrap_intervals(labels, labels, 2, speakers=[7, 7, 8, 8], confidence=0.9, n_resamples=50)["ua"]
    assert (by_speaker.unit, by_speaker.n_units, by_speaker.method) == ("speakers", 2, "bootstrap")
    assert by_speaker.confidence == 0.9
    by_utterance = bootstrap_intervals(labels, labels, 2)["ua"]
    assert (by_utterance.unit, by_utterance.n_units) == ("utterances", 4)


def test_whole_speakers_are_drawn():
    # One speaker always right, one always wrong: a resample is right for 0, 1 or 2 of its 2 speakers.
    intervals = bootstrap_intervals([0, 1, 0, 1], [0, 1, 1, 0], 2, speakers=["a", "a", "b", "b"])
    assert (intervals["wa"].low, intervals["wa"].high) == (0.0, 1.0)
    middle = bootstrap_intervals([0, 1, 0, 1], [0, 1, 1, 0], 2, speakers=["a", "a", "b", "b"], confidence=0.1)
    assert (middle["wa"].low, middle["wa"].high) == (0.5, 0.5)


def test_ua_of_a_resample_without_a_class_is_over_the_classes_it_has():
    # Speaker a: class 0, all right. Speaker b: class 1, half right. Resamples aa, ab, bb have UA 1, 3/4, 1/2.
    ua = bootstrap_intervals([0, 0, 1, 1], [0, 0, 1, 0], 2, speakers=["a", "a", "b", "b"])["ua"]
    assert (ua.low, ua.high) == (0.5, 1.0)


def test_utterance_interval_of_accuracy_is_the_binomial_one():
    references = np.arange(100) % 4
    predictions = np.where(np.arange(100) < 80, references, (references + 1) % 4)
    wa = bootstrap_intervals(references, predictions, 4, n_resamples=20_000)["wa"]
    assert [wa.low, wa.high] == pytest.approx(binom(100, 0.8).ppf([0.025, 0.975]) / 100, abs=0.0101)


def test_speaker_interval_is_wider_on_clustered_data():
    references, predictions, speakers = clustered(20, seed=0)
    by_speaker = bootstrap_intervals(references, predictions, 2, speakers=speakers)
    by_utterance = bootstrap_intervals(references, predictions, 2)
    for name in by_utterance:
        assert width(by_speaker[name]) > 1.5 * width(by_utterance[name])


def test_interval_narrows_with_more_speakers():
    few, many = (
        bootstrap_intervals(*arrays[:2], 2, speakers=arrays[2])["ua"]
        for arrays in (clustered(10, seed=1), clustered(160, seed=1))
    )
    assert width(many) < 0.5 * width(few)


def test_speaker_interval_covers_the_truth_where_the_utterance_interval_does_not():
    covered = {"speakers": 0, "utterances": 0}
    for seed in range(200):
        references, predictions, speakers = clustered(30, seed=seed)
        for units in (speakers, None):
            ua = bootstrap_intervals(references, predictions, 2, speakers=units, n_resamples=200, seed=seed)["ua"]
            covered[ua.unit] += ua.low <= 0.5 <= ua.high
    assert 0.89 <= covered["speakers"] / 200 <= 0.99  # nominal 0.95
    assert covered["utterances"] / 200 < 0.75


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_interval_repeats_by_seed_whatever_the_order_of_utterances(seed, use_speakers):
    references, predictions, speakers = clustered(5, seed=3)
    order = np.random.default_rng(seed).permutation(len(references))
    kept, shuffled = (
        bootstrap_intervals(
            references[index],
            predictions[index],
            2,
            speakers=speakers[index] if use_speakers else None,
            n_resamples=50,
            seed=seed,
        )
        for index in (np.arange(len(references)), order)
    )
    assert kept == shuffled


def test_another_seed_gives_another_interval():
    references, predictions, speakers = clustered(12, seed=4)
    first, second = (
        bootstrap_intervals(references, predictions, 2, speakers=speakers, seed=seed)["ua"] for seed in (0, 1)
    )
    assert first != second


@given(st.integers(0, 1000), st.floats(0.05, 0.9))
def test_higher_confidence_contains_lower(seed, confidence):
    references, predictions, speakers = clustered(6, seed=seed)
    inner, outer = (
        bootstrap_intervals(references, predictions, 2, speakers=speakers, n_resamples=60, confidence=level)
        for level in (confidence, confidence + 0.05)
    )
    for name in inner:
        assert 0 <= outer[name].low <= inner[name].low <= inner[name].high <= outer[name].high <= 1


def test_difference_of_a_system_with_itself_is_zero():
    references, predictions, speakers = clustered(8, seed=5)
    for result in bootstrap_differences(references, predictions, predictions, 2, speakers=speakers).values():
        assert (result.difference, result.interval.low, result.interval.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("use_speakers", [True, False])
def test_difference_is_the_first_score_minus_the_second(use_speakers):
    references, worse, speakers = clustered(40, seed=6)
    better = worse.copy()
    better[::7] = references[::7]
    results = bootstrap_differences(references, better, worse, 2, speakers=speakers if use_speakers else None)
    for name, result in results.items():
        expected = getattr(compute_scores(references, better, 2), name) - getattr(
            compute_scores(references, worse, 2), name
        )
        assert result.difference == pytest.approx(expected)
        assert 0 < result.interval.low < expected < result.interval.high


def test_pairing_cancels_what_is_hard_for_both():
    references, worse, speakers = clustered(40, seed=7)
    better = worse.copy()
    better[::9] = references[::9]
    paired = bootstrap_differences(references, better, worse, 2, speakers=speakers)["ua"].interval
    alone = bootstrap_intervals(references, better, 2, speakers=speakers)["ua"]
    assert width(paired) < 0.5 * width(alone)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speakers": ["a"] * 4}, "at least two speakers to resample, found 1; leave speakers out"),
        ({"speakers": ["a", "b"]}, "one speaker for each of the 4 utterances, found 2"),
        ({"speakers": ["a", None, "b", None]}, "2 of 4 utterances have no speaker, the first at index 1"),
        ({"speakers": ["a", "b", "b", float("nan")]}, "1 of 4 utterances have no speaker, the first at index 3"),
        ({"confidence": 95}, "between 0 and 1, say 0.95, found 95"),
        ({"confidence": 0.0}, "between 0 and 1"),
        ({"n_resamples": 0}, "at least one resample"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        bootstrap_intervals([0, 1, 0, 1], [0, 1, 1, 1], 2, **options)


def test_one_utterance_has_no_interval():
    with pytest.raises(InputError, match="at least two utterances to resample, found 1; leave the interval out"):
        bootstrap_intervals([0], [0], 2)


def test_error_of_a_comparison_names_the_system():
    with pytest.raises(InputError, match="1 predictions of system 2 and 2 references"):
        bootstrap_differences([0, 1], [0, 1], [0], 2)
