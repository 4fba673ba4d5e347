"""`emobox report`: tables and figures from finished runs."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emobox_hf.cli.options import add_places

if TYPE_CHECKING:
    from emobox_hf.report.collect import Run
    from emobox_hf.report.table import Table

SCORES = ("ua", "wa", "macro_f1")


def add_verbs(verbs: Any) -> None:
    """Add this group's verbs to `emobox`."""
    verb = verbs.add_parser("report", help="tables and figures from finished runs")
    verb.add_argument(
        "kind", choices=tuple(KINDS), help="; ".join(f"{name}: {text}" for name, (text, _) in KINDS.items())
    )
    verb.add_argument("runs", type=Path, nargs="?", default=Path("runs"), help="the folder they are under (runs)")
    verb.add_argument("--score", choices=SCORES, default="ua", help="of the benchmark and languages tables")
    verb.add_argument(
        "--with-contaminated", action="store_true", help="average over corpora that an encoder was trained on, too"
    )
    verb.add_argument(
        "--predictions", type=Path, nargs="+", default=[], metavar="FILE", help="of noise: pseudo-labels, see `label` …"
    )
    verb.add_argument("--corpus", nargs="+", default=[], metavar="CORPUS", help="… and of which corpus each file is")
    add_places(verb)
    verb.add_argument("--figure", type=Path, help="draw it to this PNG file (layers, cross, noise)")
    form = verb.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print Markdown")
    verb.set_defaults(run=_report)


def _report(arguments: argparse.Namespace) -> int:
    from emobox_hf.errors import InputError
    from emobox_hf.report.collect import find_runs
    from emobox_hf.report.figures import DRAWINGS

    if arguments.figure and arguments.kind not in DRAWINGS:
        raise InputError(f"figures are drawn of {', '.join(DRAWINGS)}, not of {arguments.kind}")
    if arguments.predictions or arguments.corpus:
        tables = _pseudo_labels(arguments)
    else:
        tables = KINDS[arguments.kind][1](find_runs(arguments.runs), arguments)
    if arguments.json:
        print(json.dumps([table.to_dict() for table in tables], indent=1, ensure_ascii=False))
    elif arguments.markdown:
        print("\n".join(table.to_markdown() for table in tables), end="")
    else:
        print("\n\n".join(table.to_text() for table in tables))
    if arguments.figure:
        DRAWINGS[arguments.kind](tables, arguments.figure)
    return 0


def make_tables(kind: str, folders: Sequence[Path]) -> "list[Table]":
    """The tables of one kind, from the runs in these folders.

    Raises:
        InputError: There is no such kind, or the runs are not for it.
    """
    from emobox_hf.errors import InputError, suggest
    from emobox_hf.report.collect import find_runs

    if kind not in KINDS:
        raise InputError(f"no report of kind {kind!r}{suggest(kind, KINDS)}")
    runs = [run for folder in folders for run in find_runs(folder)]
    defaults = argparse.Namespace(score="ua", with_contaminated=False)
    return KINDS[kind][1](runs, defaults)


def _benchmark(runs: "list[Run]", arguments: argparse.Namespace) -> "list[Table]":
    from emobox_hf.report.benchmark import benchmark_table

    return [benchmark_table(runs, score=arguments.score, with_contaminated=arguments.with_contaminated)]


def _cross(runs: "list[Run]", arguments: argparse.Namespace) -> "list[Table]":
    from emobox_hf.encoders.known.table import find_known
    from emobox_hf.report.cross import cross_tables, paper_tables

    known = (find_known(run.encoder) for run in runs)
    ids = dict.fromkeys(encoder.id for encoder in known if encoder is not None)
    return [*cross_tables(runs), *(table for name in ids for table in paper_tables(name))]


def _layers(runs: "list[Run]", arguments: argparse.Namespace) -> "list[Table]":
    from emobox_hf.report.layers import layers_table

    return [layers_table(runs)]


def _partition(runs: "list[Run]", arguments: argparse.Namespace) -> "list[Table]":
    from emobox_hf.report.partition import partition_table

    return [partition_table(runs)]


def _noise(runs: "list[Run]", arguments: argparse.Namespace) -> "list[Table]":
    from emobox_hf.report.noise import agreement_table, doubt_table, noise_curve

    chosen = [run for run in runs if run.kind_of_folds == "random"]
    details = (table for run in chosen for table in (noise_curve(run), doubt_table(run)))
    return [agreement_table(chosen), *details]


def _pseudo_labels(arguments: argparse.Namespace) -> "list[Table]":
    """Pseudo-labels against annotation, beside what runs say where there are any; no sound is read.

    Raises:
        InputError: Another kind is asked for, or files and corpora do not pair.
    """
    from emobox_hf.errors import InputError
    from emobox_hf.report.agreement import compare_with_runs, confusion_table, emotion_table, judge, overview_table
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
    told = {one.corpus for one in judged}
    probed = [run for run in runs if run.kind_of_folds == "random" and run.corpus in told]
    tables = [overview_table(judged)]
    for one in judged:
        tables += [emotion_table(one), confusion_table(one), *compare_with_runs(one, runs)]
    return [*tables, *(_noise(probed, arguments) if probed else [])]


def _languages(runs: "list[Run]", arguments: argparse.Namespace) -> "list[Table]":
    from emobox_hf.report.languages import languages_tables

    return languages_tables(runs, score=arguments.score, with_contaminated=arguments.with_contaminated)


Make = Callable[["list[Run]", argparse.Namespace], "list[Table]"]
KINDS: dict[str, tuple[str, Make]] = {
    "benchmark": ("corpora by encoders", _benchmark),
    "cross": ("who trains by who tests", _cross),
    "layers": ("UA by layer", _layers),
    "partition": ("one encoder under several kinds of folds", _partition),
    "noise": ("labels that probes on random folds doubt, or that pseudo-labels differ from", _noise),
    "languages": ("languages that an encoder has heard, and others", _languages),
}
