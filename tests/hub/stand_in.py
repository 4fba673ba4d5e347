"""A stand-in for the Hub on this machine: the endpoints that huggingface_hub calls for an upload, kept in memory."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

TOKEN = "hf_standin"
READ_ONLY_TOKEN = "hf_readonly"


@dataclass
class Repo:
    """A repository: its files by name, how many commits it has had, and who may see it."""

    private: bool
    sdk: str | None = None
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": b"*.parquet filter=lfs\n"})
    commits: list[dict[str, Any]] = field(default_factory=list)

    @property
    def sha(self) -> str:
        return hashlib.sha1(str(len(self.commits)).encode()).hexdigest()


@dataclass
class Hub:
    """What the stand-in holds. `stored` are large files by digest; the upload number `fails_at` (from 1) is refused."""

    repos: dict[str, Repo] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    uploads: int = 0
    fails_at: int | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    endpoint: str = ""

    def write_to(self, folder: Path, repo: str) -> Path:
        """Put the files of `datasets/OWNER/NAME` into a folder, as a download would."""
        for name, content in self.repos[repo].files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A stand-in that serves until the block ends."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._route(
            {"/api/whoami-v2": self._whoami, r"/api/((?:datasets|spaces)/[^/]+/[^/]+)(?:/revision/main)?": self._info}
        )

    def do_POST(self) -> None:
        self._route(
            {
                "/api/repos/create": self._create,
                "/api/validate-yaml": self._validate,
                r"/api/((?:datasets|spaces)/[^/]+/[^/]+)/preupload/main": self._preupload,
                r"/api/((?:datasets|spaces)/[^/]+/[^/]+)/commit/main": self._commit,
                r"/((?:datasets|spaces)/[^/]+/[^/]+)\.git/info/lfs/objects/batch": self._batch,
            }
        )

    def do_PUT(self) -> None:
        self._route({"/storage/([0-9a-f]{64})": self._store}, needs_token=False)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _route(self, routes: dict[str, Any], *, needs_token: bool = True) -> None:
        body = self._body()
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if needs_token and token not in (TOKEN, READ_ONLY_TOKEN):
            self._answer(401, {"error": "Invalid username or password."})
            return
        if self.command == "POST" and token == READ_ONLY_TOKEN:
            self._answer(403, {"error": "You don't have the rights to write."})
            return
        for pattern, handle in routes.items():
            if match := re.fullmatch(pattern, self.path.partition("?")[0]):
                with self.hub.lock:
                    self._answer(*handle(body, *match.groups()))
                return
        self._answer(501, {"error": f"the stand-in has no {self.command} {self.path}"})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if "error" in content:
            self.send_header("X-Error-Message", content["error"])
            self.send_header("X-Error-Code", content.get("code", ""))
        self.end_headers()
        self.wfile.write(data)

    def _whoami(self, body: bytes) -> tuple[int, dict[str, Any]]:
        return 200, {"type": "user", "name": "me", "orgs": []}

    def _create(self, body: bytes) -> tuple[int, dict[str, Any]]:
        asked = json.loads(body)
        name = f"{asked['type']}s/{asked['organization']}/{asked['name']}"
        if asked["organization"] != "me":
            return 403, {"error": f"You don't have the rights to create a repository under {asked['organization']}."}
        if name in self.hub.repos:
            return 409, {"error": "You already created this repo"}
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.hub.repos[name] = Repo(private=private, sdk=asked.get("sdk"))
        return 200, {"url": f"{self.hub.endpoint}/{name}", "name": name}

    def _validate(self, body: bytes) -> tuple[int, dict[str, Any]]:
        _header(json.loads(body)["content"].encode())
        return 200, {"errors": [], "warnings": []}

    def _info(self, body: bytes, name: str) -> tuple[int, dict[str, Any]]:
        repo = self.hub.repos.get(name)
        if repo is None:
            return 404, {"error": "Repository not found", "code": "RepoNotFound"}
        return 200, {
            "id": name.partition("/")[2],
            "private": repo.private,
            "sha": repo.sha,
            "siblings": [{"rfilename": path} for path in sorted(repo.files)],
            "cardData": _header(repo.files.get("README.md", b"")),
            "tags": [],
            "downloads": 0,
            "likes": 0,
        }

    def _preupload(self, body: bytes, name: str) -> tuple[int, dict[str, Any]]:
        files = []
        for asked in json.loads(body)["files"]:
            mode = "lfs" if asked["path"].endswith(".parquet") else "regular"
            content = self.hub.repos[name].files.get(asked["path"])
            known = {} if content is None else {"oid": _oid(content, mode)}
            files.append({"path": asked["path"], "uploadMode": mode, "shouldIgnore": False, **known})
        return 200, {"files": files}

    def _batch(self, body: bytes, name: str) -> tuple[int, dict[str, Any]]:
        objects = json.loads(body)["objects"]
        for item in objects:
            if item["oid"] not in self.hub.stored:
                item["actions"] = {"upload": {"href": f"{self.hub.endpoint}/storage/{item['oid']}"}}
        return 200, {"transfer": "basic", "objects": objects}

    def _store(self, body: bytes, oid: str) -> tuple[int, dict[str, Any]]:
        self.hub.uploads += 1
        if self.hub.uploads == self.hub.fails_at:
            return 507, {"error": "Insufficient Storage"}
        if hashlib.sha256(body).hexdigest() != oid:
            return 400, {"error": "the digest is another one"}
        self.hub.stored[oid] = body
        return 200, {}

    def _commit(self, body: bytes, name: str) -> tuple[int, dict[str, Any]]:
        repo = self.hub.repos[name]
        lines = [json.loads(line) for line in body.splitlines()]
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                repo.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                repo.files[value["path"]] = self.hub.stored[value["oid"]]
            elif line["key"] == "deletedFile":
                del repo.files[value["path"]]
        repo.commits.append({line["value"].get("path", "summary"): line["key"] for line in lines})
        return 200, {"commitUrl": f"{self.hub.endpoint}/{name}/commit/{repo.sha}", "commitOid": repo.sha}


def _oid(content: bytes, mode: str) -> str:
    if mode == "lfs":
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _header(content: bytes) -> dict[str, Any] | None:
    text = content.decode()
    return yaml.safe_load(text.split("---\n")[1]) if text.startswith("---\n") else None
