"""Downloading one file: continued where it stopped, verified before it takes its name."""

import hashlib
import io
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path

from emobox_hf.errors import InputError
from emobox_hf.files import write_text
from emobox_hf.progress import LOGGER
from emobox_hf.sources.services import RemoteFile
from emobox_hf.text import show_size
from emobox_hf.web import Dropped, Stale, is_page, open_url, read_chunk

ATTEMPTS = 6  # in a row without a new byte
LONGEST_PAUSE_S = 60.0
_CHUNK_BYTES = 1 << 18
# From a file's name, its size (None: unknown) and the bytes already here to a block that counts new bytes.
Watch = Callable[[str, int | None, int], AbstractContextManager[Callable[[int], object]]]


@contextmanager
def unwatched(name: str, total: int | None, done: int) -> Iterator[Callable[[int], object]]:
    """A `Watch` that shows nothing."""
    yield lambda n_bytes: None


@dataclass(frozen=True, slots=True)
class _Part:
    """A file that is here in part: where it is from, which version it is (`etag` or date), and its whole size."""

    url: str
    version: str | None
    total: int | None


def download(file: RemoteFile, folder: Path, *, watch: Watch = unwatched, pause_s: float = 1.0) -> Path:
    """The whole, verified file in `folder`, from there if it is there, else downloaded.

    Bytes go to `<name>.part`, which stays after an interruption and is continued by the next call; `<name>.part.json`
    says which version of the file it is a part of. A part of another version is thrown away.

    Args:
        file: What is wanted; its size and checksum are compared where they are known.
        folder: Where it goes; no two processes may download one file there at the same time.
        watch: Shows progress.
        pause_s: The pause before the second try after a broken connection; it doubles with every further one.

    Raises:
        InputError: It cannot be had, does not fit on the disk, is another file than expected, or the connection breaks
            time and again. What was received stays unless it is wrong.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file.name
    if path.is_file():
        if _describe_mismatch(path, file) is None:
            return path
        path.unlink()
    part, about = folder / f"{file.name}.part", folder / f"{file.name}.part.json"
    failures, most, is_told = 0, _size(part), False
    while True:
        try:
            _receive(file, part, about, watch)
            break
        except Dropped as error:
            failures = 1 if _size(part) > most else failures + 1
            most = max(most, _size(part))
            if failures >= ATTEMPTS:
                raise InputError(
                    f"{file.url}: the connection broke {failures} times in a row ({error}); {show_size(_size(part))} "
                    f"are kept in {part}, and the same command goes on from there"
                ) from error
            LOGGER.log(logging.DEBUG if is_told else logging.WARNING, "%s: %s; trying again", file.url, error)
            is_told = True
            time.sleep(min(LONGEST_PAUSE_S, pause_s * 2 ** (failures - 1)))
    if mismatch := _describe_mismatch(part, file):
        part.unlink()
        about.unlink()
        raise InputError(f"{file.name} from {file.url}: {mismatch}; it was removed, and nothing was unpacked")
    part.replace(path)
    about.unlink()
    return path


def _receive(file: RemoteFile, part: Path, about: Path, watch: Watch) -> None:
    """Receive the rest of a file of which a part is here, or all of it where that part cannot be continued."""
    known = _read_about(about)
    done = _size(part) if known is not None and _can_continue(file, known) else 0
    if known is not None and done and done == known.total:
        return
    headers = {"Range": f"bytes={done}-"} if done else {}
    if done and known is not None and known.version is not None:
        headers["If-Range"] = known.version
    try:
        response = open_url(file.url, headers)
    except Stale:
        part.unlink()
        raise
    with response:
        start, total = _span(response)
        version = _version(response)
        if start and (start != done or known is None or version != known.version or total != known.total):
            part.unlink()  # a server that goes on with another file
            raise Dropped("the file on the server has changed")
        if file.size is not None and total is not None and total != file.size:
            raise InputError(f"{file.url}: expected {file.size} bytes, the server announces {total}")
        first = read_chunk(response, _CHUNK_BYTES)
        if not start and is_page(response, first) and not file.name.endswith((".html", ".htm")):
            raise InputError(
                f"{file.url}: expected a file, found a web page: a login, a quota or an error; see it in a browser"
            )
        check_space(part.parent, (total or 0) - start, f"{file.name} needs")
        if not start:
            part.unlink(missing_ok=True)  # else bytes of one version could lie beside the name of another
            write_text(about, json.dumps({"url": file.url, "version": version, "total": total}))
        # unbuffered, so that a full disk is met where it is caught
        with io.FileIO(part, "ab") as out, watch(file.name, total, start) as advance:
            chunk, received = first, start
            while chunk:
                _write(out, chunk)
                advance(len(chunk))
                received += len(chunk)
                # a server may keep the connection open after the last byte
                chunk = read_chunk(response, _CHUNK_BYTES) if received != total else b""
    if total is not None and received < total:
        raise Dropped(f"{received} of {total} bytes came")


def check_space(folder: Path, n_bytes: int, what: str) -> None:
    """Raise an InputError if a folder's disk has fewer free bytes; `what` begins the message."""
    if (free := shutil.disk_usage(folder).free) < n_bytes:
        raise InputError(
            f"{what} {show_size(n_bytes)}, and {show_size(free)} are free on the disk of {folder}; make room, or put "
            "the cache elsewhere with $EMOBOX_CACHE"
        )


def _write(out: io.FileIO, chunk: bytes) -> None:
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[out.write(rest) :]
    except OSError as error:
        raise InputError(f"{out.name}: cannot be written: {error.strerror}; what came before is kept") from error


def _can_continue(file: RemoteFile, known: _Part) -> bool:
    """Whether what is here is a part of this file, and a change of the file on the server would be noticed."""
    is_same = known.url == file.url and (file.size is None or known.total in (None, file.size))
    return is_same and (known.version is not None or file.checksum is not None)


def _span(response: HTTPResponse) -> tuple[int, int | None]:
    """Where an answer's bytes begin in the file, and the file's size where the server tells it."""
    if response.status == 206:
        span, _, total = (response.headers.get("Content-Range") or "").removeprefix("bytes ").partition("/")
        first = span.partition("-")[0]
        if not first.isdigit():
            raise InputError(f"{response.url}: a part of a file came without a word which part")
        return int(first), int(total) if total.isdigit() else None
    length = response.headers.get("Content-Length")
    return 0, int(length) if length is not None and length.isdigit() else None


def _version(response: HTTPResponse) -> str | None:
    """What names this version of the file in an `If-Range` header; a weak tag does not."""
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _read_about(about: Path) -> _Part | None:
    try:
        return _Part(**json.loads(about.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):  # absent, or cut short when the machine stopped
        return None


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _describe_mismatch(path: Path, file: RemoteFile) -> str | None:
    """What is wrong with a file that was received, None if nothing is."""
    if file.size is not None and _size(path) != file.size:
        return f"expected {file.size} bytes, found {_size(path)}"
    if file.checksum is not None:
        name, _, digest = file.checksum.partition(":")
        with open(path, "rb") as opened:
            found = hashlib.file_digest(opened, name).hexdigest()
        if found != digest:
            return f"expected {name.upper()} {digest}, found {found} ({show_size(_size(path))})"
    return None
