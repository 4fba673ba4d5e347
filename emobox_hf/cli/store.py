"""`emobox store ls`, `verify`, `gc`: the features that are kept."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emobox_hf.progress import progress
from emobox_hf.text import show_size

COLUMNS = ("corpus", "encoder", "layer", "context", "precision", "storage_dtype")


def add_verbs(verbs: Any) -> None:
    """Add this group's verbs to `emobox`."""
    group = verbs.add_parser("store", help="the features that are kept: what there is, whether it is whole")
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")

    verb = actions.add_parser("ls", help="every store: what its features are, how many, how large, how old")
    _add_options(verb)
    verb.set_defaults(run=_ls)

    verb = actions.add_parser("verify", help="read every byte; exit 1 if anything is damaged")
    verb.add_argument("stores", nargs="*", metavar="STORE", help="folders that `ls` names, or corpora; else all")
    _add_options(verb)
    verb.set_defaults(run=_verify)

    verb = actions.add_parser("gc", help="what nothing reads: dead parts, double shards, stores of older formats")
    verb.add_argument("--yes", action="store_true", help="delete it; else it is only shown")
    _add_options(verb)
    verb.set_defaults(run=_gc)


def _add_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--features", type=Path, help="where features are kept; else $EMOBOX_CACHE/features")
    verb.add_argument("--json", action="store_true", help="as JSON")


def _root(arguments: argparse.Namespace) -> Path:
    from emobox_hf.files import cache_dir

    root: Path = arguments.features or cache_dir() / "features"
    return root


def _ls(arguments: argparse.Namespace) -> int:
    from emobox_hf.features.housekeeping import find_stores, summarize
    from emobox_hf.report.table import align

    root = _root(arguments)
    stores = find_stores(root)
    summaries = [summarize(found) for found in stores]
    if arguments.json:
        rows = [
            {"store": found.name, **{name: found.settings.get(name) for name in COLUMNS}, **asdict(summary)}
            for found, summary in zip(stores, summaries, strict=True)
        ]
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return 0
    if not stores:
        print(f"no features in {root}; `emobox extract` and `emobox probe` keep them there")
        return 0
    header = ("corpus", "encoder", "layer", "context", "precision", "dtype", "utterances", "frames", "size", "age")
    table = [
        (
            *(str(found.settings.get(name, "?")) for name in COLUMNS),
            str(summary.n_utterances),
            str(summary.n_frames),
            show_size(summary.n_bytes),
            _show_age(summary.age_s),
            found.name if not summary.problem else f"{found.name}  {summary.problem}",
        )
        for found, summary in zip(stores, summaries, strict=True)
    ]
    print(align([(*header, "store"), *table]))
    total = sum(summary.n_bytes for summary in summaries)
    print(f"\n{len(stores)} store{'s' if len(stores) > 1 else ''} in {root}, {show_size(total)}")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from emobox_hf.features.housekeeping import choose_stores, verify

    stores = choose_stores(_root(arguments), arguments.stores)
    problems = {}
    with progress("verify", total=len(stores), unit=" stores", only="lines") as advance:
        for one in stores:
            problems[one.name] = verify(one)
            advance(1)
    if arguments.json:
        print(json.dumps(problems, ensure_ascii=False, indent=1))
    else:
        for name, found in problems.items():
            print("\n".join(found) if found else f"{name}: whole")
    return int(any(problems.values()))


def _gc(arguments: argparse.Namespace) -> int:
    from emobox_hf.features.housekeeping import find_garbage, remove

    garbage = find_garbage(_root(arguments))
    if arguments.yes:
        for one in garbage:
            remove(one)
    if arguments.json:
        rows = [{"path": str(one.path), "n_bytes": one.n_bytes, "reason": one.reason} for one in garbage]
        print(json.dumps({"removed": arguments.yes, "garbage": rows}, ensure_ascii=False, indent=1))
        return 0
    for one in garbage:
        print(f"{one.path}: {show_size(one.n_bytes)}, {one.reason}")
    size = show_size(sum(one.n_bytes for one in garbage))
    if not garbage:
        print("nothing to remove")
    elif arguments.yes:
        print(f"removed {size}")
    else:
        print(f"{size} would be freed; `emobox store gc --yes` deletes them")
    return 0


def _show_age(age_s: float) -> str:
    for seconds, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if age_s >= seconds:
            return f"{age_s / seconds:.0f} {unit}"
    return f"{max(0, age_s):.0f} s"
