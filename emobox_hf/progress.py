"""How far a long stage is: a bar on a terminal and in a notebook, plain lines of the log elsewhere.

Lines are of the logger `emobox_hf`, at level INFO. The command line shows them (`cli/logs.py`); a program that imports
the package sees none unless it asks `logging` for them. Warnings it does see, by Python's own rule.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

from emobox_hf.text import show_number, show_seconds, show_size

LOGGER = logging.getLogger("emobox_hf")
BYTES = "B"
TICK_S = 1.0

Item = TypeVar("Item")
Advance = Callable[[float], object]
"""Is told how much was done since it was last called; any thread may call it."""


@dataclass(frozen=True)
class Pace:
    """When lines are written.

    Attributes:
        first_s: Seconds after which a stage has its first line; one that ends before has none at all.
        every_s: Seconds from one line to the next.
        clock: Seconds since whenever.
        tick_s: How often a thread looks at the clock, in seconds, so that a stage that tells nothing is not silent
            either; 0 for no thread.
    """

    first_s: float = 3.0
    every_s: float = 30.0
    clock: Callable[[], float] = time.monotonic
    tick_s: float = TICK_S


PACE = Pace()


@contextmanager
def progress(
    what: str,
    *,
    total: float | None = None,
    unit: str = "",
    done: float = 0,
    is_shown: bool = True,
    leave: bool = True,
    only: Literal["", "bar", "lines"] = "",
) -> Iterator[Advance]:
    """Within, a stage is shown; gives the function to tell of what was done.

    A line says what is done, of how much, at which rate, and the time left at that rate. The last one says how the
    stage ended.

    Args:
        what: The stage: a verb, and of what where that is not clear.
        total: All there is to do; None where nobody knows.
        unit: Of what is counted, such as " utterances"; `BYTES` for bytes; empty where nothing is counted.
        done: What was done before, which does not count for the rate.
        is_shown: Whether this process is the one to speak.
        leave: Whether a bar stays at the end.
        only: Show a bar alone, or lines alone.
    """
    if not is_shown or is_quiet():
        yield _ignore
    elif sys.stderr.isatty() or in_notebook():
        if only == "lines":
            yield _ignore
            return
        from tqdm.auto import tqdm  # in a notebook a widget

        scale = {"unit_scale": True} if unit == BYTES else {}
        with tqdm(desc=what, total=total, unit=unit, initial=done, leave=leave, **scale) as bar:  # type: ignore[call-overload]
            yield bar.update
    elif only == "bar" or not LOGGER.isEnabledFor(logging.INFO):
        yield _ignore
    else:
        yield from _write_lines(_Stage(what, total, unit, done, PACE))


def watched(items: Iterable[Item], what: str, *, total: int, unit: str) -> Iterator[Item]:
    """The items, shown as they are taken, see `progress`."""
    with progress(what, total=total, unit=unit) as advance:
        for item in items:
            yield item
            advance(1)


def in_notebook() -> bool:
    """Whether this runs in the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in shell.config


def is_quiet() -> bool:
    """Whether this process was told to show warnings or errors alone."""
    return LOGGER.level > logging.INFO


def _ignore(n: float) -> None:
    """What is told where nobody listens."""


class _Stage:
    """The lines of one stage."""

    def __init__(self, what: str, total: float | None, unit: str, done: float, pace: Pace) -> None:
        self.what = what
        self.total = total
        self.unit = unit
        self.done = self.before = done
        self.pace = pace
        self.started = pace.clock()
        self.due = self.started + pace.first_s
        self.is_long = False
        self.lock = threading.Lock()

    def advance(self, n: float) -> None:
        """Count what was done."""
        with self.lock:
            self.done += n
        self.look()

    def look(self) -> None:
        """Write a line if one is due."""
        with self.lock:
            now = self.pace.clock()
            if now < self.due:
                return
            self.is_long = True
            self.due = now + self.pace.every_s
            LOGGER.info("%s: %s", self.what, ", ".join(self._say(now - self.started)))

    def end(self, word: str) -> None:
        """Write the last line, of a stage that was long."""
        with self.lock:
            if not self.is_long:
                return
            spent_s = self.pace.clock() - self.started
            amount = f"{self._amount()} " if self.unit else ""
            said = [word, f"{amount}in {show_seconds(spent_s)}", *self._rate(spent_s)]
            LOGGER.info("%s: %s", self.what, ", ".join(said))

    def _say(self, spent_s: float) -> list[str]:
        if not self.unit:
            return [f"{show_seconds(spent_s)} so far"]
        new = self.done - self.before
        left = [] if self.total is None or new <= 0 else [(self.total - self.done) * spent_s / new]
        return [self._amount(), *self._rate(spent_s), *(f"{show_seconds(s)} left" for s in left if s >= 0)]

    def _amount(self) -> str:
        if self.unit == BYTES:
            sizes = [self.done] if self.total is None else [self.done, self.total]
            return " of ".join(show_size(round(size)) for size in sizes)
        of_all = "" if self.total is None else f" of {self.total:.0f}"
        return f"{self.done:.0f}{of_all}{self.unit}"

    def _rate(self, spent_s: float) -> list[str]:
        rate = (self.done - self.before) / spent_s if self.unit and spent_s else 0.0
        if not rate:
            return []
        return [f"{show_size(round(rate)) if self.unit == BYTES else show_number(rate) + self.unit} a second"]


def _write_lines(stage: _Stage) -> Iterator[Advance]:
    over = threading.Event()

    def tick() -> None:
        while not over.wait(stage.pace.tick_s):
            stage.look()

    thread = threading.Thread(target=tick, name="progress", daemon=True) if stage.pace.tick_s else None
    if thread:
        thread.start()
    word = "stopped"
    try:
        yield stage.advance
        word = "done"
    finally:
        over.set()
        if thread:
            thread.join()
        stage.end(word)
