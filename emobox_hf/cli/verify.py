"""`emobox verify`: whether runs that somebody sends are what they say, without the sound."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from emobox_hf.errors import InputError
from emobox_hf.text import count_of, show_text

SHOWN = 5  # faults of a run


def add_verbs(verbs: Any) -> None:
    """Add this group's verb to `emobox`."""
    verb = verbs.add_parser(
        "verify",
        help="whether runs agree with themselves: scores from predictions, keys, folds; exit 1 if not",
        description="Computes scores, means and intervals again from the predictions, holds the keys of each test part "
        "to the digests of the record and those to EmoBox's, and names each field that does not agree. Where sound is "
        "needed to know, it is believed: that the probabilities are this encoder's, and what was trained on.",
    )
    verb.add_argument("runs", type=Path, nargs="*", default=[Path("runs")], help="the folders they are under (runs)")
    verb.add_argument("--json", action="store_true", help="every fault of every run as JSON")
    verb.set_defaults(run=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    from emobox_hf.progress import watched
    from emobox_hf.results.records import RECORD, read_record
    from emobox_hf.results.verification import find_faults, list_doubts

    folders = []
    for place in arguments.runs:
        found = sorted(path.parent for path in place.rglob(RECORD))
        if not found:
            raise InputError(f"{place}: expected finished runs, found no {RECORD}")
        folders += found
    faults: dict[str, list[str]] = {}
    doubts: dict[str, list[str]] = {}
    unique = list(dict.fromkeys(folders))
    for folder in watched(unique, "verify", total=len(unique), unit=" runs"):
        try:
            faults[str(folder)] = list(find_faults(folder))
            doubts[str(folder)] = list_doubts(read_record(folder))
        except InputError as error:
            faults[str(folder)] = [str(error)]
    n_wrong = sum(map(bool, faults.values()))
    if arguments.json:
        print(
            json.dumps(
                [{"run": run, "faults": found, "doubts": doubts.get(run, [])} for run, found in faults.items()],
                indent=1,
                ensure_ascii=False,
            )
        )
        return 1 if n_wrong else 0
    for run, found in faults.items():
        agrees = "; ".join(["agrees", *doubts.get(run, [])])
        print(f"{show_text(run)}: {count_of(len(found), 'fault') if found else agrees}")
        for fault in found[:SHOWN]:
            print(f"  {show_text(fault)}")
        if len(found) > SHOWN:
            print(f"  … and {len(found) - SHOWN} more; --json names all")
    if n_wrong:
        print(f"{n_wrong} of {count_of(len(faults), 'run')} cannot be taken as they are", file=sys.stderr)
    return 1 if n_wrong else 0
