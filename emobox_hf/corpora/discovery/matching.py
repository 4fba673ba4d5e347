"""Matching a path against a specification's regular expression, which may not take for ever."""

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from emobox_hf.errors import InputError

LIMIT_S = 5.0
"""Seconds that one path may take; a sound pattern takes microseconds."""


class _TooSlow(Exception):  # noqa: N818 - caught below, never seen by anyone
    pass


def match_in_time(pattern: re.Pattern[str], path: str, what: str) -> re.Match[str] | None:
    """The match of a whole path, None if it does not fit.

    Raises:
        InputError: It takes longer than `LIMIT_S`, as patterns with a repeat inside a repeat can, such as `(a+)+`. Only
            the main thread of a Unix process can notice.
    """
    try:
        with _limited():
            return pattern.fullmatch(path)
    except _TooSlow:
        raise InputError(
            f"{what} takes more than {LIMIT_S:g} s on {path!r}: it holds a repeat inside a repeat, such as (a+)+, or "
            "several that can match the same letters; write it without, for example [^/]+ between fixed separators"
        ) from None


@contextmanager
def _limited() -> Iterator[None]:
    """Raise `_TooSlow` when the block takes longer than the limit; matching looks for signals now and then."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise _TooSlow

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
