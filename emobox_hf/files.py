"""Where files go and how they are written: the cache folder, whole-or-nothing writes, digests."""

import errno
import hashlib
import json
import os
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emobox_hf.errors import InputError

MOST_TEXT_BYTES = 2_000_000_000  # of a file that is read as a whole; the largest table of a corpus has a fiftieth


def cache_dir() -> Path:
    """`$EMOBOX_CACHE`, else `~/.cache/emobox`; holds fetched corpora and weights, fold lists and features."""
    return Path(os.environ.get("EMOBOX_CACHE") or "~/.cache/emobox").expanduser()


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends well and vanishes otherwise.

    Readers see the old file or the whole new one, never a part; the data is flushed to disk before the rename.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(descriptor)
    part = Path(name)
    try:
        yield part
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raise an OSError if no file can be written at `path`, whose folders need not exist yet; nothing is left there."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    existing = next(parent for parent in path.absolute().parents if parent.exists())
    with tempfile.TemporaryFile(dir=existing):
        pass


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """A text file without its byte-order mark.

    Raises:
        InputError: It is not text in this encoding, or larger than any table or list.
    """
    if (size := path.stat().st_size) > MOST_TEXT_BYTES:
        raise InputError(f"{path}: a text was expected, found {size} bytes")
    try:
        return path.read_text(encoding=encoding).removeprefix("\ufeff")
    except UnicodeError as error:
        raise InputError(f"{path}: not text in {encoding}: {error}") from error


def read_json(path: Path) -> Any:
    """What a JSON file in UTF-8 holds.

    Raises:
        InputError: It is none.
    """
    return parse_json(read_text(path), str(path))


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file in UTF-8 holds.

    Raises:
        InputError: It is none, or is nested a thousand deep.
    """
    try:
        return tomllib.loads(read_text(path))
    except (ValueError, RecursionError) as error:  # tomllib lets through what int and datetime say of a number
        raise InputError(f"{path}: not a TOML file in UTF-8: {error}") from error


def parse_json(text: str, where: str) -> Any:
    """What a text in JSON says; `where` names it in messages.

    Raises:
        InputError: It is none, is nested a thousand deep, holds a number of thousands of digits or half a character.
    """
    try:
        value = json.loads(text)
        if "\\ud" in text.lower():  # an escape that may stand for half a character, which no file can hold
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except RecursionError as error:
        raise InputError(f"{where}: JSON that is nested too deep") from error
    except ValueError as error:
        raise InputError(f"{where}: not JSON in UTF-8: {error}") from error


def write_text(path: Path, text: str) -> None:
    """Write `text` in UTF-8, whole or not at all."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def sha256_of_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_keys(keys: Iterable[str]) -> str:
    """Digest of a set of utterance keys: SHA-256 of the sorted keys joined by newlines, in UTF-8.

    The same rule as the digests in the corpus specs, so it does not depend on the order of the keys.
    """
    return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
