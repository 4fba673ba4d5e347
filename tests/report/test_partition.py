"""One probe under several kinds of folds."""

from typing import Any

import pytest

from emobox_hf.errors import InputError
from emobox_hf.report.partition import partition_table

PAIR = ["Angry", "Happy"]


def predicted(*right: bool) -> list[tuple[str, str, str, str]]:
    """Four utterances of two speakers, two a label; `right` says which are predicted as they are labelled."""
    rows = [("a", "s1", "Angry"), ("b", "s1", "Happy"), ("c", "s2", "Angry"), ("d", "s2", "Happy")]
    other = {"Angry": "Happy", "Happy": "Angry"}
    return [(*row, row[2] if good else other[row[2]]) for row, good in zip(rows, right, strict=True)]


def test_kinds_are_compared_on_the_utterances_that_both_tested(make_run: Any) -> None:
    runs = [
        make_run(folds=["fold1"], labels=PAIR, ua=0.8, tested=predicted(True, True, True, False)[:2]),
        make_run(folds=["si_fold1"], labels=PAIR, ua=0.6, tested=predicted(True, False, True, False)),
        make_run(folds=["random_fold1"], labels=PAIR, ua=0.9, tested=predicted(True, True, True, True)),
    ]
    table = partition_table(runs)
    rows = {row["folds"]: row for row in table.to_dict()["rows"]}
    assert list(rows) == ["published", "speaker-independent", "random"]
    assert {kind: (row["UA"], row["mean of folds"]) for kind, row in rows.items()} == {
        "published": (100.0, pytest.approx(80)),
        "speaker-independent": (50.0, pytest.approx(60)),
        "random": (100.0, pytest.approx(90)),
    }
    # The published fold tested a and b: right on both, where the speaker-independent one is right on a.
    assert rows["published"]["over si"] == 50.0
    assert rows["random"]["over si"] == 50.0
    assert rows["speaker-independent"]["over si"] is None
    # Both speakers are alike, so resampling them changes nothing.
    assert (rows["random"]["over from"], rows["random"]["over to"]) == (50.0, 50.0)
    assert (rows["speaker-independent"]["UA from"], rows["speaker-independent"]["UA to"]) == (50.0, 50.0)


def test_without_speakers_utterances_are_resampled(make_run: Any) -> None:
    nameless = [(key, None, *rest) for key, _, *rest in predicted(True, False, True, False)]
    runs = [make_run(folds=[fold], labels=PAIR, tested=nameless) for fold in ("si_fold1", "random_fold1")]
    row = partition_table(runs).to_dict()["rows"][0]
    assert row["UA from"] < row["UA"] < row["UA to"]


def test_without_speaker_independent_folds_there_is_no_difference(make_run: Any) -> None:
    runs = [make_run(folds=[fold], labels=PAIR, tested=predicted(*[True] * 4)) for fold in ("fold1", "random_fold1")]
    assert [row["over si"] for row in partition_table(runs).to_dict()["rows"]] == [None, None]


def test_some_folds_are_not_compared_with_all(make_run: Any) -> None:
    runs = [make_run(folds=["fold1"], all_folds=False), make_run(folds=["si_fold1"])]
    with pytest.raises(InputError, match="under two kinds of folds"):
        partition_table(runs)


def test_one_kind_of_folds_is_refused(make_run: Any) -> None:
    with pytest.raises(InputError, match="--folds si and with --folds random"):
        partition_table([make_run(), make_run(encoder="x", folds=["si_fold1"])])
