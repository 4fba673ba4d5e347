"""What the user asks the probe runner for: one dataclass, one argument parser."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from emobox_hf.audio import RESAMPLERS
from emobox_hf.files import cache_dir


@dataclass(frozen=True, kw_only=True)
class ProbeRequest:
    """The options of the probe runner as the user gave them; `build_parser` says what each means."""

    encoder: str
    corpus: str = ""
    train: tuple[str, ...] = ()
    test: str = ""
    test_set: str = "balanced"
    labels: Literal["shared", "all"] = "shared"
    data_dir: Path | None = None
    folds_dir: Path | None = None
    folds: tuple[str, ...] = ()
    revision: str | None = None
    layer: str = "last"
    context: str = "full"
    resampler: str = "soxr"
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    storage_dtype: Literal["float16", "bfloat16", "float32", "int8"] = "float16"
    output_norm: bool = False
    max_duration_s: float = 30.0
    on_error: Literal["stop", "skip"] = "stop"
    batch_s: float | None = None
    workers: int | None = None
    head: Literal["emobox", "linear"] = "emobox"
    seeds: tuple[int, ...] = (0,)
    epochs: int = 100
    probe_precision: Literal["float32", "bfloat16"] = "float32"
    features: Path = Path()
    output: Path = Path("runs")
    overwrite: bool = False


def parse_request(argv: Sequence[str] | None, *, prog: str) -> ProbeRequest:
    """The request that command-line arguments state; argparse exits with 2 where they are wrong."""
    parser = build_parser(prog)
    arguments: dict[str, Any] = vars(parser.parse_args(argv))
    if bool(arguments["corpus"]) == bool(arguments["train"] or arguments["test"]):
        parser.error("give --corpus, or --train and --test")
    if bool(arguments["train"]) != bool(arguments["test"]):
        parser.error("--train and --test go together")
    arguments["features"] = arguments["features"] or cache_dir() / "features"
    for name, value in arguments.items():
        if isinstance(value, list):
            arguments[name] = tuple(value)
    return ProbeRequest(**arguments)


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of `emobox probe`, `emobox extract` and run_probe.py."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Score a frozen speech encoder on the folds of a corpus. Defaults are EmoBox's protocol.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--corpus", default="", help="a name that `emobox list` shows: train and test on its folds")
    add("--train", nargs="+", default=[], metavar="CORPUS", help="cross-corpus: train on these …")
    add("--test", default="", metavar="CORPUS", help="… and test on this one")
    add(
        "--test-set",
        default="balanced",
        help="of --test: its balanced set, all, or the file of a set that `emobox balance` wrote",
    )
    add("--labels", choices=("shared", "all"), default="shared", help="of --train: those --test shares, or all")
    add("--encoder", required=True, help="a Hub id, a folder, a short name of the paper's, or one that was fetched")
    add(
        "--data-dir",
        type=Path,
        help="the corpus's folder (of several corpora, the folder that holds them by name); else "
        "$EMOBOX_DATA_DIR/<corpus>, else the fetched copy",
    )
    add("--folds-dir", type=Path, help="a folder of EmoBox's lists, laid out like its data/; else $EMOBOX_FOLDS")
    add("--folds", nargs="+", default=[], metavar="FOLD", help="such as fold1 fold3, or si, or random")
    add("--revision", help="branch, tag or commit of an encoder on the Hub")
    add(
        "--layer",
        "--layers",
        default="last",
        help="hidden state to probe: last, 0 (input of the first block) to the last block, or all (head linear)",
    )
    add("--context", default="full", help="what Whisper hears at once: full (30 s, padded) or clip")
    add("--resampler", default="soxr", choices=RESAMPLERS, help="torchaudio, where it imports, has EmoBox's filter")
    add(
        "--mixed-precision",
        choices=("no", "bf16", "fp16"),
        default=os.environ.get("ACCELERATE_MIXED_PRECISION", "no"),
        help="autocast of the encoder; `accelerate launch --mixed_precision` sets it too",
    )
    add(
        "--storage-dtype",
        choices=("float16", "bfloat16", "float32", "int8"),
        default="float16",
        help="of stored features",
    )
    add("--output-norm", action="store_true", help="EmoBox's norm of an utterance's frames, all at once")
    add("--max-duration-s", type=float, default=30.0, help="leave longer clips out, as EmoBox does; inf keeps them")
    add("--on-error", choices=("stop", "skip"), default="stop", help="skip: record clips that are missing or broken")
    add("--batch-s", type=float, help="seconds of padded audio in a batch; else what suits the encoder on a few cores")
    add("--workers", type=int, help="processes that decode ahead of the encoder; else what suits the machine")
    add("--head", choices=("emobox", "linear"), default="emobox", help="the paper's, or logistic regression")
    add("--seeds", nargs="+", type=int, default=[0], metavar="SEED", help="one probe a fold for each")
    add("--epochs", type=int, default=100, help="of the emobox head")
    add(
        "--probe-precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="of the emobox head's frame layer",
    )
    add("--features", type=Path, help="where features are kept; else $EMOBOX_CACHE/features")
    add("--output", type=Path, default=Path("runs"), help="where runs are kept")
    add("--overwrite", action="store_true", help="run again what is finished")
    return parser
