"""`emobox report`: tables and figures from finished runs."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emobox_hf.cli.formats import add_formats, print_tables
from emobox_hf.cli.places import add_places
from emobox_hf.errors import InputError, suggest

if TYPE_CHECKING:
    from emobox_hf.report.table import Table

SITE = "site"


def add_verbs(verbs: Any) -> None:
    """Add this group's verbs to `emobox`."""
    verb = verbs.add_parser("report", help="tables and figures from finished runs")
    verb.add_argument(
        "kind",
        help="benchmark, cross, layers, partition, groups, noise, languages, site; `list` tells of each",
    )
    verb.add_argument("runs", type=Path, nargs="*", default=[Path("runs")], help="the folders they are under")
    verb.add_argument("--score", default="ua", help="of the benchmark and languages tables, such as wa")
    verb.add_argument(
        "--with-contaminated", action="store_true", help="average over corpora that an encoder was trained on, too"
    )
    verb.add_argument(
        "--predictions", type=Path, nargs="+", default=[], metavar="FILE", help="of noise: pseudo-labels, see `label` …"
    )
    verb.add_argument("--corpus", nargs="+", default=[], metavar="CORPUS", help="… and of which corpus each file is")
    add_places(verb)
    verb.add_argument("--out", type=Path, help="of site: its folder, which is replaced if it is an earlier site (site)")
    verb.add_argument(
        "--audio-dir",
        type=Path,
        metavar="DIR",
        help="of site: where `<corpus>` folders are, whose sound is copied into the pages that list utterances; mind "
        "the licences before such a site is passed on",
    )
    verb.add_argument("--figure", type=Path, help="draw it to this file, .png, .svg or .pdf (layers, cross, noise)")
    add_formats(verb)
    verb.set_defaults(run=_report)


def _report(arguments: argparse.Namespace) -> int:
    from emobox_hf.report.figures import DRAWINGS
    from emobox_hf.report.kinds import KINDS, ReportOptions, make_tables
    from emobox_hf.report.table import align

    if arguments.kind == "list":
        texts = {name: kind.text for name, kind in KINDS.items()} | {SITE: "a folder of pages of all runs, to --out"}
        print(json.dumps(texts, indent=1) if arguments.json else align(list(texts.items())))
        return 0
    if arguments.kind == SITE:
        return _write_site(arguments)
    if arguments.kind not in KINDS:
        raise InputError(f"no report of kind {arguments.kind!r}{suggest(arguments.kind, [*KINDS, SITE])}")
    if arguments.out or arguments.audio_dir:
        raise InputError(f"--out and --audio-dir go with the kind {SITE}, not with {arguments.kind}")
    if arguments.figure and arguments.kind not in DRAWINGS:
        raise InputError(f"figures are drawn of {', '.join(DRAWINGS)}, not of {arguments.kind}")
    options = ReportOptions(score=arguments.score, with_contaminated=arguments.with_contaminated)
    if arguments.predictions or arguments.corpus:
        tables = _compare_pseudo_labels(arguments)
    else:
        tables = make_tables(arguments.kind, arguments.runs, options)
    print_tables(tables, arguments)
    if arguments.figure:
        DRAWINGS[arguments.kind](tables, arguments.figure)
    return 0


def _write_site(arguments: argparse.Namespace) -> int:
    """Pages of all runs; prints the page that leads to the others.

    Raises:
        InputError: An option is given that pages have no use for.
    """
    from emobox_hf.report.site import build_site

    unused = ("predictions", "corpus", "figure", "markdown", "with_contaminated", "data_dir", "folds_dir")
    given = [f"--{name.replace('_', '-')}" for name in unused if getattr(arguments, name)]
    given += ["--score"] if arguments.score != "ua" else []
    if given:
        raise InputError(f"{', '.join(given)}: not for the kind {SITE}, which shows everything that records hold")
    out = arguments.out or Path(SITE)
    n_pages = build_site(arguments.runs, out, audio_dir=arguments.audio_dir)
    first = out / "index.html"
    print(json.dumps({"pages": n_pages, "index": str(first)}) if arguments.json else f"{n_pages} pages; open {first}")
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
    runs = [run for folder in arguments.runs if any(folder.rglob(RECORD)) for run in find_runs(folder)]
    return pseudo_label_tables(judged, runs)
