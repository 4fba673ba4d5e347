"""`emobox fetch`: open corpora and small encoders, downloaded into the cache."""

import argparse
import json
from typing import Any

from emobox_hf.corpora.spec import list_corpora, load_spec
from emobox_hf.errors import InputError, suggest


def add_verb(verbs: Any) -> None:
    """Add `fetch` to `emobox`."""
    verb = verbs.add_parser("fetch", help="download an open corpus, or small encoder weights")
    verb.add_argument("name", nargs="?", help="a corpus or an encoder; without it, what can be fetched is listed")
    verb.add_argument("--keep-archives", action="store_true", help="keep what was downloaded after it was unpacked")
    verb.add_argument("--json", action="store_true", help="the list as JSON")
    verb.set_defaults(run=_fetch)


def _fetch(arguments: argparse.Namespace) -> int:
    from emobox_hf.cli.progress import announce, watch_bytes
    from emobox_hf.sources.fetch_corpus import fetch_corpus
    from emobox_hf.sources.fetch_encoder import FETCHABLE, fetch_encoder

    name = arguments.name
    if name is None:
        return _list(as_json=arguments.json)
    if name in FETCHABLE:
        print(fetch_encoder(name))
        return 0
    if name not in list_corpora() and not name.endswith(".toml"):
        raise InputError(f"nothing named {name!r} to fetch{suggest(name, [*list_corpora(), *FETCHABLE])}")
    spec = load_spec(name)
    folder = fetch_corpus(spec, say=announce, watch=watch_bytes, keep_archives=arguments.keep_archives)
    print(f"{folder}: {spec.title}, {spec.expected.utterances} utterances; licence: {spec.licence}")
    return 0


def _list(*, as_json: bool) -> int:
    from emobox_hf.report.table import align
    from emobox_hf.sources.fetch_encoder import FETCHABLE

    specs = [load_spec(name) for name in list_corpora()]
    fetched = [(spec, spec.fetch) for spec in specs if spec.fetch]
    if as_json:
        rows: list[dict[str, Any]] = [
            {
                "name": spec.name,
                "kind": "corpus",
                "size_mb": fetch.size_mb or None,
                "licence": spec.licence,
                "home": fetch.site,
                "tried_with": fetch.tried_with or None,
            }
            for spec, fetch in fetched
        ]
        rows += [
            {"name": name, "kind": "encoder", "size_mb": source.size_mb, "note": source.note}
            for name, source in FETCHABLE.items()
        ]
        rows += [{"name": spec.name, "kind": "by hand", "reason": spec.by_hand} for spec in specs if spec.by_hand]
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return 0
    lines = [("corpus", "size", "from", "licence")]
    for spec, fetch in fetched:
        mark = "" if fetch.tried_with else " *"
        lines.append((spec.name, fetch.size if fetch.size_mb else "?", fetch.site + mark, spec.licence))
    print(align(lines))
    print("* an address that has not been tried yet; what comes is compared with the spec before it is kept\n")
    print(align([("encoder", "size", "note"), *((n, f"{e.size_mb} MB", e.note) for n, e in FETCHABLE.items())]))
    by_hand = [(spec.name, f"{spec.by_hand}; {spec.homepage}") for spec in specs if spec.by_hand]
    print("\n" + align([("by hand", "because"), *by_hand]))
    print("\nThe other corpora are given on request; `emobox show CORPUS` says how to ask.")
    return 0
