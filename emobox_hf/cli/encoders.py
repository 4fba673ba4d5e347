"""`emobox encoders`, `convert`: what encoders are known, and those that transformers lacks made loadable."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from emobox_hf.encoders.baselines.table import BASELINES, Baseline
from emobox_hf.encoders.known.table import KNOWN_ENCODERS, KnownEncoder
from emobox_hf.errors import InputError


def add_verbs(verbs: Any) -> None:
    """Add this group's verbs to `emobox`."""
    verb = verbs.add_parser(
        "encoders", help="the encoders that have a short name: size, data, languages, licence; baselines"
    )
    verb.add_argument("--json", action="store_true", help="as JSON, with sources and pinned commits")
    verb.add_argument("--families", action="store_true", help="which kinds of models work, and how they are run")
    verb.set_defaults(run=_encoders)

    verb = verbs.add_parser(
        "convert", help="a checkpoint of data2vec 2.0 (fairseq) or emotion2vec (FunASR), as a folder for --encoder"
    )
    verb.add_argument("checkpoint", type=Path, help="the .pt file; nothing that stands in it is run")
    verb.add_argument("--id", help="which encoder of `emobox encoders` it is; --encoder then finds it by this name")
    verb.add_argument("--out", type=Path, help="a new folder; else, with --id, one in the cache")
    verb.set_defaults(run=_convert)


def _encoders(arguments: argparse.Namespace) -> int:
    from emobox_hf.report.table import align

    if arguments.families:
        return _families(as_json=arguments.json)
    if arguments.json:
        rows = [{"kind": "encoder", **asdict(encoder)} for encoder in KNOWN_ENCODERS.values()]
        rows += [{"kind": "baseline", **asdict(baseline)} for baseline in BASELINES.values()]
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return 0
    header = (
        "encoder",
        "loaded from",
        "layers",
        "width",
        "frames/s",
        "M params",
        "hours",
        "languages",
        "licence",
        "trained on",
    )
    print(align([header, *(_describe(encoder) for encoder in KNOWN_ENCODERS.values())]))
    print(
        "\nlanguages: those of the corpora that are in its data; trained on: the corpora that are in it, where that is "
        "known. --json adds what the data are, the sources and the pinned commits.\n"
    )
    print(align([("baseline", "gives"), *((one.id, _describe_baseline(one)) for one in BASELINES.values())]))
    return 0


def _families(*, as_json: bool) -> int:
    from emobox_hf.encoders.known.families import FAMILIES
    from emobox_hf.report.table import align

    if as_json:
        print(json.dumps([asdict(family) for family in FAMILIES.values()], ensure_ascii=False, indent=1))
        return 0
    rows = [(one.title, one.model_type, f"{one.how}{f'; {one.note}' if one.note else ''}") for one in FAMILIES.values()]
    print(align([("family", "model_type", "how it is run"), *rows]))
    print("\nAny other model that AutoModel loads is tried clip by clip, and refused where it gives no frames.")
    return 0


def _describe(encoder: KnownEncoder) -> list[str]:
    languages, trained_on = encoder.languages, encoder.trained_on
    return [
        encoder.id,
        encoder.repo_id or "emobox convert",
        str(encoder.n_layers),
        str(encoder.dim),
        str(encoder.frames_per_s),
        f"{encoder.parameters_m:.0f}",
        "?" if encoder.hours is None else str(encoder.hours),
        "?" if languages is None else " ".join(languages) if len(languages) < 4 else f"{len(languages)} of them",
        encoder.licence,
        " ".join(trained_on) if len(trained_on) < 5 else f"{len(trained_on)} corpora",
    ]


def _describe_baseline(one: Baseline) -> str:
    return f"{one.gives}; by {one.needs}, extra {one.extra} ({one.licence})" if one.needs else one.gives


def _convert(arguments: argparse.Namespace) -> int:
    from emobox_hf.encoders.native.convert import convert_data2vec2
    from emobox_hf.sources.fetch_encoder import encoder_dir

    if not arguments.id and not arguments.out:
        raise InputError("give --id, which encoder of `emobox encoders` it is, or --out, a folder, or both")
    out = arguments.out or encoder_dir(arguments.id)
    config = convert_data2vec2(arguments.checkpoint, out, encoder_id=arguments.id)
    print(f"{out}: {config.num_hidden_layers} blocks of width {config.hidden_size}, {config.source_sha256}")
    return 0
