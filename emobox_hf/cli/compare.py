"""`emobox compare`: which of several systems is better, and how sure that is."""

import argparse
from pathlib import Path
from typing import Any

from emobox_hf.cli.formats import add_formats, print_tables


def add_verbs(verbs: Any) -> None:
    """Add this group's verbs to `emobox`."""
    verb = verbs.add_parser(
        "compare",
        help="which of several systems is better: paired differences in each corpus, ranks over corpora",
        description="Every pair of systems in each corpus, paired by test speaker; over five corpora or more, ranks of "
        "systems that were run on all of them.",
    )
    verb.add_argument("runs", type=Path, nargs="*", default=[Path("runs")], help="folders of runs (default: runs)")
    verb.add_argument("--paper", action="store_true", help="rank the paper's ten encoders by its own table instead")
    verb.add_argument("--score", default="ua", help="such as wa (default: ua)")
    verb.add_argument(
        "--figure", type=Path, help="draw mean ranks and critical difference to a .png, .svg or .pdf file"
    )
    add_formats(verb)
    verb.set_defaults(run=_compare)


def _compare(arguments: argparse.Namespace) -> int:
    from emobox_hf.errors import InputError
    from emobox_hf.report.collect import gather_runs
    from emobox_hf.report.comparison import compare_paper, compare_runs
    from emobox_hf.report.kinds import ReportOptions

    options = ReportOptions(score=arguments.score)
    if arguments.paper:
        found = compare_paper(score=options.score)
    else:
        found = compare_runs(gather_runs(arguments.runs), score=options.score)
    print_tables(found.tables, arguments)
    if arguments.figure:
        from emobox_hf.report.figures import draw_ranks

        if found.ranking is None:
            raise InputError("ranks are drawn of three systems that were run on the same five corpora or more")
        draw_ranks(found.ranking, found.names, arguments.figure)
    return 0
