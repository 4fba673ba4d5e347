"""`emobox report`: tables and figures from finished runs."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emobox_hf.cli.places import add_places
from emobox_hf.errors import InputError, suggest

if TYPE_CHECKING:
    from emobox_hf.report.table import Table


def add_verbs(verbs: Any) -> None:
    """Add this group's verbs to `emobox`."""
    verb = verbs.add_parser("report", help="tables and figures from finished runs")
    verb.add_argument("kind", help="benchmark, cross, layers, partition, noise, languages; `list` tells of each")
    verb.add_argument("runs", type=Path, nargs="?", default=Path("runs"), help="the folder they are under")
    verb.add_argument("--score", default="ua", help="of the benchmark and languages tables, such as wa")
    verb.add_argument(
        "--with-contaminated", action="store_true", help="average over corpora that an encoder was trained on, too"
    )
    verb.add_argument(
        "--predictions", type=Path, nargs="+", default=[], metavar="FILE", help="of noise: pseudo-labels, see `label` …"
    )
    verb.add_argument("--corpus", nargs="+", default=[], metavar="CORPUS", help="… and of which corpus each file is")
    add_places(verb)
    verb.add_argument("--figure", type=Path, help="draw it to this file, .png, .svg or .pdf (layers, cross, noise)")
    form = verb.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print Markdown")
    form.add_argument("--latex", action="store_true", help="print LaTeX, for booktabs")
    form.add_argument("--csv", action="store_true", help="print comma-separated values, in full")
    verb.set_defaults(run=_report)


def _report(arguments: argparse.Namespace) -> int:
    from emobox_hf.report.figures import DRAWINGS
    from emobox_hf.report.kinds import KINDS, ReportOptions, make_tables
    from emobox_hf.report.table import Table, align

    if arguments.kind == "list":
        texts = {name: kind.text for name, kind in KINDS.items()}
        print(json.dumps(texts, indent=1) if arguments.json else align(list(texts.items())))
        return 0
    if arguments.kind not in KINDS:
        raise InputError(f"no report of kind {arguments.kind!r}{suggest(arguments.kind, KINDS)}")
    if arguments.figure and arguments.kind not in DRAWINGS:
        raise InputError(f"figures are drawn of {', '.join(DRAWINGS)}, not of {arguments.kind}")
    options = ReportOptions(score=arguments.score, with_contaminated=arguments.with_contaminated)
    if arguments.predictions or arguments.corpus:
        tables = _compare_pseudo_labels(arguments)
    else:
        tables = make_tables(arguments.kind, [arguments.runs], options)
    if arguments.json:
        print(json.dumps([table.to_dict() for table in tables], indent=1, ensure_ascii=False))
    elif arguments.markdown or arguments.latex or arguments.csv:
        write = Table.to_markdown if arguments.markdown else Table.to_latex if arguments.latex else Table.to_csv
        print("\n".join(write(table) for table in tables), end="")
    else:
        print("\n\n".join(table.to_text() for table in tables))
    if arguments.figure:
        DRAWINGS[arguments.kind](tables, arguments.figure)
    return 0


def _compare_pseudo_labels(arguments: argparse.Namespace) -> "list[Table]":
    """Pseudo-labels against annotation, beside what runs say where there are any; no sound is read.

    Raises:
        InputError: Another kind is asked for, or files and corpora do not pair.
    """
    from emobox_hf.report.agreement import judge, pseudo_label_tables
    from emobox_hf.report.collect import find_runs
    from emobox_hf.results import RECORD

    files, corpora = arguments.predictions, arguments.corpus
    if arguments.kind != "noise" or len(files) != len(corpora):
        raise InputError(
            "--predictions and --corpus go with the kind noise, as many corpora as files; found kind "
            f"{arguments.kind}, {len(files)} files, {len(corpora)} corpora"
        )
    place = arguments.data_dir
    judged = []
    for corpus, file in zip(corpora, files, strict=True):
        spec_name = Path(corpus).stem
        folder = place / spec_name if place is not None and len(corpora) > 1 else place
        judged.append(judge(corpus, file, data_dir=folder, folds_dir=arguments.folds_dir))
    runs = find_runs(arguments.runs) if any(arguments.runs.rglob(RECORD)) else []
    return pseudo_label_tables(judged, runs)
