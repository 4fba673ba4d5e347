"""Brace patterns: `{DC,JE}-a{01..15}` stands for thirty keys, as in a shell."""

import itertools
import re
from collections.abc import Iterator

_BRACES = re.compile(r"\{([^{}]*)\}")


def expand_braces(pattern: str) -> Iterator[str]:
    """All strings that a pattern of `{a,b}` and `{01..15}` groups stands for, in order; groups do not nest.

    >>> list(expand_braces("m{1..2}.{a,n}"))
    ['m1.a', 'm1.n', 'm2.a', 'm2.n']
    """
    fixed_and_groups = _BRACES.split(pattern)
    choices = [[part] if i % 2 == 0 else _choices(part) for i, part in enumerate(fixed_and_groups)]
    return map("".join, itertools.product(*choices))


def _choices(group: str) -> list[str]:
    first, dots, last = group.partition("..")
    if not dots:
        return group.split(",")
    return [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]
