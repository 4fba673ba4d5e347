"""Numbers as people write them, and names as they can be shown: nothing in them moves a cursor or is a formula."""

import re

# Control characters but for line breaks and tabs, whatever turns the direction of writing, and halves of characters,
# which stand for bytes that are no UTF-8. Joiners stay: Persian and Urdu are written with them.
_UNSHOWN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def show_text(text: object) -> str:
    r"""A text with escapes, which JSON has too, for what a terminal would obey or could not show.

    >>> show_text("\x1b[2Jname"), show_text("می\u200cشود")[2] == "\u200c"
    ('\\u001b[2Jname', True)
    """
    return _UNSHOWN.sub(lambda found: f"\\u{ord(found.group()):04x}", str(text))


def write_cell(text: str) -> str:
    """A text as a cell of a CSV table that no spreadsheet takes for a formula: an apostrophe goes before its sign.

    >>> write_cell("=cmd|'/c calc'!A1"), write_cell("'=1"), write_cell("'tis")
    ("'=cmd|'/c calc'!A1", "''=1", "'tis")
    """
    return f"'{text}" if _FORMULA.match(text) else text


def read_cell(text: str) -> str:
    """What `write_cell` wrote.

    >>> read_cell("'=1"), read_cell("=1"), read_cell("'tis")
    ('=1', '=1', "'tis")
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def show_size(n_bytes: int) -> str:
    """A number of bytes as people write it.

    >>> show_size(40_500_000), show_size(10_878_146_150), show_size(999_900_000), show_size(700)
    ('40.5 MB', '10.9 GB', '1 GB', '700 bytes')
    """
    size, unit = float(n_bytes), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 999.5:
            break
        size, unit = size / 1000, larger
    return f"{size:.3g} {unit}"


def count_of(n: int, noun: str) -> str:
    """A number and what it counts.

    >>> count_of(1, "utterance"), count_of(2, "utterance")
    ('1 utterance', '2 utterances')
    """
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def show_number(value: float) -> str:
    """A number with three digits, without an exponent.

    >>> show_number(1234.5), show_number(12.345), show_number(0.012345)
    ('1234', '12.3', '0.0123')
    """
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def show_seconds(seconds: float) -> str:
    """A length of time as people write it.

    >>> show_seconds(4.2), show_seconds(119.9), show_seconds(130), show_seconds(11_100), show_seconds(7199.9)
    ('4 s', '2 min', '2 min 10 s', '3 h 5 min', '2 h')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    is_short = whole < 3600
    large, small = divmod(whole if is_short else round(whole / 60), 60)
    units = ("min", "s") if is_short else ("h", "min")
    return f"{large} {units[0]}" + (f" {small} {units[1]}" if small else "")
