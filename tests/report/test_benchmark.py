"""Corpora by encoders, with the paper's scores."""

from typing import Any

import pytest

from emobox_hf.errors import InputError
from emobox_hf.report.benchmark import benchmark_table
from emobox_hf.report.reference import paper_scores


def rows_of(table: Any) -> dict[str, dict[str, Any]]:
    return {row["corpus"]: row for row in table.to_dict()["rows"]}


def test_a_line_a_corpus_and_the_mean_of_those_that_all_encoders_have(make_run: Any) -> None:
    runs = [
        make_run(corpus="polish", encoder="x", ua=0.5),
        make_run(corpus="savee", encoder="x", ua=0.25),
        make_run(corpus="cafe", encoder="x", ua=0.9),
        make_run(corpus="polish", encoder="y", ua=0.75),
        make_run(corpus="savee", encoder="y", ua=0.5),
        make_run(corpus="polish", encoder="y", ua=0.1, folds=["si_fold1"]),
    ]
    table = benchmark_table(runs)
    rows = rows_of(table)
    assert list(rows) == ["cafe", "polish", "savee", "mean of 2"]
    assert (rows["polish"]["x"], rows["polish"]["y"]) == (50.0, 75.0)
    assert rows["cafe"]["y"] is None
    assert (rows["mean of 2"]["x"], rows["mean of 2"]["y"]) == (37.5, 62.5)
    assert table.notes == ("Mean over the corpora that all encoders were run on: polish, savee.",)
    assert not table.marks


def test_the_papers_scores_stand_beside_ours(make_run: Any) -> None:
    runs = [make_run(corpus=corpus, encoder="microsoft/wavlm-large", ua=0.5) for corpus in ("polish", "savee")]
    rows = rows_of(benchmark_table(runs))
    printed = [paper_scores(corpus)["wavlm-large"]["ua"] for corpus in ("polish", "savee")]
    assert [rows[corpus]["microsoft/wavlm-large, paper"] for corpus in ("polish", "savee")] == printed
    assert rows["mean of 2"]["microsoft/wavlm-large, paper"] == pytest.approx(sum(printed) / 2)
    best = max(paper_scores("polish").items(), key=lambda item: item[1]["ua"])
    assert rows["polish"]["paper, best"] == f"{best[1]['ua']:.1f} {best[0]}"


def test_another_score_is_compared_with_the_papers_same_score(make_run: Any) -> None:
    rows = rows_of(benchmark_table([make_run(encoder="wavlm-large", ua=0.5)], score="macro_f1"))
    assert rows["polish"]["wavlm-large, paper"] == paper_scores("polish")["wavlm-large"]["f1"]
    assert rows["polish"]["paper, best"].startswith(f"{max(s['f1'] for s in paper_scores('polish').values()):.1f} ")


def test_contaminated_cells_are_flagged_and_left_out_of_the_mean_unless_asked_for(make_run: Any) -> None:
    runs = [
        make_run(corpus="meld", encoder="emotion2vec", ua=0.75),
        make_run(corpus="savee", encoder="emotion2vec", ua=0.25),
        make_run(corpus="meld", encoder="x", ua=0.5),
        make_run(corpus="savee", encoder="x", ua=0.0),
    ]
    table = benchmark_table(runs)
    mean = rows_of(table)["mean of 2"]
    assert (mean["emotion2vec"], mean["x"]) == (25.0, 25.0)
    assert table.to_dict()["marks"] == [{"row": "meld", "column": "emotion2vec", "marks": "†"}]
    assert "75.0 †" in table.to_text()
    assert table.notes[1] == "emotion2vec: mean over 1 of them."
    assert table.notes[2].endswith("left out of the mean.")

    table = benchmark_table(runs, with_contaminated=True)
    assert rows_of(table)["mean of 2"]["emotion2vec"] == 50.0
    assert [mark["row"] for mark in table.to_dict()["marks"]] == ["meld", "mean of 2"]
    assert table.notes[1].endswith("; in the mean.")


def test_an_encoder_tuned_on_all_corpora_has_no_mean(make_run: Any) -> None:
    table = benchmark_table([make_run(corpus="savee", encoder="emotion2vec-plus-large")])
    assert rows_of(table)["mean of 1"]["emotion2vec-plus-large"] is None
    assert "emotion2vec-plus-large: mean over 0 of them." in table.notes


def test_of_two_runs_for_one_cell_the_later_stays(make_run: Any) -> None:
    runs = [make_run(encoder="x", ua=0.25), make_run(encoder="x", ua=0.5)]
    assert rows_of(benchmark_table(runs))["polish"]["x"] == 50.0


def test_runs_on_other_folds_are_no_benchmark(make_run: Any) -> None:
    with pytest.raises(InputError, match="expected runs on published folds"):
        benchmark_table([make_run(folds=["random_fold1"])])


def test_an_incomplete_run_never_takes_the_place_of_a_complete_one(make_run: Any) -> None:
    whole = make_run(encoder="x", ua=0.58)
    partial = make_run(encoder="x", ua=0.66, missing=("polish-1",))
    rows = rows_of(benchmark_table([whole, partial]))
    assert (rows["polish"]["x"], rows["mean of 1"]["x"]) == pytest.approx((58.0, 58.0))
    alone = benchmark_table([partial])
    assert alone.to_dict()["marks"] == [{"row": "polish", "column": "x", "marks": "§"}]
    assert rows_of(alone)["mean of 1"]["x"] is None
    assert any(note.startswith("§: utterances or folds are missing") for note in alone.notes)


def test_clips_beyond_the_protocol_s_length_leave_a_run_complete(make_run: Any) -> None:
    long = [{"key": "a", "reason": "31.0 s long, over 30 s"}]
    broken = [*long, {"key": "b", "reason": "a.wav: not a sound file"}]
    assert not benchmark_table([make_run(left_out=long)]).marks
    assert set(benchmark_table([make_run(left_out=broken)]).marks.values()) == {"§"}


def test_runs_whose_folds_leak_are_marked_and_so_is_their_mean(make_run: Any) -> None:
    table = benchmark_table([make_run(encoder="x", verdict="leak"), make_run(encoder="y")])
    assert [(mark["column"], mark["marks"]) for mark in table.to_dict()["marks"]] == [("x", "‡"), ("x", "‡")]
    assert any(
        note.startswith("‡: a speaker or a recording of a test part is also in its train") for note in table.notes
    )


@pytest.mark.parametrize("options", [{"absent": ["Fear"]}, {"labels": ["Angry", "Happy"]}])
def test_other_classes_are_marked(make_run: Any, options: dict[str, Any]) -> None:
    table = benchmark_table([make_run(**options)])
    assert [mark["marks"] for mark in table.to_dict()["marks"]] == ["¶"]


def test_a_run_on_other_test_parts_than_its_row_is_marked(make_run: Any) -> None:
    runs = [make_run(encoder=name, digests={"test": "ab"}) for name in ("x", "y")]
    table = benchmark_table([*runs, make_run(encoder="z", digests={"test": "cd"})])
    assert [(mark["column"], mark["marks"]) for mark in table.to_dict()["marks"]] == [("z", "#")]


def test_chance_and_the_number_of_classes_stand_in_every_line(make_run: Any) -> None:
    run = make_run(corpus="savee", support=[10, 10, 10, 10, 10, 10, 40])
    row = rows_of(benchmark_table([run]))["savee"]
    assert (row["classes"], row["majority"]) == (7, pytest.approx(100 / 7))
    assert rows_of(benchmark_table([run], score="wa"))["savee"]["majority"] == 40.0


def test_the_papers_other_class_sets_are_told(make_run: Any) -> None:
    table = benchmark_table([make_run(corpus="iemocap", encoder="wavlm-large"), make_run(encoder="wavlm-large")])
    assert any("over other classes" in note and note.endswith("Its classes: iemocap 5.") for note in table.notes)


def test_intervals_stand_beside_scores(make_run: Any) -> None:
    tested = [(f"{s}-{i}", f"s{s}", "Angry", "Angry" if i < s else "Fear") for s in range(1, 6) for i in range(6)]
    run = make_run(folds=["fold1"], tested=tested, is_summed=True)
    row = rows_of(benchmark_table([run], score="wa"))["polish"]
    assert row["wavlm-base from"] < row["wavlm-base"] == 50.0 < row["wavlm-base to"]
    few = make_run(folds=["fold1"], tested=tested[:18], is_summed=True)
    assert "[n.e.]" in benchmark_table([few]).to_text()
