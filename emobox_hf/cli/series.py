"""`emobox cross` and `emobox experiment`: many runs that answer one question."""

import argparse
import contextlib
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from emobox_hf.errors import first_five, first_line

if TYPE_CHECKING:
    from emobox_hf.experiments.series import Series


def add_verbs(verbs: Any) -> None:
    """Add this group's verbs to `emobox`."""
    verb = verbs.add_parser(
        "cross",
        help="train on one corpus, test on another: every pair of --corpora",
        epilog="Every other option of `emobox probe` may follow, such as --encoder and --head.",
    )
    verb.add_argument("--corpora", nargs="+", required=True, metavar="CORPUS", help="two or more")
    verb.add_argument("--leave-one-out", action="store_true", help="test each on probes trained on all the others")
    verb.add_argument("--json", action="store_true", help="print the tables and what failed as JSON")
    verb.set_defaults(run=_cross, takes_options=True)

    verb = verbs.add_parser(
        "experiment",
        help="the runs that a TOML file lists, and their table",
        epilog="Options of `emobox probe` may follow; they go before those of the file.",
    )
    verb.add_argument("name", help="a .toml file, or one that comes with the package; `list` lists those")
    verb.add_argument("--json", action="store_true", help="print the tables and what failed as JSON")
    verb.set_defaults(run=_experiment, takes_options=True)


def _cross(arguments: argparse.Namespace) -> int:
    from emobox_hf.corpora.spec import load_spec
    from emobox_hf.errors import InputError
    from emobox_hf.experiments.request import parse_request
    from emobox_hf.experiments.series import Series, make_pairs

    if len(set(arguments.corpora)) < 2:
        raise InputError("--corpora takes two corpora or more")
    for name in arguments.corpora:  # a misspelt one is known before the work is done
        load_spec(name)
    pairs = make_pairs(arguments.corpora, leave_one_out=arguments.leave_one_out)
    requests = [
        parse_request(["--train", *pair["train"], "--test", pair["test"], *arguments.options], prog="emobox cross")
        for pair in pairs
    ]
    return _run(Series("Trained on one, tested on another", "cross", tuple(requests)), as_json=arguments.json)


def _experiment(arguments: argparse.Namespace) -> int:
    from emobox_hf.experiments.series import list_series, load_series
    from emobox_hf.report.table import align

    if arguments.name == "list":
        titles = list_series()
        print(json.dumps(titles, indent=1) if arguments.json else align(list(titles.items())))
        return 0
    return _run(load_series(arguments.name, arguments.options), as_json=arguments.json)


def _run(series: "Series", *, as_json: bool) -> int:
    """Do the runs, print their tables, say what failed and why; 1 if anything did.

    Raises:
        InputError: There is no report of the series' kind.
    """
    from emobox_hf.cli.probe import run_and_show
    from emobox_hf.errors import InputError, suggest
    from emobox_hf.experiments.launch import is_first_process, leave_group
    from emobox_hf.experiments.series import run_series
    from emobox_hf.report.kinds import KINDS, make_tables

    if series.report not in KINDS:  # known before the work is done
        raise InputError(f"no report of kind {series.report!r}{suggest(series.report, KINDS)}")
    with contextlib.redirect_stdout(sys.stderr if as_json else sys.stdout):
        outcomes = run_series(series, run_and_show)
    leave_group()
    if not is_first_process():
        return 0
    done = [outcome for outcome in outcomes if outcome.folder]
    failed = [outcome for outcome in outcomes if outcome.error]
    tables, no_table = [], "" if done else "no run is there"
    try:
        tables = make_tables(series.report, [outcome.folder for outcome in done if outcome.folder]) if done else []
    except InputError as error:  # what is there may not be enough for the table
        no_table = str(error)
    if as_json:
        runs = [{"run": one.name, "folder": one.folder and str(one.folder), "error": one.error} for one in outcomes]
        print(json.dumps({"title": series.title, "tables": [one.to_dict() for one in tables], "runs": runs}, indent=1))
    else:
        print("\n\n".join([f"\n{series.title}", *(table.to_text() for table in tables)]))
        print(f"\n{len(done)} of {len(outcomes)} runs are there" + (", these failed:" if failed else ""), flush=True)
    for line in _group_failures({outcome.name: outcome.error or "" for outcome in failed}):
        print(f"  {line}", file=sys.stderr)
    if no_table:
        print(f"no table: {no_table}", file=sys.stderr)
    return 1 if failed or no_table else 0


def _group_failures(reasons: Mapping[str, str]) -> list[str]:
    """A line for each reason, with the runs that failed for it; of a long reason its first line."""
    grouped: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        grouped.setdefault(first_line(reason), []).append(name)
    return [f"{first_five(names)}: {reason}" for reason, names in grouped.items()]
