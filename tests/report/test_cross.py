"""Who trains by who tests, and the paper's table in both readings."""

import csv
from pathlib import Path
from typing import Any

import pytest

from emobox_hf.errors import InputError
from emobox_hf.report.cross import cross_tables, paper_tables


def test_rows_train_and_columns_test(make_run: Any) -> None:
    runs = [
        make_run(pair=(["iemocap"], "savee"), ua=0.5, wa=0.25),
        make_run(pair=(["savee"], "iemocap"), ua=0.75, wa=0.5),
        make_run(pair=(["iemocap"], "ravdess"), ua=0.25, wa=0.75),
        make_run(),
    ]
    ua, wa = cross_tables(runs)
    assert ua.title == "wavlm-base: UA in percent, trained on the row, tested on the column"
    assert ua.columns == ("train", "savee", "iemocap", "ravdess")
    assert ua.rows == (("iemocap", 50.0, None, 25.0), ("savee", None, 75.0, None))
    assert wa.rows == (("iemocap", 25.0, None, 75.0), ("savee", None, 50.0, None))
    assert ua.notes == ("Scored over Angry, Happy, Neutral.",)


def test_pairs_that_share_other_labels_are_told(make_run: Any) -> None:
    runs = [make_run(pair=(["a"], "b")), make_run(pair=(["a"], "c"), labels=["Angry", "Happy"])]
    ua, _ = cross_tables(runs)
    assert ua.notes == (
        "Scored over the labels that a pair shares, so chance differs. a-to-b: Angry, Happy, Neutral; "
        "a-to-c: Angry, Happy.",
    )


def test_each_encoder_has_its_tables(make_run: Any) -> None:
    runs = [make_run(pair=(["a"], "b"), encoder=encoder) for encoder in ("x", "y")]
    assert [table.title[:5] for table in cross_tables(runs)] == ["x: UA", "x: WA", "y: UA", "y: WA"]


@pytest.mark.parametrize(
    ("encoder", "test", "test_set", "is_flagged"),
    [
        ("emotion2vec", "meld", "all", True),
        ("emotion2vec", "savee", "balanced", True),
        ("emotion2vec", "savee", "all", False),
        ("emotion2vec-plus-seed", "savee", "all", True),
        ("emotion2vec", "cafe", "balanced", False),
        ("wavlm-base", "savee", "balanced", False),
    ],
)
def test_what_an_encoder_met_or_chose_is_flagged(
    make_run: Any, encoder: str, test: str, test_set: str, is_flagged: bool
) -> None:
    run = make_run(pair=(["ravdess"], test), encoder=encoder, test_set=test_set)
    for table in cross_tables([run]):
        assert table.marks == ({(0, 1): "†"} if is_flagged else {})
        assert any("chose the utterances" in note for note in table.notes) == is_flagged


@pytest.mark.parametrize(
    ("encoder", "chosen_by", "is_flagged"),
    [
        ("wavlm-base", "wavlm-base", True),
        ("microsoft/wavlm-base", "wavlm-base", True),
        ("my-encoder", "my-encoder", True),
        ("wavlm-base", "hubert-base", False),
        ("my-encoder", "", False),
    ],
)
def test_a_set_of_ones_own_is_flagged_for_the_encoder_that_chose_it(
    make_run: Any, encoder: str, chosen_by: str, is_flagged: bool
) -> None:
    run = make_run(pair=(["ravdess"], "cafe"), encoder=encoder, test_set="sha256:1234", chosen_by=chosen_by)
    for table in cross_tables([run]):
        assert table.marks == ({(0, 1): "†"} if is_flagged else {})


def test_the_paper_is_read_both_ways(checkout: Path) -> None:
    path = checkout / "benchmarks/reference/emobox_cross_corpus_cells.csv"
    with open(path, encoding="utf-8") as file:
        cells = {
            (row["row_corpus"], row["column_corpus"]): float(row["value"])
            for row in csv.DictReader(file)
            if row["model"] == "wav2vec2-base"
        }
    assert cells["iemocap", "meld"] == 29.78
    caption, page = paper_tables("wav2vec2-base")
    assert "as its caption says" in caption.title
    assert "as its authors' page says" in page.title
    by_caption = {row["train"]: row for row in caption.to_dict()["rows"]}
    by_page = {row["train"]: row for row in page.to_dict()["rows"]}
    assert list(by_page) == ["iemocap", "meld", "ravdess", "savee"]
    for (row, column), value in cells.items():
        assert by_caption[column][row] == value  # the caption: columns are training sets
        assert by_page[row][column] == value
    assert by_page["meld"]["meld"] is None


def test_an_encoder_that_the_paper_lacks_has_no_such_tables() -> None:
    assert paper_tables("whisper-base") == []


def test_runs_inside_corpora_are_no_cross_table(make_run: Any) -> None:
    with pytest.raises(InputError, match="expected cross-corpus runs"):
        cross_tables([make_run()])
