"""`emobox label`, `balance`: a model's predictions, and test sets of utterances where it agrees with the annotation."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emobox_hf.cli.places import add_places
from emobox_hf.corpora.labels import SHARED_EMOTIONS
from emobox_hf.corpora.sampling import BALANCED_PER_EMOTION
from emobox_hf.errors import InputError

if TYPE_CHECKING:
    from emobox_hf.corpora.predictions import Predictions
    from emobox_hf.corpora.spec import CorpusSpec
    from emobox_hf.experiments.balanced import AgreedSet
    from emobox_hf.experiments.pseudo_labels import Mapped


def add_verbs(verbs: Any) -> None:
    """Add this group's verbs to `emobox`."""
    verb = verbs.add_parser("label", help="what an audio classifier says of every utterance, as a Parquet file")
    verb.add_argument("corpus")
    verb.add_argument("--model", required=True, help=_MODEL)
    verb.add_argument("--out", type=Path, required=True, help="the Parquet file, one row an utterance")
    _add_labelling(verb)
    verb.add_argument("--json", action="store_true", help="print the mapping of labels and the counts as JSON")
    verb.set_defaults(run=_label)

    verb = verbs.add_parser(
        "balance", help="a test set of utterances that a model agrees on, equal over speakers and emotions"
    )
    verb.add_argument("corpus")
    model = verb.add_mutually_exclusive_group(required=True)
    model.add_argument("--predictions", type=Path, help="a Parquet file, such as `emobox label` writes")
    model.add_argument("--model", help=f"{_MODEL}; its predictions are kept beside the set")
    verb.add_argument("--out", type=Path, required=True, help="the set's .json file, for --test-set")
    verb.add_argument("--emotions", nargs="+", default=list(SHARED_EMOTIONS), metavar="EMOTION")
    verb.add_argument("--per-emotion", type=int, default=BALANCED_PER_EMOTION, metavar="N", help="at most; default 60")
    verb.add_argument(
        "--speakers",
        type=int,
        metavar="N",
        help="exactly so many; else what gives the largest set, the more the better",
    )
    verb.add_argument("--seed", type=int, default=0)
    _add_labelling(verb)
    verb.add_argument("--json", action="store_true", help="print what was drawn and dropped as JSON")
    verb.set_defaults(run=_balance)


_MODEL = "a Hub id, a folder, or a short name that was converted: any audio classifier of transformers, or emotion2vec+"


def _add_labelling(verb: argparse.ArgumentParser) -> None:
    add_places(verb)
    verb.add_argument("--map", nargs="+", default=[], metavar="LABEL=EMOTION", help="what labels of the model mean")
    verb.add_argument("--revision", help="branch, tag or commit of a model on the Hub")
    verb.add_argument("--batch-s", type=float, default=60.0, metavar="SECONDS", help="of padded audio in a batch")
    verb.add_argument("--workers", type=int, help="processes that decode ahead of the model")
    verb.add_argument("--max-duration-s", type=float, default=30.0, help="longer clips get no prediction")
    verb.add_argument(
        "--on-error",
        choices=("stop", "skip"),
        default="stop",
        help="skip: clips that are broken get no prediction, missing ones no row",
    )


def _label(arguments: argparse.Namespace) -> int:
    from emobox_hf.corpora.spec import load_spec
    from emobox_hf.experiments.pseudo_labels import describe_mapping

    predictions, mapped = _make_predictions(load_spec(arguments.corpus), arguments, arguments.out)
    n_rows, n_without = len(predictions.keys), len(predictions.reasons)
    if arguments.json:
        table = {
            "file": str(arguments.out),
            "utterances": n_rows,
            "without_prediction": dict(predictions.reasons),
            **predictions.made_from,
        }
        print(json.dumps(table, indent=1, ensure_ascii=False))
        return 0
    print("\n".join(describe_mapping(mapped)))
    if predictions.made_from["trained_on_corpus"]:
        print(f"{predictions.model} was trained on {arguments.corpus}: that it agrees says little")
    print(f"{arguments.out}: {n_rows} utterances, {n_without} of them without a prediction")
    return 0


def _make_predictions(spec: "CorpusSpec", arguments: argparse.Namespace, out: Path) -> "tuple[Predictions, Mapped]":
    from emobox_hf.experiments.pseudo_labels import label_corpus
    from emobox_hf.experiments.source import open_source

    given = _read_map(arguments.map)
    allow_missing = arguments.on_error == "skip"
    return label_corpus(
        open_source(spec, arguments.data_dir, arguments.folds_dir, allow_missing=allow_missing),
        arguments.model,
        out,
        revision=arguments.revision,
        given=given,
        batch_s=arguments.batch_s,
        n_workers=arguments.workers,
        max_duration_s=arguments.max_duration_s,
        on_error=arguments.on_error,
    )


def _read_map(words: list[str]) -> dict[str, str]:
    pairs = [word.rpartition("=") for word in words]
    if wrong := [word for word, (label, _, emotion) in zip(words, pairs, strict=True) if not label or not emotion]:
        raise InputError(f"--map takes LABEL=EMOTION, such as LABEL_0=Angry, not {wrong[0]!r}")
    return {label: emotion for label, _, emotion in pairs}


def _balance(arguments: argparse.Namespace) -> int:
    from emobox_hf.corpora.manifest import build_manifest
    from emobox_hf.corpora.predictions import read_probabilities
    from emobox_hf.corpora.spec import load_spec
    from emobox_hf.experiments.balanced import draw_agreed_set, write_agreed_set

    spec = load_spec(arguments.corpus)
    if arguments.out.suffix != ".json":
        raise InputError(f"{arguments.out}: a set is a JSON file; give a name that ends in .json")
    manifest = build_manifest(
        spec, arguments.data_dir, folds_dir=arguments.folds_dir, allow_missing=arguments.on_error == "skip"
    )
    predicted = arguments.predictions or arguments.out.with_suffix(".predictions.parquet")
    if arguments.model:
        _make_predictions(spec, arguments, predicted)
    predictions = read_probabilities(predicted, keys=[u.key for u in manifest.utterances], corpus=spec.name)
    agreed = draw_agreed_set(
        manifest,
        predictions,
        emotions=arguments.emotions,
        per_emotion=arguments.per_emotion,
        n_speakers=arguments.speakers,
        seed=arguments.seed,
    )
    digest = write_agreed_set(arguments.out, manifest, agreed)
    if arguments.json:
        table = {"file": str(arguments.out), "corpus": spec.name, **agreed.made_from, "sha256": digest}
        print(json.dumps(table, indent=1, ensure_ascii=False))
    else:
        _print_agreed(arguments, agreed, digest)
    return 0


def _print_agreed(arguments: argparse.Namespace, agreed: "AgreedSet", digest: str) -> None:
    from emobox_hf.report.table import Table

    chosen, emotions = agreed.drawn, arguments.emotions
    dropped = agreed.made_from["dropped"]
    shown = list(dict.fromkeys([*emotions, *(name for own in dropped.values() for name in own["by_emotion"])]))
    n_drawn = len(chosen.speakers) * chosen.n_each
    counts = {"drawn": {"utterances": len(chosen.keys), "by_emotion": dict.fromkeys(emotions, n_drawn)}} | dropped
    rows = tuple((why, own["utterances"], *(own["by_emotion"].get(e, 0) for e in shown)) for why, own in counts.items())
    notes = (f"By speaker: `dropped` in {arguments.out}.",)
    print(Table(f"{arguments.corpus} by emotion", ("", "utterances", *shown), rows, notes).to_text())
    print(
        f"\n{arguments.out}: {len(chosen.keys)} utterances, {len(chosen.speakers)} speakers with {chosen.n_each} of "
        "each of "
        f"{len(emotions)} emotions\nsha256 {digest}"
    )
    if n_drawn < arguments.per_emotion:
        print(f"{n_drawn} an emotion is the most that can be drawn evenly; {arguments.per_emotion} were asked for")
