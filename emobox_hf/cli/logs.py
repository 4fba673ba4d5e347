"""What the command line says on stderr beside its answer: `--quiet`, `--verbose`, and one line for many retries."""

import argparse
import logging
import os
import re
import sys
import typing
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout

from emobox_hf.errors import first_line
from emobox_hf.experiments.launch import speaks
from emobox_hf.progress import LOGGER
from emobox_hf.text import show_text

LEVELS = {"quiet": logging.ERROR, "verbose": logging.DEBUG}
RETRYING = (
    "huggingface_hub.utils._http",
    "huggingface_hub.file_download",
    "urllib3.connectionpool",
    "urllib3.util.retry",
)
"""Loggers that tell of every try."""
_RETRY = re.compile("thrown while requesting|retrying in|retrying \\(|rate limited|trying to resume|max retries", re.I)
_SAME_S = 60.0
# Read when the libraries are imported, which is later than this.
_VERBOSITY = ("HF_HUB_VERBOSITY", "TRANSFORMERS_VERBOSITY", "DATASETS_VERBOSITY")


@contextmanager
def speaking(*parsed: argparse.Namespace) -> Iterator[None]:
    """Within, what the package logs goes to stderr, a plain line each, as loud as the first of `parsed` that says.

    Of a launch the first process alone tells of progress; the others warn. With `--quiet` nothing but errors is said,
    by the libraries neither. What goes to stdout or the log, names of files and of others' records among it, has
    escapes in place of what a terminal would obey.
    """
    loudness = next((one.loudness for one in parsed if getattr(one, "loudness", None)), "")
    level = LEVELS.get(loudness, logging.INFO)
    if not speaks():
        level = max(level, logging.WARNING)
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(typing.cast(typing.TextIO, Shown(sys.stdout))))
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_ShownLines())
        stack.enter_context(_handled_by(handler, level))
        stack.enter_context(_one_line_of_many())
        if loudness == "quiet":
            stack.enter_context(_silent_libraries())
        yield


class Shown:
    """A stream of text that is written by `show_text`, with escapes also for what its encoding lacks."""

    def __init__(self, stream: typing.TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write a text; the number of its characters."""
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        self.stream.write(show_text(text).encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def __getattr__(self, name: str) -> typing.Any:
        """What else a stream has."""
        return getattr(self.stream, name)


class _ShownLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return show_text(super().format(record))


@contextmanager
def _handled_by(handler: logging.Handler, level: int) -> Iterator[None]:
    before = LOGGER.handlers[:], LOGGER.level, LOGGER.propagate
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(level)
    LOGGER.propagate = False  # a library may give the root a handler of its own
    try:
        yield
    finally:
        LOGGER.handlers[:], LOGGER.propagate = before[0], before[2]
        LOGGER.setLevel(before[1])


class OneLine(logging.Filter):
    """Takes the messages of tries out of a library's log; the first of a row is a warning of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.last = -_SAME_S  # seconds since the epoch

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the library may say it itself."""
        message = first_line(record.getMessage())
        if not _RETRY.search(record.getMessage()):
            return True
        is_first = record.created - self.last >= _SAME_S
        self.last = record.created
        LOGGER.log(logging.WARNING if is_first else logging.DEBUG, "%s; trying again", message.rstrip(".:"))
        return False


@contextmanager
def _one_line_of_many() -> Iterator[None]:
    one = OneLine()
    loggers = [logging.getLogger(name) for name in RETRYING]
    for logger in loggers:
        logger.addFilter(one)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(one)


@contextmanager
def _silent_libraries() -> Iterator[None]:
    unset = [name for name in _VERBOSITY if name not in os.environ]
    os.environ.update(dict.fromkeys(unset, "error"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name in unset:
            os.environ.pop(name, None)
