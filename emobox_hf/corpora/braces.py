"""Brace patterns: `{DC,JE}-a{01..15}` stands for thirty keys, as in a shell."""

import itertools
import math
import re
from collections.abc import Iterator

from emobox_hf.errors import InputError

MOST = 1_000_000  # strings of one pattern; the largest corpus has a tenth
_BRACES = re.compile(r"\{([^{}]*)\}")


def expand_braces(pattern: str) -> Iterator[str]:
    """All strings that a pattern of `{a,b}` and `{01..15}` groups stands for, in order; groups do not nest.

    >>> list(expand_braces("m{1..2}.{a,n}"))
    ['m1.a', 'm1.n', 'm2.a', 'm2.n']

    Raises:
        InputError: A range is none of numbers, or the pattern stands for more than a million strings.
    """
    fixed_and_groups = _BRACES.split(pattern)
    choices = [[part] if i % 2 == 0 else _choices(part) for i, part in enumerate(fixed_and_groups)]
    if (n := math.prod(map(len, choices))) > MOST:
        raise InputError(f"{pattern!r} stands for {n} strings; {MOST} are the most")
    return map("".join, itertools.product(*choices))


def _choices(group: str) -> list[str]:
    first, dots, last = group.partition("..")
    if not dots:
        return group.split(",")
    if not (first.isdecimal() and last.isdecimal() and len(last) < 10):
        raise InputError(f"{{{group}}}: a range of numbers was expected, such as {{01..15}}; list letters as {{a,b}}")
    numbers = range(int(first), int(last) + 1)
    if not 0 < len(numbers) <= MOST:
        raise InputError(f"{{{group}}}: a range of 1 to {MOST} numbers was expected, found {len(numbers)}")
    return [f"{number:0{len(first)}d}" for number in numbers]
