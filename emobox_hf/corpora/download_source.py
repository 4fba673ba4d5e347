"""Where an open corpus is downloaded from: the `[fetch]` table of its spec."""

import dataclasses
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urldefrag, urlsplit

from emobox_hf.corpora.braces import expand_braces
from emobox_hf.errors import first_five
from emobox_hf.text import show_size

# The field that each kind of source needs; `sources.services.list_remote` lists the files of each.
KINDS = {"package": "source", "url": "urls", "zenodo": "source", "dataverse": "source", "github": "source"}
_SOURCES = {
    "package": r"[\w.-]+==[\w.]+",
    "zenodo": r"\d+",
    "dataverse": r"https?://[^\s/]+ doi:\S+",
    "github": r"[\w.-]+/[\w.-]+",
}
_CHECKSUM = re.compile(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class DownloadSource:
    """An address that gives a corpus to anyone, without an account or an agreement.

    Attributes:
        kind: One of `KINDS`.
        source: What names the corpus there: a requirement, a record's number, a server and a DOI, owner/repository.
        files: Patterns of the files that are wanted of those the service lists.
        urls: Addresses of files, as brace patterns (kind `url`); `#name` at the end where the address tells no name.
        checksums: File name, or the requirement of a package, to `md5:…` or `sha256:…`, where no service tells it.
        members: Patterns of what is unpacked of an archive; everything by default.
        nested: Patterns of archives inside an archive that are unpacked too.
        size_mb: About how much is downloaded, in millions of bytes; 0 where nobody has said.
        tried_with: The version of this package with which a complete corpus came from there; empty where the address
            is known but nobody has tried it yet.
        note: How what comes differs from the original, if it does.
    """

    kind: str
    source: str = ""
    files: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    checksums: Mapping[str, str] = dataclasses.field(default_factory=dict)
    members: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    size_mb: int = 0
    tried_with: str = ""
    note: str = ""

    @property
    def addresses(self) -> list[tuple[str, str]]:
        """Name and address of each file of kind `url`."""
        split = [urldefrag(address) for pattern in self.urls for address in expand_braces(pattern)]
        return [(name or unquote(urlsplit(url).path.rpartition("/")[2]), url) for url, name in split]

    @property
    def site(self) -> str:
        """The source in a few words, such as `zenodo 1188976` or a host."""
        if self.kind == "dataverse":
            return self.source.partition("//")[2]
        hosts = dict.fromkeys(urlsplit(url).netloc for _, url in self.addresses)
        return ", ".join(hosts) or f"{self.kind} {self.source}"

    @property
    def size(self) -> str:
        """How much is downloaded, for people to read."""
        return show_size(self.size_mb * 1_000_000) if self.size_mb else "size unknown"


def check_download_source(
    fetch: DownloadSource, access: str, by_hand: str, refuse: Callable[[str], typing.NoReturn]
) -> None:
    """Call `refuse` with a message if a `[fetch]` table does not fit its kind or its corpus."""
    if access != "open":
        refuse(f"access is {access!r}, so there must be no [fetch]: nothing is fetched past a form or a payment")
    if by_hand:
        refuse("by_hand says why the corpus cannot be fetched, and [fetch] how it is; expected one of the two")
    if fetch.kind not in KINDS:
        refuse(f"fetch.kind is {fetch.kind!r}, expected one of {', '.join(KINDS)}")
    if not getattr(fetch, KINDS[fetch.kind]):
        refuse(f"fetch.kind is {fetch.kind!r}, which needs fetch.{KINDS[fetch.kind]}")
    if fetch.kind in _SOURCES and not re.fullmatch(_SOURCES[fetch.kind], fetch.source):
        refuse(f"fetch.source is {fetch.source!r}, expected something like {_SOURCES[fetch.kind]}")
    if fetch.kind in ("zenodo", "dataverse", "github") and not fetch.files:
        refuse(f"fetch.kind is {fetch.kind!r}, which needs fetch.files: the patterns of the files that are wanted")
    if strange := [url for name, url in fetch.addresses if not re.match(r"https?://[^/]", url) or not name]:
        refuse(f"fetch.urls: expected addresses of files, http:// or https://, found {first_five(strange)}")
    names = [name for name, _ in fetch.addresses] or [fetch.source]
    if len(set(names)) < len(names):
        refuse(f"fetch.urls: expected files of different names, found {first_five(sorted(names))}")
    if fetch.kind in ("url", "package") and (unknown := sorted(set(fetch.checksums) - set(names))):
        refuse(f"fetch.checksums: expected some of {first_five(names)}, found {first_five(unknown)}")
    if strange := [checksum for checksum in fetch.checksums.values() if not _CHECKSUM.fullmatch(checksum)]:
        refuse(f"fetch.checksums: expected md5: or sha256: and so many hexadecimal digits, found {first_five(strange)}")
    if fetch.kind == "package" and not fetch.checksums.get(fetch.source, "").startswith("sha256:"):
        refuse(f"fetch.checksums has no sha256 of {fetch.source}")
