"""`emobox extract`, `probe`, `demo`: frozen encoders on corpora."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emobox_hf.errors import InputError, tell_system_error
from emobox_hf.files import cache_dir
from emobox_hf.text import show_text

if TYPE_CHECKING:
    from emobox_hf.experiments.request import ProbeRequest

DEMO_CORPUS, DEMO_ENCODER = "polish", "whisper-tiny.en"


def add_verbs(verbs: Any) -> None:
    """Add this group's verbs to `emobox`."""
    for name, run, text in (
        ("probe", _probe, "score a frozen encoder on the folds of a corpus (what run_probe.py does)"),
        ("extract", _extract, "only the first half of probe: features into the store"),
    ):
        # The options are those of run_probe.py, parsed there; `emobox probe --help` shows them.
        verb = verbs.add_parser(name, help=text, add_help=False, prefix_chars="\0")
        verb.add_argument("options", nargs=argparse.REMAINDER)
        verb.set_defaults(run=run)

    verb = verbs.add_parser(
        "demo", help=f"the main job on real speech: {DEMO_ENCODER} on the {DEMO_CORPUS} corpus, fetched if need be"
    )
    verb.add_argument("--encoder", default=DEMO_ENCODER, help="see `emobox fetch` and `emobox probe --help`")
    verb.add_argument("--head", help="see `emobox probe --help`; by default the paper's")
    verb.add_argument("--output", type=Path, default=Path("runs"), help="where the run is kept")
    verb.add_argument("--overwrite", action="store_true", help="run again if it is finished")
    verb.add_argument("--json", action="store_true", help="print the record as JSON, with the run's folder")
    verb.set_defaults(run=_demo)


def probe_command(argv: Sequence[str] | None = None, *, prog: str, given: argparse.Namespace | None = None) -> int:
    """Do a run and print its table, or its record with `--json`; the exit code.

    Args:
        argv: The options.
        prog: The command, for messages.
        given: What stood before the verb.
    """
    from emobox_hf.cli.logs import speaking
    from emobox_hf.cli.main import check_config
    from emobox_hf.experiments.launch import is_first_process, leave_group
    from emobox_hf.experiments.request import build_parser, read_request

    try:
        check_config()
        parser = build_parser(prog)
        parser.add_argument("--json", action="store_true", help="print the record as JSON, with the run's folder")
        arguments = parser.parse_args(argv)
        with speaking(arguments, *([given] if given else [])):
            run_and_show(read_request(parser, arguments), as_json=arguments.json)
        leave_group()
    except (InputError, OSError) as error:
        told = tell_system_error(error, [Path.cwd(), cache_dir()]) if isinstance(error, OSError) else error
        if told is None:
            raise
        if is_first_process() or isinstance(error, OSError):
            print(f"{prog}: {show_text(told)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if is_first_process():
            print(f"{prog}: stopped; what was extracted is kept, the same command goes on from there", file=sys.stderr)
        return 130
    return 0


def run_and_show(request: "ProbeRequest", *, as_json: bool = False) -> Path:
    """Do a run and, on the first process of a launch, print its table and where it lies; its folder."""
    from emobox_hf.api.tracking import run_and_report
    from emobox_hf.experiments.launch import is_first_process
    from emobox_hf.report.run_table import run_table
    from emobox_hf.results import RECORD, read_record, record_to_json

    folder = run_and_report(request)
    if is_first_process():
        record = read_record(folder)
        if as_json:
            print(json.dumps({"folder": str(folder), **record_to_json(record)}, indent=1, ensure_ascii=False))
        else:
            print(f"{run_table(record)}\n\n{folder / RECORD}")
    return folder


def _probe(arguments: argparse.Namespace) -> int:
    return probe_command(arguments.options, prog="emobox probe", given=arguments)


def _extract(arguments: argparse.Namespace) -> int:
    from emobox_hf.cli.logs import speaking
    from emobox_hf.experiments.request import build_parser, read_request

    parser = build_parser(
        "emobox extract",
        description="Extract the features that `emobox probe` with these options reads, and keep them.",
    )
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    options = parser.parse_args(arguments.options)
    with speaking(options, arguments):
        _extract_and_show(read_request(parser, options), as_json=options.json)
    return 0


def _extract_and_show(request: "ProbeRequest", *, as_json: bool) -> None:
    from emobox_hf.experiments.extraction import fill_store
    from emobox_hf.experiments.launch import find_place
    from emobox_hf.experiments.plan import plan_run

    plan, place = plan_run(request), find_place()
    part = f", process {place.rank} of {place.world_size}" if place.world_size > 1 else ""
    rows = []
    for source in plan.sources:
        filled, n_utterances = fill_store(plan, source, place), len(plan.utterances(source))
        rows.append(
            {
                "corpus": source.spec.name,
                "encoder": request.encoder.name,
                "features": str(request.places.features_dir),
                "process": place.rank,
                "processes": place.world_size,
                "utterances": n_utterances,
                "audio_s": filled.audio_s,
                "wall_s": filled.wall_s,
                "left_out": dict(sorted(filled.left_out.items())),
            }
        )
        if as_json:
            continue
        print(
            f"{source.spec.name} by {request.encoder.name}{part}: {filled.audio_s:.0f} s of audio encoded now, in "
            f"{filled.wall_s:.0f} s, into {request.places.features_dir}; {len(filled.left_out)} of {n_utterances} "
            "utterances left out"
        )
        for key, reason in sorted(filled.left_out.items()):
            print(f"  {key}: {reason}")
    if as_json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))


def _demo(arguments: argparse.Namespace) -> int:
    from emobox_hf.cli.progress import announce, watch_bytes
    from emobox_hf.corpora.spec import load_spec
    from emobox_hf.experiments.request import make_request
    from emobox_hf.report.figures import draw_confusion
    from emobox_hf.report.site import build_site
    from emobox_hf.sources.fetch_corpus import fetch_corpus
    from emobox_hf.sources.fetch_encoder import FETCHABLE, fetch_encoder

    out = sys.stderr if arguments.json else sys.stdout
    folder = fetch_corpus(load_spec(DEMO_CORPUS), say=lambda line: announce(line, out), watch=watch_bytes)
    if arguments.encoder in FETCHABLE:
        fetch_encoder(arguments.encoder)
    request = make_request(
        corpus=DEMO_CORPUS,
        encoder=arguments.encoder,
        data_dir=folder,
        **({"head": arguments.head} if arguments.head else {}),
        output=arguments.output,
        overwrite=arguments.overwrite,
    )
    print(draw_confusion(run_and_show(request, as_json=arguments.json)), file=out)
    build_site([arguments.output], arguments.output / "site")
    print(arguments.output / "site" / "index.html", file=out)
    return 0
