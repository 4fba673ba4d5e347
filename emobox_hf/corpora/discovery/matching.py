"""Matching a path against a specification's regular expression, which may not take for ever."""

import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from emobox_hf.errors import InputError

LIMIT_S = 5.0
"""Seconds that one path may take; a sound pattern takes microseconds."""


Match = Callable[[str], re.Match[str] | None]


class _TooSlow(Exception):  # noqa: N818 - caught below, never seen by anyone
    pass


@contextmanager
def matching_in_time(pattern: re.Pattern[str], what: str) -> Iterator[Match]:
    """A function that matches a whole path, None if it does not fit, for use within the block.

    It raises an InputError that calls the pattern by `what` where a path takes longer than `LIMIT_S`, as it can with a
    repeat inside a repeat, such as `(a+)+`. Matching looks for signals now and then; only the main thread of a Unix
    process gets them, so elsewhere nothing is limited.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield pattern.fullmatch
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise _TooSlow

    def match(path: str) -> re.Match[str] | None:
        try:
            signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
            found = pattern.fullmatch(path)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except _TooSlow:
            raise InputError(
                f"{what} takes more than {LIMIT_S:g} s on {path!r}: it holds a repeat inside a repeat, such as (a+)+, "
                "or several that can match the same letters; write it without, for example [^/]+ between fixed "
                "separators"
            ) from None
        return found

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield match
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
