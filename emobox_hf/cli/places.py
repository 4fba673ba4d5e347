"""`--data-dir` and `--folds-dir`, which several verbs share."""

import argparse
from pathlib import Path


def add_places(verb: argparse.ArgumentParser) -> None:
    """Where the corpus and EmoBox's lists are: `--data-dir` and `--folds-dir`."""
    verb.add_argument(
        "--data-dir", type=Path, help="the corpus's folder; else $EMOBOX_DATA_DIR/<corpus>, else the fetched"
    )
    verb.add_argument("--folds-dir", type=Path, help="a folder of EmoBox's lists; else $EMOBOX_FOLDS")
