"""`emobox extract`, `probe`, `demo`: frozen encoders on corpora."""

import argparse
from pathlib import Path
from typing import Any

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
    verb.add_argument(
        "--head", choices=("emobox", "linear"), default="emobox", help="the paper's, or logistic regression"
    )
    verb.add_argument("--output", type=Path, default=Path("runs"), help="where the run is kept")
    verb.add_argument("--overwrite", action="store_true", help="run again if it is finished")
    verb.set_defaults(run=_demo)


def _probe(arguments: argparse.Namespace) -> int:
    import run_probe

    return run_probe.main(arguments.options, prog="emobox probe")


def _extract(arguments: argparse.Namespace) -> int:
    from emobox_hf.experiments.extraction import fill_store
    from emobox_hf.experiments.launch import find_place
    from emobox_hf.experiments.plan import plan_run
    from emobox_hf.experiments.request import parse_request

    request = parse_request(arguments.options, prog="emobox extract")
    plan, place = plan_run(request), find_place()
    part = f", process {place.rank} of {place.world_size}" if place.world_size > 1 else ""
    for source in plan.sources:
        utterances = plan.utterances(source)
        filled = fill_store(source, utterances, plan.encoding, place)
        print(
            f"{source.spec.name} by {request.encoder}{part}: {filled.audio_s:.0f} s of audio encoded now, in "
            f"{filled.wall_s:.0f} s, into {request.features}; {len(filled.left_out)} of {len(utterances)} utterances "
            "left out"
        )
        for key, reason in sorted(filled.left_out.items()):
            print(f"  {key}: {reason}")
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    import run_probe
    from emobox_hf.cli.progress import watch_bytes
    from emobox_hf.corpora.spec import load_spec
    from emobox_hf.experiments.request import ProbeRequest
    from emobox_hf.files import cache_dir
    from emobox_hf.report.figures import draw_confusion
    from emobox_hf.sources.corpora import fetch_corpus
    from emobox_hf.sources.encoders import FETCHABLE, fetch_encoder

    spec = load_spec(DEMO_CORPUS)
    folder = fetch_corpus(spec, say=print, watch=watch_bytes)
    if arguments.encoder in FETCHABLE:
        fetch_encoder(arguments.encoder)
    request = ProbeRequest(
        corpus=DEMO_CORPUS,
        encoder=arguments.encoder,
        data_dir=folder,
        head=arguments.head,
        features=cache_dir() / "features",
        output=arguments.output,
        overwrite=arguments.overwrite,
    )
    run = run_probe.run_probe(request)
    print(draw_confusion(run))
    return 0
