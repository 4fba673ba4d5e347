"""A stand-in for the sites of corpora: a small web server on this machine whose faults are set by the test."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Served:
    """A file, and how it is served.

    `drops`: after so many bytes the connection breaks, one number a request; `statuses`: answers before the file;
    `length`: what is announced instead of the real size; `has_length`: else the answer comes in chunks of unknown
    number; `heeds_version`: whether If-Range is; `shift`: how far from where it should an answer in part begins.
    """

    body: bytes
    etag: str | None = '"1"'
    modified: str | None = None
    takes_ranges: bool = True
    heeds_version: bool = True
    shift: int = 0
    has_length: bool = True
    length: int | None = None
    content_type: str = "application/octet-stream"
    drops: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)


@dataclass
class Site:
    """What the server holds, by path and query, and what it was asked: path and Range header."""

    url: str
    files: dict[str, Served] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def serve(self, path: str, body: bytes, **how: Any) -> str:
        """Put a file at a path; its address."""
        self.files[path] = Served(body, **how)
        return self.url + path

    def serve_json(self, path: str, document: Any) -> str:
        """Put a JSON document at a path; its address."""
        return self.serve(path, json.dumps(document).encode(), content_type="application/json")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, *arguments: Any) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        """Answer as the file's settings say."""
        self.site.requests.append((self.path, self.headers["Range"]))
        served = self.site.files.get(self.path)
        if served is None or served.statuses:
            self.send_error(served.statuses.pop(0) if served else 404)
            return
        start = self._start(served)
        if start > len(served.body):
            self.send_error(416)
            return
        body, whole = served.body[start:], served.length or len(served.body)
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", served.content_type)
        for name, value in (("ETag", served.etag), ("Last-Modified", served.modified)):
            if value is not None:
                self.send_header(name, value)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        if served.has_length:
            self.send_header("Content-Length", str(whole - start))
        else:
            self.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%b\r\n" % (len(body), body) + b"0\r\n\r\n"
        self.end_headers()
        with suppress(ConnectionError):  # the other side may have heard enough
            self.wfile.write(body[: served.drops.pop(0)] if served.drops else body)
        self.close_connection = True

    def _start(self, served: Served) -> int:
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        version, asked = served.etag or served.modified, self.headers["If-Range"]
        is_other = served.heeds_version and asked is not None and asked != version
        return int(wanted[1]) + served.shift if wanted and served.takes_ranges and not is_other else 0


@contextmanager
def running_site() -> Iterator[Site]:
    """A server that runs while the block does."""
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        handler.site = site = Site(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield site
        server.shutdown()
        thread.join()
