"""What tells that a run's files are as they were written, and the error where they are not."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from emobox_hf.errors import InputError

AGAIN = "the same `emobox probe` makes the run again"


class DamagedRunError(InputError):
    """A record or predictions that changed since they were written, were cut short, or are no such file."""


def digest_of_table(table: Mapping[str, Any]) -> str:
    """SHA-256 of a JSON table's content, whatever its file's white space and the order of its keys."""
    return hashlib.sha256(json.dumps(table, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
