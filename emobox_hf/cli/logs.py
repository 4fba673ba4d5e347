"""What the command line says on stderr beside its answer: `--quiet`, `--verbose`, and one line for many retries."""

import argparse
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from emobox_hf.errors import first_line
from emobox_hf.experiments.launch import speaks
from emobox_hf.progress import LOGGER

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
    by the libraries neither.
    """
    loudness = next((one.loudness for one in parsed if getattr(one, "loudness", None)), "")
    level = LEVELS.get(loudness, logging.INFO)
    if not speaks():
        level = max(level, logging.WARNING)
    with ExitStack() as stack:
        stack.enter_context(_handled_by(logging.StreamHandler(sys.stderr), level))
        stack.enter_context(_one_line_of_many())
        if loudness == "quiet":
            stack.enter_context(_silent_libraries())
        yield


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
