"""Names of pages, from names that may hold anything."""

import re
import unicodedata
from collections.abc import Iterable

MAX_CHARACTERS = 100


def assign_slugs(names: Iterable[str]) -> dict[str, str]:
    """A file name's stem for each name: small letters, digits, `.`, `_` and `-`; no two are the same.

    >>> assign_slugs(["iemocap", "IEMOCAP", "a/b", "<b>"])
    {'<b>': 'b', 'IEMOCAP': 'iemocap', 'a/b': 'a-b', 'iemocap': 'iemocap-2'}
    """
    slugs: dict[str, str] = {}
    taken = {"index"}  # the list of the others
    for name in sorted(set(names)):
        stem = _make_slug(name)
        slug, number = stem, 1
        while slug in taken:
            number += 1
            slug = f"{stem}-{number}"
        taken.add(slug)
        slugs[name] = slug
    return slugs


def _make_slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._-]+", "-", plain)[:MAX_CHARACTERS].strip("-._") or "unnamed"
