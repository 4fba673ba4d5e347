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
