"""Reading from the web with the standard library: one request, and what its failures mean."""

import json
import re
import socket
import typing
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse

from emobox_hf.errors import InputError

TIMEOUT_S = 30
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # answers that may be another one in a moment
_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html)", re.IGNORECASE)


class Dropped(Exception):  # noqa: N818 - an event, not a user's mistake
    """The connection broke or the server is busy; asking again may help."""


class Stale(Dropped):
    """What was downloaded so far is longer than the file on the server, so it is a part of another one."""


def open_url(url: str, headers: Mapping[str, str] | None = None) -> HTTPResponse:
    """The answer to a GET request, redirects followed; its body is still to be read.

    Raises:
        Dropped: The server did not answer, is busy or failed.
        InputError: There is no connection, no such file, or no leave to have it.
    """
    from urllib.error import HTTPError, URLError  # costs more than all else that `import emobox_hf` loads
    from urllib.request import Request, urlopen

    from emobox_hf import __version__

    request = Request(url, headers={"User-Agent": f"emobox-hf/{__version__}", **(headers or {})})
    try:
        return typing.cast(HTTPResponse, urlopen(request, timeout=TIMEOUT_S))
    except HTTPError as error:
        error.close()
        if error.code == 416:
            raise Stale("the file on the server is shorter than what is here") from error
        if error.code in _PASSING:
            raise Dropped(f"HTTP {error.code} {error.reason}") from error
        meaning = {401: "it asks for an account", 403: "it refuses", 404: "it is not there", 410: "it is gone"}
        raise InputError(f"{url}: HTTP {error.code}, {meaning.get(error.code, error.reason)}") from error
    except URLError as error:
        if isinstance(error.reason, TimeoutError | ConnectionResetError):
            raise Dropped(str(error.reason)) from error
        hint = "; is there a network?" if isinstance(error.reason, socket.gaierror | ConnectionRefusedError) else ""
        raise InputError(f"{url}: no connection: {error.reason}{hint}") from error
    except (OSError, HTTPException) as error:
        raise Dropped(f"{type(error).__name__} {error}".strip()) from error


def read_chunk(response: HTTPResponse, n_bytes: int) -> bytes:
    """The next bytes of an answer, so many at most; none at its end.

    Raises:
        Dropped: The connection broke.
    """
    try:
        return response.read1(n_bytes)
    except (OSError, HTTPException) as error:
        raise Dropped(f"{type(error).__name__} {error}".strip()) from error


def read_url(url: str, headers: Mapping[str, str] | None = None) -> bytes:
    """The whole body at an address, for what fits into memory.

    Raises:
        Dropped: The server did not answer, is busy or failed, or the connection broke before the end.
        InputError: It cannot be had.
    """
    with open_url(url, headers) as response:
        length = response.headers.get("Content-Length")
        body = b"".join(iter(lambda: read_chunk(response, 1 << 20), b""))
    if length is not None and length.isdigit() and len(body) < int(length):
        raise Dropped(f"{url}: {len(body)} of {length} bytes came")
    return body


def read_json(url: str) -> typing.Any:
    """The JSON document at an address.

    Raises:
        Dropped: The server did not answer, is busy or failed.
        InputError: It cannot be had, or is no JSON.
    """
    body = read_url(url, {"Accept": "application/json"})
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{url}: expected JSON, found {body[:60]!r}") from error


def is_page(response: HTTPResponse, first_bytes: bytes) -> bool:
    """Whether an answer is a web page: a login, a quota or an error where a file was expected."""
    return response.headers.get_content_type() == "text/html" or _PAGE.match(first_bytes) is not None
