"""The files of a corpus at Zenodo, Dataverse or GitHub: names, addresses, sizes and checksums, as these list them."""

import re
import typing
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import quote

from emobox_hf.corpora.download_source import DownloadSource
from emobox_hf.errors import InputError, first_five
from emobox_hf.web import Dropped, read_json

_CHECKSUM = re.compile(r"(md5|sha1|sha256|sha512):[0-9a-f]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to download; size in bytes and checksum (`md5:…`, `sha256:…`) where they are known beforehand."""

    name: str
    url: str
    size: int | None = None
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """The addresses of the services that list files."""

    zenodo: str = "https://zenodo.org"
    github: str = "https://api.github.com"


def list_remote(fetch: DownloadSource, services: Services | None = None) -> list[RemoteFile]:
    """The files of a corpus to download, in the order of its spec's addresses or the service's list.

    Args:
        fetch: A source of any kind but `package`.
        services: Where the services are.

    Raises:
        InputError: The service cannot be reached or has no such corpus, or no file of a name that is wanted.
    """
    services = services or Services()
    if fetch.kind == "url":
        return [RemoteFile(_safe(name), url, None, fetch.checksums.get(name)) for name, url in fetch.addresses]
    readers: dict[str, Callable[[str, Services], list[RemoteFile]]]
    readers = {"zenodo": _list_zenodo, "dataverse": _list_dataverse, "github": _list_github}
    try:
        listed = readers[fetch.kind](fetch.source, services)
        for file in listed:
            _check(file)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{fetch.site}: the service's list of files is not of the expected form: {error!r}") from error
    except Dropped as error:
        raise InputError(f"{fetch.site}: the service does not answer: {error}; try again later") from error
    return _choose(listed, fetch)


def _list_zenodo(record: str, services: Services) -> list[RemoteFile]:
    answer = read_json(f"{services.zenodo}/api/records/{record}")
    return [RemoteFile(_safe(f["key"]), f["links"]["self"], f["size"], f["checksum"]) for f in answer["files"]]


def _list_dataverse(source: str, _: Services) -> list[RemoteFile]:
    server, doi = source.split()
    answer = read_json(f"{server}/api/datasets/:persistentId/?persistentId={quote(doi)}")
    entries = [e["dataFile"] for e in answer["data"]["latestVersion"]["files"] if not e.get("restricted")]
    return [
        RemoteFile(_safe(f["filename"]), f"{server}/api/access/datafile/{f['id']}", f["filesize"], f"md5:{f['md5']}")
        for f in entries
    ]


def _list_github(repository: str, services: Services) -> list[RemoteFile]:
    """The files of a repository's latest release; GitHub has digests of the newer ones."""
    assets = read_json(f"{services.github}/repos/{repository}/releases/latest")["assets"]
    return [RemoteFile(_safe(f["name"]), f["browser_download_url"], f["size"], f.get("digest")) for f in assets]


def _choose(listed: list[RemoteFile], fetch: DownloadSource) -> list[RemoteFile]:
    wanted = {pattern: [f for f in listed if _fits(f.name, [pattern])] for pattern in fetch.files}
    if absent := [pattern for pattern, found in wanted.items() if not found]:
        names = first_five(sorted(f.name for f in listed)) or "none"
        raise InputError(f"{fetch.site} has no file {first_five(absent)}; its files: {names}")
    return [f for f in listed if _fits(f.name, fetch.files)]


def _fits(name: str, patterns: Iterable[str]) -> bool:
    name = unicodedata.normalize("NFC", name)
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _check(file: RemoteFile) -> None:
    """Raise a ValueError if what a server says of a file is of another form, or leads elsewhere than to the web."""
    is_address = isinstance(file.url, str) and file.url.startswith(("https://", "http://"))
    is_size = file.size is None or (isinstance(file.size, int) and file.size >= 0)
    if not (is_address and is_size and (file.checksum is None or _CHECKSUM.fullmatch(file.checksum))):
        raise ValueError(file)


def _safe(name: typing.Any) -> str:
    if not isinstance(name, str) or not name.strip(". ") or {"/", "\\", "\0"} & set(name):
        raise InputError(f"a server lists a file named {name!r}, which is no name of a file; refused")
    return name
