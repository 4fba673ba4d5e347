"""The one exception that a user's mistake raises; the command line turns it into exit code 2."""

import difflib
from collections.abc import Collection, Iterable


class InputError(ValueError):
    """Something the user gave is wrong: a name, a folder, a file, an option.

    The message says what was expected, what was found and what to do next.
    """


def suggest(name: str, known: Collection[str]) -> str:
    """`; did you mean 'iemocap'?` when a known name is close, else the sorted list of known names.

    >>> suggest("faer", ["Fear", "Happy"])
    "; did you mean 'Fear'?"
    """
    by_lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else f"; known: {', '.join(sorted(known))}"


def first_line(error: object) -> str:
    """What an error says, without the lines that libraries add below."""
    return str(error).strip().partition("\n")[0]


def first_five(items: Iterable[object]) -> str:
    """The first five items, comma-separated, and how many more there are."""
    listed = list(items)
    more = f" … and {len(listed) - 5} more" if len(listed) > 5 else ""
    return ", ".join(str(item) for item in listed[:5]) + more
