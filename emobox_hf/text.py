"""Numbers as people write them: sizes of files, counts of things."""


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
