"""transformers without its progress bars, which say nothing about the work at hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def no_progress_bars() -> Iterator[None]:
    """Within, transformers draws no bar for weights read or written; afterwards it does as before."""
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging  # untyped in transformers

    was_enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_enabled:
            logging.enable_progress_bar()
