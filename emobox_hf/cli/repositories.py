"""`emobox build`: script-free repositories for `load_dataset` and `evaluate.load`."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add_verbs(verbs: Any) -> None:
    """Add this group's verbs to `emobox`."""
    verb = verbs.add_parser(
        "build",
        help="write a repository that load_dataset (or evaluate.load) reads without this package",
        description="After `emobox build iemocap --out emobox/iemocap`, load_dataset('emobox/iemocap', 'fold1') works "
        "in the folder above, and the same folder can go to the Hub.",
    )
    verb.add_argument("name", help="a corpus, or ser_metrics")
    verb.add_argument("--out", type=Path, required=True, help="the folder to make, such as emobox/iemocap")
    verb.add_argument(
        "--data-dir", type=Path, help="the corpus's folder; else $EMOBOX_DATA_DIR/<corpus>, else the fetched"
    )
    verb.add_argument("--folds-dir", type=Path, help="a folder of EmoBox's lists; else $EMOBOX_FOLDS")
    verb.add_argument(
        "--link", action="store_true", help="store paths into the corpus instead of audio, where a path does"
    )
    verb.add_argument("--allow-missing", action="store_true", help="accept an incomplete copy")
    verb.add_argument("--overwrite", action="store_true", help="replace the folder if it exists")
    verb.set_defaults(run=_build)


def _build(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

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
            watch=lambda items: tqdm(items, desc="build", unit=" utterances", disable=not sys.stderr.isatty()),
        )
    print(arguments.out)
    return 0
