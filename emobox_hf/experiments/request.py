"""What the user asks the probe runner for: the settings of a run that can be chosen, and where and how it is done."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from emobox_hf.corpora.folds import ValidationRule
from emobox_hf.defaults import apply_defaults
from emobox_hf.errors import InputError
from emobox_hf.files import cache_dir
from emobox_hf.options import (
    Parser,
    add_options,
    check_names,
    default_of,
    list_options,
    option,
    read_options,
    take_options,
)
from emobox_hf.precision import ProbePrecision
from emobox_hf.probes.heads import HEADS, EmoboxHead, Head, make_head
from emobox_hf.results import AudioSettings, EncoderSettings, FeatureSettings


@dataclass(frozen=True, kw_only=True)
class DataChoice:
    """The corpora, and what of them is trained, validated and tested on."""

    corpus: str = option(
        "", help="a name that `emobox list` shows, or one's own ./mine.toml: train and test on its folds"
    )
    train: tuple[str, ...] = option((), metavar="CORPUS", help="cross-corpus: train on these …")
    test: str = option("", metavar="CORPUS", help="… and test on this one")
    test_set: str = option(
        "balanced", help="of --test: its balanced set, all, or the file of a set that `emobox balance` wrote"
    )
    labels: Literal["shared", "all"] = option("shared", help="of --train: those --test shares, or all")
    folds: tuple[str, ...] = option(
        (), metavar="FOLD", help="such as fold1 fold3, or si, or random; else the published"
    )
    validation_share: float = option(
        ValidationRule().share,
        metavar="SHARE",
        help="of train that is held out for choosing settings, where the corpus has no validation part",
    )

    validation_by: Literal["utterances", "speakers"] = option(
        "utterances", help="speakers: hold out whole ones, which tells better what a probe is worth on others"
    )
    validation_draws: Literal["seed", "same"] = option(
        "seed", help="seed: each of --seeds draws its validation part; same: all have that of seed 0"
    )

    train_size: str = option(
        "", metavar="N", help="utterances of train that are used; equal: as many under each kind of folds of a corpus"
    )

    def validation(self, seed: int) -> ValidationRule:
        """How the validation part of a seed is drawn where the corpus has none."""
        return ValidationRule(
            share=self.validation_share,
            seed=seed if self.validation_draws == "seed" else 0,
            by=self.validation_by,
        )


@dataclass(frozen=True, kw_only=True)
class HeadChoice:
    """The probe's head, and the settings of it that can be chosen."""

    head: str = option(EmoboxHead.name, choices=tuple(HEADS), help="the paper's, or logistic regression")
    seeds: tuple[int, ...] = option(EmoboxHead().seeds, metavar="SEED", help="one probe a fold for each")
    epochs: int = option(EmoboxHead().epochs, help=f"of the {EmoboxHead.name} head")
    probe_precision: ProbePrecision = option(
        EmoboxHead().precision, help=f"of the {EmoboxHead.name} head's frame layer"
    )

    def make(self, data: DataChoice) -> Head:
        """The head with these settings; of seeds that would give the same probe the first."""
        is_drawn = data.validation_draws == "seed" or (self.head in HEADS and HEADS[self.head].is_random)
        seeds = self.seeds if is_drawn else self.seeds[:1]
        return make_head(self.head, seeds=seeds, epochs=self.epochs, precision=self.probe_precision)


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where things are read and written; no score depends on it."""

    data_dir: Path | None = option(
        None,
        help="the corpus's folder (of several corpora, the folder that holds them by name); else "
        "$EMOBOX_DATA_DIR/<corpus>, else the fetched copy",
    )
    folds_dir: Path | None = option(
        None, help="a folder of EmoBox's lists, laid out like its data/; else $EMOBOX_FOLDS"
    )
    revision: str | None = option(None, help="branch, tag or commit of an encoder on the Hub")
    features_dir: Path = option(
        factory=lambda: cache_dir() / "features",
        name="features",
        help="where features are kept; else $EMOBOX_CACHE/features",
    )
    output: Path = option(Path("runs"), help="where runs are kept")
    save_probe: bool = option(True, help="keep the trained probes beside the record, for `emobox predict`")
    report_to: tuple[Literal["tensorboard", "trackio", "wandb"], ...] = option(
        (), help="trackers that are told of a run that is done now: settings, validation curves, scores, confusion"
    )
    overwrite: bool = option(False, help="run again what is finished")


@dataclass(frozen=True, kw_only=True)
class Work:
    """How much is done at once; no score depends on it."""

    batch_s: float | None = option(
        None, help="seconds of padded audio in a batch; else what suits the encoder and the device"
    )
    workers: int | None = option(None, help="processes that decode ahead of the encoder; else what suits the machine")


SECTIONS = {
    "data": DataChoice,
    "encoder": EncoderSettings,
    "head": HeadChoice,
    "audio": AudioSettings,
    "features": FeatureSettings,
    "places": Places,
    "work": Work,
}
"""The options of the probe runner, in the order of its help."""


@dataclass(frozen=True, kw_only=True)
class ProbeRequest:
    """What is asked for; the encoder's name is still as the user typed it."""

    data: DataChoice
    encoder: EncoderSettings
    head: Head
    audio: AudioSettings = field(default_factory=AudioSettings)
    features: FeatureSettings = field(default_factory=FeatureSettings)
    places: Places = field(default_factory=Places)
    work: Work = field(default_factory=Work)


def make_request(**options: Any) -> ProbeRequest:
    """The request that options state, named as on the command line with underscores: `corpus="polish"`, `epochs=50`.

    Raises:
        InputError: An option is unknown, there is no encoder, the corpora do not fit together, or a value is none that
            the head can be trained with.
    """
    check_names(options, SECTIONS.values())
    if "encoder" not in options:
        raise InputError("name an encoder: a Hub id, a folder, or a short name that `emobox encoders` lists")
    read = {name: section(**read_options(section, options)) for name, section in SECTIONS.items()}
    _check_corpora(read["data"])
    return ProbeRequest(**read | {"head": read["head"].make(read["data"])})


def read_defaults() -> dict[str, Any]:
    """The defaults of options that the user's file or the environment sets, see `emobox_hf.defaults`.

    Raises:
        InputError: The file is no table of defaults.
    """
    parser = build_parser("emobox probe")
    fields = {name: field for section in SECTIONS.values() for name, (field, _) in list_options(section).items()}
    found = {name: parser.get_default(name) for name in fields}
    return {name: value for name, value in found.items() if value not in (None, default_of(fields[name]))}


def parse_request(argv: Sequence[str] | None, *, prog: str) -> ProbeRequest:
    """The request that command-line arguments state; argparse exits with 2 where they are wrong."""
    parser = build_parser(prog)
    return read_request(parser, parser.parse_args(argv))


def read_request(parser: Parser, arguments: argparse.Namespace) -> ProbeRequest:
    """The request in parsed arguments, which may hold other options too."""
    values = vars(arguments)
    read = {name: section(**take_options(section, values)) for name, section in SECTIONS.items()}
    try:
        _check_corpora(read["data"])
    except InputError as error:
        parser.error(str(error))
    return ProbeRequest(**read | {"head": read["head"].make(read["data"])})


def build_parser(
    prog: str,
    *,
    description: str = "Score a frozen speech encoder on the folds of a corpus. Defaults are EmoBox's protocol.",
) -> Parser:
    """The parser of `emobox probe`, `emobox extract` and run_probe.py."""
    parser = Parser(prog=prog, description=description)
    for section in SECTIONS.values():
        add_options(parser, section)
    apply_defaults(parser)
    return parser


def _check_corpora(data: DataChoice) -> None:
    if bool(data.corpus) == bool(data.train or data.test):
        raise InputError("give --corpus, or --train and --test")
    if bool(data.train) != bool(data.test):
        raise InputError("--train and --test go together")
