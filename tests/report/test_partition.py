"""One probe under several kinds of folds."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from emobox_hf.errors import InputError
from emobox_hf.report.noise import list_doubts, noise_tables
from emobox_hf.report.partition import partition_table
from emobox_hf.report.run_table import run_table

PAIR = ["Angry", "Happy"]
SPEAKERS = [f"s{number}" for number in range(6)]


def predicted(n_right: list[int]) -> list[tuple[str, str, str, str]]:
    """Ten utterances of each emotion by each of six speakers; so many of each are predicted as they are labelled."""
    other = {"Angry": "Happy", "Happy": "Angry"}
    return [
        (f"{speaker}-{label}-{i}", speaker, label, label if i < n else other[label])
        for speaker, n in zip(SPEAKERS, n_right, strict=True)
        for label in PAIR
        for i in range(10)
    ]


def rows_of(table: Any) -> dict[str, dict[str, Any]]:
    return {row["folds"]: row for row in table.to_dict()["rows"]}


def make_kind(make_run: Any, fold: str, n_right: list[int], **options: Any) -> Any:
    return make_run(folds=[fold], labels=PAIR, corpus="mine", tested=predicted(n_right), is_summed=True, **options)


def test_kinds_are_compared_by_a_paired_t_test_over_speakers(make_run: Any) -> None:
    si, leaky = [5, 6, 7, 4, 6, 8], [7, 7, 9, 7, 6, 10]
    runs = [make_kind(make_run, "si_fold1", si), make_kind(make_run, "random_fold1", leaky)]
    rows = rows_of(partition_table(runs))
    assert list(rows) == ["speaker-independent", "random"]
    assert rows["random"]["UA"] == pytest.approx(10 * np.mean(leaky))
    assert rows["random"]["over si"] == pytest.approx(10 * np.mean(np.subtract(leaky, si)))
    test = stats.ttest_rel(leaky, si)
    assert rows["random"]["p"] == f"{test.pvalue:.2g}"
    bounds = test.confidence_interval(0.95)
    assert [rows["random"]["over si from"], rows["random"]["over si to"]] == pytest.approx(
        [10 * bounds.low, 10 * bounds.high]
    )
    assert rows["speaker-independent"]["over si"] is None
    assert rows["speaker-independent"]["UA from"] < rows["speaker-independent"]["UA"]


def test_kinds_with_the_same_folds_show_no_effect(make_run: Any) -> None:
    """On Polish published and speaker-independent folds are the same; only validation is drawn otherwise."""
    runs = [
        make_kind(make_run, fold, right, digests={"test": "ab"})
        for fold, right in (("fold1", [9] * 6), ("si_fold1", [5] * 6))
    ]
    table = partition_table(runs)
    row = rows_of(table)["published"]
    assert (row["over si"], row["p"]) == ("same folds", None)
    assert "over si from" not in row
    assert any("no difference of partitions" in note for note in table.notes)


def test_where_both_predict_the_same_no_interval_is_given(make_run: Any) -> None:
    runs = [make_kind(make_run, fold, [5, 6, 7, 4, 6, 8]) for fold in ("si_fold1", "random_fold1")]
    row = rows_of(partition_table(runs))["random"]
    assert (row["over si"], row["over si from"], row["p"], row["detectable"]) == (0.0, None, None, None)


def test_other_training_sizes_are_marked(make_run: Any) -> None:
    runs = [
        make_kind(make_run, "si_fold1", [5] * 6),
        make_kind(make_run, "random_fold1", [5, 6, 7, 4, 6, 8], n_train=9),
    ]
    table = partition_table(runs)
    assert [mark["marks"] for mark in table.to_dict()["marks"] if mark["column"] == "trained on"] == ["*"]
    assert any("--train-size equal" in note for note in table.notes)


def test_of_repeated_takes_the_difference_is_told_apart(make_run: Any) -> None:
    # Every sentence is said twice by its speaker, the second time in another fold.
    right = predicted([5, 6, 7, 4, 6, 8])
    keys = [row[0] for row in right]
    sentences = {key: f"{key.rpartition('-')[0]}-{int(key[-1]) // 2 if int(key[-1]) < 8 else key}" for key in keys}
    folds = {key: f"random_fold{1 + int(key[-1]) % 2}" for key in keys}
    runs = [
        make_kind(make_run, "si_fold1", [5] * 6),
        make_run(
            folds=["random_fold1", "random_fold2"],
            labels=PAIR,
            corpus="mine",
            tested=right,
            sentences=sentences,
            fold_of=folds,
            is_summed=True,
        ),
    ]
    rows = rows_of(partition_table(runs))
    assert list(rows) == ["speaker-independent", "random", "random, without retakes"]
    # Utterances 8 and 9 alone have no second take: right where all ten are, wrong else, as under the other folds.
    assert rows["random, without retakes"]["over si"] == pytest.approx(0.0)
    assert rows["random"]["over si"] == pytest.approx(10.0)


def test_where_every_utterance_has_another_take_that_is_said(make_run: Any) -> None:
    right = predicted([5, 6, 7, 4, 6, 8])
    runs = [
        make_kind(make_run, "si_fold1", [5] * 6),
        make_run(
            folds=["random_fold1", "random_fold2"],
            labels=PAIR,
            corpus="mine",
            tested=right,
            sentences={key: "the same" for key, *_ in right},
            fold_of={key: f"random_fold{1 + int(key[-1]) % 2}" for key, *_ in right},
            is_summed=True,
        ),
    ]
    table = partition_table(runs)
    assert rows_of(table)["random, without retakes"]["over si"] == "none left"
    assert any("cannot be told from what a known sentence is" in note for note in table.notes)


def test_without_speakers_utterances_are_units(make_run: Any) -> None:
    nameless = [(key, None, *rest) for key, _, *rest in predicted([5, 6, 7, 4, 6, 8])]
    runs = [
        make_run(folds=[fold], labels=PAIR, corpus="mine", tested=nameless, is_summed=True)
        for fold in ("si_fold1", "random_fold1")
    ]
    row = partition_table(runs).to_dict()["rows"][0]
    assert row["UA from"] < row["UA"] < row["UA to"]


def test_without_speaker_independent_folds_there_is_no_difference(make_run: Any) -> None:
    runs = [make_kind(make_run, fold, [5] * 6) for fold in ("fold1", "random_fold1")]
    assert [row["over si"] for row in partition_table(runs).to_dict()["rows"]] == [None, None]


def test_seeds_are_treated_alike_in_every_table(make_run: Any) -> None:
    """The mean over seeds of the score, never the first seed's nor that of averaged probabilities."""
    run = make_run(
        folds=["random_fold1"],
        labels=PAIR,
        corpus="mine",
        seeds=(0, 1),
        tested=predicted([5, 6, 7, 4, 6, 8]),
        by_seed={1: predicted([9, 9, 9, 9, 9, 9])},
        is_summed=True,
    )
    expected = 100 * (0.6 + 0.9) / 2
    assert run.score("ua") == pytest.approx(expected)
    si = make_kind(make_run, "si_fold1", [5] * 6)
    assert rows_of(partition_table([run, si]))["random"]["UA"] == pytest.approx(expected)
    curve = noise_tables([run])[1]
    assert curve.to_dict()["rows"][0]["UA"] == pytest.approx(expected)
    text = run_table(run.record)
    assert text.splitlines()[4].split()[:2] == ["mean", f"{expected:.1f}"]
    assert f"{100 * np.std([0.6, 0.9], ddof=1):.1f}" in text
    assert "and over 2 seeds" in text


def test_doubt_does_not_follow_how_sharp_a_fold_is(make_run: Any) -> None:
    """A fold whose probe is ten times as sure, and just as often wrong, is not doubted ten times as much."""
    sharp = make_run(folds=["random_fold1"], labels=PAIR, corpus="mine", tested=predicted([5] * 6), temperature=10.0)
    plain = make_run(folds=["random_fold1"], labels=PAIR, corpus="other", tested=predicted([5] * 6), temperature=1.0)
    assert max(abs(doubt.margin) for doubt in list_doubts(sharp)) < max(
        abs(doubt.margin) for doubt in list_doubts(plain)
    )


def test_some_folds_are_not_compared_with_all(make_run: Any) -> None:
    runs = [make_run(folds=["fold1"], all_folds=False), make_run(folds=["si_fold1"])]
    with pytest.raises(InputError, match="under two kinds of folds"):
        partition_table(runs)


def test_one_kind_of_folds_is_refused(make_run: Any) -> None:
    with pytest.raises(InputError, match="--folds si and with --folds random"):
        partition_table([make_run(), make_run(encoder="x", folds=["si_fold1"])])
