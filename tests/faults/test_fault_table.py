"""The table itself: it counts what held and nothing else, and what is read back is what was drawn."""

import pytest
from fault_table import Fault, draw_table, merge, read_table, shorten, to_cells


def test_a_try_that_does_not_hold_is_no_survivor() -> None:
    row = Fault("killed: extract", is_long=False)

    def break_at(third: int) -> None:
        for number, _ in enumerate(row.tries(short=4, long=50)):
            assert number < third

    with pytest.raises(AssertionError):
        break_at(2)
    assert (row.n_tries, row.n_survived) == (3, 2)


def test_tries_are_as_many_as_the_form_has_and_the_same_each_time() -> None:
    few, many = ([draw.random() for draw in Fault("a", is_long=form).tries(short=2, long=5)] for form in (False, True))
    assert few == many[:2]
    assert len(set(many)) == 5


def test_rows_of_one_title_are_one_row_that_survives_the_page() -> None:
    rows = [Fault("a", is_long=True), Fault("b", is_long=True), Fault("a", is_long=True)]
    for row in rows:
        row.count(3)
        row.saw("one | two <b>\x1b[31m")
    cells = [to_cells(row, "abc") for row in merge(row.to_row() for row in rows)]
    assert [row[:3] for row in cells] == [["a", "6", "6"], ["b", "3", "3"]]
    page = draw_table(cells)
    assert "\x1b" not in page
    assert "one \\| two &lt;b>" in page
    assert draw_table(read_table(page).values()) == page


def test_folders_of_a_test_are_not_shown() -> None:
    assert shorten("no file /tmp/pytest-of-root/pytest-3/test_x0/a/b.json: \n gone") == "no file …/b.json: gone"
