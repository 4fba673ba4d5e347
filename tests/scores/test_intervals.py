import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from emobox_hf.errors import InputError
from emobox_hf.scores import (
    SCORES,
    Rows,
    Score,
    compute_scores,
    estimate,
    estimate_difference,
    mean_over_folds,
    score_differences,
    score_intervals,
)
from emobox_hf.scores.jackknife import delete_one


def clustered(n_speakers, *, seed, per_speaker=20):
    """Two classes; how often a speaker is recognised varies uniformly between speakers, 0.5 on average."""
    rng = np.random.default_rng(seed)
    speakers = np.repeat(np.arange(n_speakers), per_speaker)
    references = np.tile([0, 1], len(speakers) // 2)
    right = rng.random(len(speakers)) < rng.random(n_speakers)[speakers]
    return references, np.where(right, references, 1 - references), speakers


def width(interval):
    return interval.high - interval.low


def rows_of(references, predictions, n_classes=2, speakers=None):
    return Rows(
        references=np.asarray(references),
        predictions=np.asarray(predictions),
        n_classes=n_classes,
        speakers=speakers,
    )


def test_the_rule_is_the_textbook_s_written_out_by_hand():
    references, predictions, speakers = clustered(7, seed=1)
    logits = []
    for speaker in range(7):
        kept = speakers != speaker
        without = compute_scores(references[kept], predictions[kept], 2).ua
        logits.append(np.log(without / (1 - without)))
    error = np.sqrt(6 / 7 * np.sum((logits - np.mean(logits)) ** 2))
    whole = compute_scores(references, predictions, 2).ua
    reach = stats.t.ppf(0.975, 6) * error
    expected = 1 / (1 + np.exp(-(np.log(whole / (1 - whole)) + np.array([-reach, reach]))))
    found = score_intervals(references, predictions, 2, speakers=speakers)["ua"]
    assert [found.low, found.high] == pytest.approx(expected, abs=1e-12)
    assert (found.unit, found.n_units, found.method, found.confidence) == ("speakers", 7, "jackknife-t", 0.95)


def test_a_difference_between_even_speakers_is_scipy_s_paired_t_test():
    references, first, speakers = clustered(9, seed=2)
    second = clustered(9, seed=3)[1]
    by_speaker = [(system == references).reshape(9, 20).mean(axis=1) for system in (first, second)]
    test = stats.ttest_rel(*by_speaker)
    found = score_differences(references, first, second, 2, speakers=speakers)["ua"]
    assert found.difference == pytest.approx(np.mean(by_speaker[0] - by_speaker[1]))
    assert found.p_value == pytest.approx(test.pvalue)
    bounds = test.confidence_interval(0.95)
    assert [found.interval.low, found.interval.high] == pytest.approx([bounds.low, bounds.high])
    error = (bounds.high - found.difference) / stats.t.ppf(0.975, 8)
    assert found.detectable == pytest.approx((stats.t.ppf(0.975, 8) + stats.t.ppf(0.8, 8)) * error)


def test_without_speakers_utterances_are_units_and_that_is_said():
    references, predictions, _ = clustered(20, seed=4)
    found = score_intervals(references, predictions, 2)["wa"]
    assert (found.unit, found.n_units) == ("utterances", 400)
    # Of independent utterances the interval is nearly that of a proportion.
    share = np.mean(references == predictions)
    error = np.sqrt(share * (1 - share) / 400)
    assert [found.low, found.high] == pytest.approx([share - 1.97 * error, share + 1.97 * error], abs=0.002)


@pytest.mark.parametrize("n_speakers", [1, 2, 3])
def test_of_three_speakers_or_fewer_nothing_is_estimated(n_speakers):
    references, first, speakers = clustered(n_speakers, seed=5)
    for interval in score_intervals(references, first, 2, speakers=speakers).values():
        assert (interval.low, interval.high, interval.n_units) == (None, None, n_speakers)
        assert not interval.is_estimable
    second = clustered(n_speakers, seed=6)[1]
    found = score_differences(references, first, second, 2, speakers=speakers)["ua"]
    assert (found.interval.low, found.p_value, found.detectable) == (None, None, None)
    assert found.difference == pytest.approx(np.mean(first == references) - np.mean(second == references))


def test_where_both_systems_predict_the_same_there_is_no_interval():
    references, predictions, speakers = clustered(8, seed=7)
    for found in score_differences(references, predictions, predictions, 2, speakers=speakers).values():
        assert (found.difference, found.interval.low, found.interval.high, found.p_value) == (0.0, None, None, None)


def test_perfect_predictions_reach_one():
    labels = [0, 1] * 6
    found = score_intervals(labels, labels, 2, speakers=[number // 2 for number in range(12)])["ua"]
    assert found.high == 1.0
    assert 0.9 < found.low <= 1.0


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_order_of_utterances_has_no_effect(seed, use_speakers):
    references, predictions, speakers = clustered(5, seed=8)
    order = np.random.default_rng(seed).permutation(len(references))
    kept, shuffled = (
        score_intervals(references[index], predictions[index], 2, speakers=speakers[index] if use_speakers else None)
        for index in (np.arange(len(references)), order)
    )
    for name in kept:
        assert [kept[name].low, kept[name].high] == pytest.approx([shuffled[name].low, shuffled[name].high])


@given(st.integers(0, 1000), st.floats(0.05, 0.9))
def test_bounds_are_fractions_around_the_score_and_grow_with_confidence(seed, confidence):
    references, predictions, speakers = clustered(6, seed=seed)
    inner, outer = (
        score_intervals(references, predictions, 2, speakers=speakers, confidence=level)
        for level in (confidence, confidence + 0.05)
    )
    values = compute_scores(references, predictions, 2).values
    for name, value in values.items():
        assert 0 <= outer[name].low <= inner[name].low <= value + 1e-12
        assert value - 1e-12 <= inner[name].high <= outer[name].high <= 1


def test_a_score_of_rows_is_left_out_like_one_of_the_confusion_matrix():
    rng = np.random.default_rng(9)
    references, predictions = rng.integers(0, 3, (2, 90))
    for speakers in (None, (np.arange(90) % 9).tolist()):
        rows = rows_of(references, predictions, 3, speakers)
        units = [speakers or range(90)]
        for score in (one for one in SCORES.values() if one.is_computable(rows)):
            slow = Score(name="slow", title="slow", text="slow.", compute=score.compute)
            assert delete_one(slow, [rows], units).without == pytest.approx(delete_one(score, [rows], units).without)


def test_a_score_that_is_no_fraction_has_bounds_beyond_one():
    def count_wrong(rows):
        return float(np.sum(rows.references != rows.predictions))

    references, predictions, speakers = clustered(12, seed=10)
    score = Score(name="wrong", title="wrong", text="wrong.", compute=count_wrong, in_percent=False)
    _, interval = estimate(score, [rows_of(references, predictions, 2, speakers.tolist())], [speakers.tolist()])
    assert interval.low < np.sum(references != predictions) < interval.high


def test_of_several_parts_the_mean_is_estimated_and_a_speaker_leaves_all_of_them():
    # Two seeds of two folds; each fold has speakers of its own.
    folds = [clustered(4, seed=seed) for seed in (11, 12)]
    parts, units = [], []
    for fold, (references, predictions, speakers) in enumerate(folds):
        names = [f"{fold}-{speaker}" for speaker in speakers]
        for seed in (0, 1):
            flipped = np.where(np.arange(len(references)) % 10 == seed, references, predictions)
            parts.append(rows_of(references, flipped, 2, names))
            units.append(names)
    value, interval = estimate(SCORES["ua"], parts, units)
    assert value == pytest.approx(np.mean([compute_scores(one.references, one.predictions, 2).ua for one in parts]))
    assert interval.n_units == 8
    found = delete_one(SCORES["ua"], parts, units)
    kept = [np.array([name != "1-2" for name in names]) for names in units]
    expected = np.mean(
        [compute_scores(p.references[k], p.predictions[k], 2).ua for p, k in zip(parts, kept, strict=True)]
    )
    assert found.without[found.units.index("1-2")] == pytest.approx(expected)


def test_a_fold_of_one_speaker_leaves_with_its_speaker():
    last = {"a": 0, "b": 1, "c": 0, "d": 1}  # what is predicted for each speaker's last utterance, a 1
    parts = [rows_of([0, 1, 0, 1], [0, 1, 0, predicted], 2, [name] * 4) for name, predicted in last.items()]
    units = [one.speakers for one in parts]
    found = delete_one(SCORES["wa"], parts, units)
    assert found.whole == pytest.approx((0.75 + 1 + 0.75 + 1) / 4)
    assert found.without == pytest.approx([(1 + 0.75 + 1) / 3, 2.5 / 3, 2.75 / 3, 2.5 / 3])


def test_many_utterances_are_left_out_in_blocks(monkeypatch):
    references, predictions, _ = clustered(10, seed=13)
    rows = rows_of(references, predictions)
    at_once = delete_one(SCORES["ua"], [rows], [range(200)]).without
    monkeypatch.setattr("emobox_hf.scores.jackknife.AT_ONCE", 7)
    assert (delete_one(SCORES["ua"], [rows], [range(200)]).without == at_once).all()


def test_systems_tested_on_other_speakers_are_not_compared():
    references, predictions, speakers = clustered(5, seed=14)
    one = rows_of(references, predictions, 2, speakers.tolist())
    others = [f"x{speaker}" for speaker in speakers]
    other = rows_of(references, predictions, 2, others)
    with pytest.raises(InputError, match="the same speakers on both sides; 10 are on one alone, such as 0"):
        estimate_difference(SCORES["ua"], [one], [other], [speakers.tolist()], [others])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speakers": ["a", "b"]}, "one speaker for each of the 4 utterances, found 2"),
        ({"speakers": ["a", None, "b", None]}, "2 of 4 utterances have no speaker, the first at index 1"),
        ({"confidence": 95}, "between 0 and 1, say 0.95, found 95"),
        ({"confidence": 0.0}, "between 0 and 1"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        score_intervals([0, 1, 0, 1], [0, 1, 1, 1], 2, **options)


def test_mean_over_folds_is_that_of_the_sample():
    mean, deviation = mean_over_folds([0.1, 0.2, 0.6])
    assert (mean, deviation) == pytest.approx((0.3, np.std([0.1, 0.2, 0.6], ddof=1)))
    assert mean_over_folds([0.4]) == (0.4, None)
    with pytest.raises(InputError, match="at least one fold"):
        mean_over_folds([])
