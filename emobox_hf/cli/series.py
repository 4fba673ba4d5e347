"""`emobox cross` and `emobox experiment`: many runs that answer one question."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

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
    verb.set_defaults(run=_cross, takes_options=True)

    verb = verbs.add_parser(
        "experiment",
        help="the runs that a TOML file lists, and their table",
        epilog="Options of `emobox probe` may follow; they go before those of the file.",
    )
    verb.add_argument("name", help="a .toml file, or one that comes with the package; `list` lists those")
    verb.set_defaults(run=_experiment, takes_options=True)


def _cross(arguments: argparse.Namespace) -> int:
    from emobox_hf.errors import InputError
    from emobox_hf.experiments.request import parse_request
    from emobox_hf.experiments.series import Series, make_pairs

    if len(arguments.corpora) < 2:
        raise InputError("--corpora takes two corpora or more")
    pairs = make_pairs(arguments.corpora, leave_one_out=arguments.leave_one_out)
    requests = [
        parse_request(["--train", *pair["train"], "--test", pair["test"], *arguments.options], prog="emobox cross")
        for pair in pairs
    ]
    return _run(Series("cross-corpus", "cross", tuple(requests)))


def _experiment(arguments: argparse.Namespace) -> int:
    from emobox_hf.experiments.series import list_series, load_series

    if arguments.name == "list":
        print("\n".join(list_series()))
        return 0
    return _run(load_series(arguments.name, arguments.options))


def _run(series: "Series") -> int:
    """Do the runs, print their table, say what failed; 1 if anything did."""
    import run_probe
    from emobox_hf.cli.report import print_report
    from emobox_hf.experiments.series import run_series

    outcomes = run_series(series, run_probe.run_probe)
    if not run_probe.is_first_process():
        return 0
    folders = [outcome.folder for outcome in outcomes if outcome.folder]
    if folders:
        print(f"\n{series.title}\n")
        print_report(series.report, folders)
    failed = [outcome for outcome in outcomes if outcome.error]
    print(f"\n{len(folders)} of {len(outcomes)} runs are there" + (", these failed:" if failed else ""))
    for outcome in failed:
        request = outcome.request
        what = request.corpus or f"{' '.join(request.train)} to {request.test}"
        print(f"  {what} by {request.encoder}: {outcome.error}", file=sys.stderr)
    return 1 if failed else 0
