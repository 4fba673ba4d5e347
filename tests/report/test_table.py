"""A table as text, Markdown and JSON."""

import json

from emobox_hf.report.table import Table

TABLE = Table(
    "Title", ("corpus", "x", "y"), (("polish", 61.234, None), ("savee", 7, "word")), ("A note.",), frozenset({(0, 1)})
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
    assert table["flagged"] == [["polish", "x"]]
    assert table["notes"] == ["A note."]


def test_a_table_without_notes_ends_with_its_rows() -> None:
    assert Table("T", ("a",), (("b",),)).to_text() == "T\n\na\nb"
