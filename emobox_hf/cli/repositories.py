"""`emobox build`, `push`: script-free repositories for `load_dataset` and `evaluate.load`, and their way to the Hub."""

import argparse
import sys
from pathlib import Path
from typing import Any

from emobox_hf.cli.places import add_places


def add_verbs(verbs: Any) -> None:
    """Add this group's verbs to `emobox`."""
    verb = verbs.add_parser(
        "build",
        help="write a repository that load_dataset (or evaluate.load) reads without this package",
        description="After `emobox build iemocap --out built/iemocap`, load_dataset('built/iemocap', 'fold1') works in "
        "the same place, and the same folder can go to the Hub.",
    )
    verb.add_argument("name", help="a corpus, or ser_metrics")
    verb.add_argument("--out", type=Path, required=True, help="the folder to make, such as built/iemocap")
    add_places(verb)
    verb.add_argument(
        "--link", action="store_true", help="store paths into the corpus instead of audio, where a path does"
    )
    verb.add_argument("--allow-missing", action="store_true", help="accept an incomplete copy")
    verb.add_argument("--overwrite", action="store_true", help="replace the folder if it exists")
    verb.set_defaults(run=_build)

    verb = verbs.add_parser(
        "push",
        help="upload a folder that build wrote to the Hugging Face Hub, private by default",
        description="What the Hub already has is not uploaded again, so the same command goes on with an interrupted "
        "push, and brings a repository up to date. A corpus becomes a dataset, ser_metrics a Space.",
    )
    verb.add_argument("folder", type=Path, help="what `emobox build` wrote, such as built/iemocap")
    verb.add_argument("--repo", required=True, metavar="OWNER/NAME", help="the repository; created if there is none")
    verb.add_argument("--public", action="store_true", help="for all to see, if the licence of the corpus allows it")
    verb.add_argument(
        "--i-have-the-right", action="store_true", help="the owners of the corpus let you publish it: lifts that check"
    )
    verb.add_argument(
        "--allow-missing", action="store_true", help="accept a folder that was built with --allow-missing"
    )
    verb.add_argument(
        "--token", help="else $HF_TOKEN, else that of `hf auth login`; others on this machine can see arguments"
    )
    verb.set_defaults(run=_push)


def _build(arguments: argparse.Namespace) -> int:
    from emobox_hf.cli.progress import watch_utterances
    from emobox_hf.corpora.manifest import build_manifest
    from emobox_hf.corpora.spec import load_spec
    from emobox_hf.hub.register import METRIC
    from emobox_hf.hub.repo import build_metric, build_repository

    if arguments.name == METRIC:
        build_metric(arguments.out, overwrite=arguments.overwrite)
    else:
        manifest = build_manifest(
            load_spec(arguments.name),
            arguments.data_dir,
            folds_dir=arguments.folds_dir,
            allow_missing=arguments.allow_missing,
        )
        build_repository(
            manifest,
            arguments.out,
            folds_dir=arguments.folds_dir,
            link=arguments.link,
            overwrite=arguments.overwrite,
            watch=watch_utterances(manifest, "build"),
        )
    print(arguments.out)
    return 0


def _push(arguments: argparse.Namespace) -> int:
    from huggingface_hub import HfApi
    from huggingface_hub.utils import disable_progress_bars, logging  # type: ignore[attr-defined]

    from emobox_hf.hub.push import push_folder
    from emobox_hf.progress import is_quiet, progress

    # The client warns when there is nothing to upload; that is said below.
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    if is_quiet() or not sys.stderr.isatty():
        disable_progress_bars()
    with progress(f"push {arguments.folder}", only="lines"):
        pushed = push_folder(
            arguments.folder,
            arguments.repo,
            api=HfApi(token=arguments.token),
            public=arguments.public,
            has_right=arguments.i_have_the_right,
            allow_missing=arguments.allow_missing,
        )
    print(pushed.url if pushed.is_changed else f"{pushed.url} is up to date")
    return 0
