"""A table as text, Markdown, LaTeX, CSV and JSON."""

import csv
import io
import json

import pytest

from emobox_hf.report.table import Estimate, Table, mean_of_cells

TABLE = Table(
    "Title", ("corpus", "x", "y"), (("polish", 61.234, None), ("savee", 7, "word")), ("A note.",), {(0, 1): "†"}
)
ESTIMATES = Table(
    "Sure & unsure",
    ("corpus", "UA"),
    (("polish", Estimate(58.44, 41.0, 73.94)), ("savee", Estimate(50.0, None, None)), ("cafe_1", None)),
    marks={(0, 1): "†§"},
)


def test_text_is_aligned_and_flags_are_marked() -> None:
    assert TABLE.to_text() == "\n".join(
        ["Title", "", "corpus       x  y", "polish  61.2 †", "savee        7  word", "", "A note."]
    )


def test_markdown_aligns_numbers_right() -> None:
    lines = TABLE.to_markdown().splitlines()
    assert lines[0] == "Title"
    assert lines[2:6] == [
        "| corpus | x | y |",
        "| --- | ---: | --- |",
        "| polish | 61.2 † |  |",
        "| savee | 7 | word |",
    ]
    assert lines[-1] == "A note."


def test_json_keeps_numbers_and_names_what_is_flagged() -> None:
    table = json.loads(json.dumps(TABLE.to_dict()))
    assert table["rows"] == [{"corpus": "polish", "x": 61.234, "y": None}, {"corpus": "savee", "x": 7, "y": "word"}]
    assert table["marks"] == [{"row": "polish", "column": "x", "marks": "†"}]
    assert table["notes"] == ["A note."]


def test_a_table_without_notes_ends_with_its_rows() -> None:
    assert Table("T", ("a",), (("b",),)).to_text() == "T\n\na\nb"


def test_an_interval_stands_behind_its_value_and_one_that_cannot_be_had_is_explained() -> None:
    assert ESTIMATES.to_text().splitlines()[2:] == [
        "corpus  UA",
        "polish  58.4 [41.0, 73.9] †§",
        "savee   50.0 [n.e.]",
        "cafe_1",
        "",
        "[n.e.]: not estimable, from three test speakers or fewer (of a mean: in one of its corpora).",
    ]
    assert "| polish | 58.4 [41.0, 73.9] †§ |" in ESTIMATES.to_markdown()


def test_numbers_are_apart_where_machines_read_them() -> None:
    rows = list(csv.DictReader(ESTIMATES.to_csv().splitlines()))
    assert rows[0] == {"corpus": "polish", "UA": "58.44", "UA from": "41.0", "UA to": "73.94", "marks": "UA: †§"}
    assert (rows[1]["UA"], rows[1]["UA from"], rows[2]["UA"]) == ("50.0", "", "")
    assert ESTIMATES.to_dict()["rows"][0] == {"corpus": "polish", "UA": 58.44, "UA from": 41.0, "UA to": 73.94}
    assert ESTIMATES.to_dict()["rows"][2] == {"corpus": "cafe_1", "UA": None, "UA from": None, "UA to": None}


def test_latex_is_escaped() -> None:
    latex = ESTIMATES.to_latex()
    assert r"\caption{Sure \& unsure}" in latex
    assert r"polish & 58.4 [41.0, 73.9] $\dagger$§ \\" in latex
    assert r"cafe\_1 &  \\" in latex
    assert latex.count(r"\midrule") == 1


def test_names_of_others_are_no_markup_no_formula_and_move_no_cursor() -> None:
    name = "=cmd|'/c'!A1 <img src=x> ![a](http://b)\n\x1b[2J"
    table = Table(name, ("encoder", "score"), ((name, -1.5),), (name,))
    assert "=cmd\\|'/c'!A1 &lt;img src=x> ![a]\\(http://b) \\u001b[2J" in table.to_markdown()
    assert not {"\x1b", "<"} & set(table.to_markdown())
    assert len(table.to_markdown().splitlines()) == len(
        Table("a", ("b", "c"), (("d", 1),), ("e",)).to_markdown().splitlines()
    )
    assert "\x1b" not in table.to_text() + table.to_latex()
    (row,) = list(csv.reader(io.StringIO(table.to_csv())))[1:]
    assert row == [f"'{name}", "-1.5"]


def test_a_backslash_in_latex_is_one() -> None:
    assert r"\textbackslash{}input\{x\}" in Table("", ("a",), ((r"\input{x}",),)).to_latex()


def test_the_mean_of_estimates_has_the_interval_of_independent_ones() -> None:
    cells = [Estimate(50.0, 40.0, 62.0), Estimate(70.0, 60.0, 79.0), None]
    mean = mean_of_cells(cells)
    assert isinstance(mean, Estimate)
    assert (mean.value, mean.low, mean.high) == pytest.approx((60.0, 60 - 200**0.5 / 2, 60 + (144 + 81) ** 0.5 / 2))
    assert mean_of_cells([*cells, 30.0]) == pytest.approx(50.0)
    assert mean_of_cells([cells[0], Estimate(70.0, None, None)]) == Estimate(60.0, None, None)
    assert mean_of_cells([None]) is None
