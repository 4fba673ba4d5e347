"""`emobox predict`: what the trained probes of a run say of any sound."""

import argparse
import sys
from pathlib import Path
from typing import Any

from emobox_hf.errors import InputError
from emobox_hf.experiments.prediction_request import FileChoice, ProbeChoice
from emobox_hf.options import Parser, add_options, take_options
from emobox_hf.text import count_of, show_text


def add_verbs(verbs: Any) -> None:
    """Add this group's verb to `emobox`."""
    verb: Parser = verbs.add_parser(
        "predict",
        help="emotions of any sound, by the trained probes of a run",
        description="A probability of each label for each file, or for each window of a long one: the mean over the "
        "probes of all folds. A clip of the run's own corpus is known to the probes of all folds but one; what they "
        "say of clips they never heard stands in the run's predictions.",
    )
    verb.add_argument("files", nargs="+", type=Path, metavar="FILE_OR_FOLDER", help="sound or video; folders whole")
    verb.add_argument(
        "--probe", required=True, type=Path, metavar="RUN", help="the folder of a run, or the file of its probes"
    )
    for section in (ProbeChoice, FileChoice):
        add_options(verb, section)
    verb.add_argument("--out", type=Path, metavar="FILE", help="write .jsonl, .csv or .parquet, by the end of its name")
    verb.add_argument("--json", action="store_true", help="print JSON, a line a window, as soon as it is known")
    verb.set_defaults(run=_predict)


def _predict(arguments: argparse.Namespace) -> int:
    from emobox_hf.api.predictions import check_form, list_rows, print_json_lines, write
    from emobox_hf.api.verbs import find_probes
    from emobox_hf.experiments.sound_files import list_files

    options = vars(arguments)
    choice = ProbeChoice(**take_options(ProbeChoice, options))
    of_files = FileChoice(**take_options(FileChoice, options))
    if arguments.out:
        if arguments.json:
            raise InputError("--json prints, --out writes: give one of them")
        check_form(arguments.out)
    files, probes = list_files(arguments.files), find_probes(arguments.probe)

    from emobox_hf.experiments.prediction import load_predictor, predict_files  # torch, when all else is in order

    predictor = load_predictor(probes, choice)
    found, labels = predict_files(predictor, files, of_files), predictor.labels
    left_out: dict[str, str] = {}
    if arguments.out:
        n_rows, left_out = write(found, labels, arguments.out)
        print(f"{arguments.out}: {count_of(n_rows, 'window')} of {count_of(len(files) - len(left_out), 'file')}")
    elif arguments.json:
        print_json_lines(list_rows(found, labels, left_out), sys.stdout)
    else:
        _print_table(list(list_rows(found, labels, left_out)), labels)
    for file, reason in left_out.items():
        print(f"left out: {reason if file in reason else f'{file}: {reason}'}", file=sys.stderr)
    return 0


def _print_table(rows: list[dict[str, Any]], labels: tuple[str, ...]) -> None:
    from emobox_hf.report.table import align

    lines = [["file", "from s", "to s", *map(show_text, labels), "prediction"]]
    for row in rows:
        shares = (f"{row[f'p_{label}']:.3f}" for label in labels)
        guess = show_text(row["prediction"])
        lines.append([row["file"], f"{row['start_s']:.2f}", f"{row['end_s']:.2f}", *shares, guess])
    print(align(lines))
