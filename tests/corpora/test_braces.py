from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emobox_hf.corpora.braces import expand_braces


@pytest.mark.parametrize(
    ("pattern", "strings"),
    [
        ("plain", ["plain"]),
        ("", [""]),
        ("{a,b}-{1..2}", ["a-1", "a-2", "b-1", "b-2"]),
        ("{09..11}", ["09", "10", "11"]),
        ("{9..11}", ["9", "10", "11"]),
        ("{x,3],}", ["x", "3]", ""]),
        ("{7..7}", ["7"]),
    ],
)
def test_patterns_stand_for_these_strings(pattern, strings):
    assert list(expand_braces(pattern)) == strings


words = st.lists(st.text("abcäß(] ", max_size=3), min_size=2, max_size=4)


@given(words, st.integers(0, 99), st.integers(0, 20), words)
def test_groups_multiply(first, start, more, last):
    pattern = f"{{{','.join(first)}}}-{{{start:02d}..{start + more:02d}}}-{{{','.join(last)}}}"
    numbers = [f"{number:02d}" for number in range(start, start + more + 1)]
    assert list(expand_braces(pattern)) == ["-".join(parts) for parts in product(first, numbers, last)]
