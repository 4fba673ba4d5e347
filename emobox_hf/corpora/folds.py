"""Folds: which utterances train, validate and test a configuration, and where that is known from.

A published fold comes from a folder of EmoBox's lists (`folds_dir` or `$EMOBOX_FOLDS`), else from the spec's rule, else
from the EmoBox repository at one commit. Whatever the source, the result is checked against the digests in the spec.
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from emobox_hf.corpora.lists import SPLITS, digests_of, download_lists, find_lists, read_lists
from emobox_hf.corpora.manifest import Manifest
from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError, first_five, suggest
from emobox_hf.files import sha256_of_keys

VALIDATION_FRACTION = 0.2  # EmoBox: a random 20 % of train where the corpus has no validation part
VALIDATION_SEED = 0


@dataclass(frozen=True, slots=True)
class Partition:
    """The splits of one configuration, each sorted by key; `source` and `validation` say how they were drawn."""

    config: str
    splits: dict[str, tuple[Utterance, ...]]
    source: str
    validation: str = "the corpus's own"

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of the keys of each split (`files.sha256_of_keys`)."""
        return {name: sha256_of_keys(u.key for u in split) for name, split in self.splits.items()}


@dataclass(frozen=True, slots=True)
class _Assignment:
    """The keys of each split of a published fold; `derived` names the splits that were computed from the manifest."""

    keys: dict[str, set[str]]
    source: str
    derived: frozenset[str]


def list_folds(spec: CorpusSpec) -> list[str]:
    """The published folds, `fold1` … `foldK`."""
    return [f"fold{number}" for number in range(1, len(spec.folds.published) + 1)]


def list_configs(spec: CorpusSpec) -> list[str]:
    """The configurations of a corpus: its folds, then `all`."""
    return [*list_folds(spec), "all"]


def list_splits(config: str) -> list[str]:
    """The splits of a configuration."""
    return ["train"] if config == "all" else list(SPLITS)


def check_config(spec: CorpusSpec, config: str) -> None:
    """Raise an InputError, with a suggestion, if the corpus has no such configuration."""
    if config not in list_configs(spec):
        raise InputError(f"{spec.name} has no configuration {config!r}{suggest(config, list_configs(spec))}")


def partition(manifest: Manifest, config: str, *, folds_dir: str | os.PathLike[str] | None = None) -> Partition:
    """Split a manifest's utterances by a configuration.

    `all` has one split, `train`, with every utterance. A fold has `train`, `validation` and `test`; EmoBox's train list
    is train and validation together where the corpus has no validation part of its own.

    Args:
        manifest: The corpus; if it lacks utterances, so do the splits.
        config: One of `list_configs`.
        folds_dir: A folder laid out like EmoBox's `data`, or None for `$EMOBOX_FOLDS`, the rule or the download.

    Raises:
        InputError: No such configuration, no lists where they are needed, or lists that are not EmoBox's.
    """
    spec = manifest.spec
    check_config(spec, config)
    if config == "all":
        return Partition(config, {"train": manifest.utterances}, "every utterance")
    number = int(config.removeprefix("fold"))
    assignment = _assign(manifest, number, folds_dir)
    _verify(manifest, number, assignment)
    _insist_on_all(manifest, config, assignment)
    splits = {
        split: tuple(u for u in manifest.utterances if u.key in assignment.keys.get(split, ())) for split in SPLITS
    }
    if "validation" not in assignment.keys:
        held_out = choose_validation(splits["train"])
        splits["validation"] = tuple(u for u in splits["train"] if u.key in held_out)
        splits["train"] = tuple(u for u in splits["train"] if u.key not in held_out)
        drawn = f"{VALIDATION_FRACTION:.0%} of each emotion of train, by a hash of the key, seed {VALIDATION_SEED}"
        return Partition(config, splits, assignment.source, drawn)
    return Partition(config, splits, assignment.source)


def choose_validation(
    train: Sequence[Utterance], *, fraction: float = VALIDATION_FRACTION, seed: int = VALIDATION_SEED
) -> set[str]:
    """The keys held out for validation: of each emotion the `fraction` whose seeded key hash is smallest.

    The choice depends on the keys alone, not on the order of files.
    """
    by_emotion: dict[str, list[str]] = defaultdict(list)
    for utterance in train:
        by_emotion[utterance.emotion].append(utterance.key)
    held_out: set[str] = set()
    for keys in by_emotion.values():
        keys.sort(key=lambda key: hashlib.sha256(f"{seed}:{key}".encode()).digest())
        held_out.update(keys[: round(fraction * len(keys))])
    return held_out


def _assign(manifest: Manifest, number: int, folds_dir: str | os.PathLike[str] | None) -> _Assignment:
    spec = manifest.spec
    folder = find_lists(spec, number, folds_dir)
    if folder is None and spec.folds.source == "speakers":
        test_speakers = spec.folds.test_speakers[number - 1]
        test = {u.key for u in manifest.utterances if u.speaker in test_speakers}
        keys = {"train": {u.key for u in manifest.utterances} - test, "test": test}
        return _Assignment(keys, f"test speakers {', '.join(test_speakers)}", frozenset(keys))
    if folder is None and spec.folds.source == "split":
        parts = spec.folds.splits
        keys = {split: {u.key for u in manifest.utterances if u.split == part} for split, part in parts.items()}
        named = ", ".join(f"{split} = {part}" for split, part in parts.items())
        return _Assignment(keys, f"the corpus's own parts: {named}", frozenset(keys))
    if folder is None:
        folder = download_lists(spec, number)
    keys = read_lists(spec, number, folder)
    derived: frozenset[str] = frozenset()
    if "train" not in keys:  # EmoBox lacks some: it is the corpus's own train part (MSP-Podcast, M3ED), else the rest
        part = spec.folds.splits.get("train")
        rest = {u.key for u in manifest.utterances if part is None or u.split == part}
        keys["train"] = rest.difference(*keys.values())
        derived = frozenset({"train"})
    return _Assignment(keys, "EmoBox's published lists", derived)


def _insist_on_all(manifest: Manifest, config: str, assignment: _Assignment) -> None:
    """Refuse a fold that names utterances which a complete manifest lacks: no split shrinks unseen."""
    lacking = set().union(*assignment.keys.values()) - {u.key for u in manifest.utterances}
    if lacking and manifest.is_complete:
        raise InputError(
            f"{manifest.spec.name} {config}: {len(lacking)} utterances of {assignment.source} are not in "
            f"{manifest.root}: {first_five(sorted(lacking))}"
        )


def _verify(manifest: Manifest, number: int, assignment: _Assignment) -> None:
    """Compare a fold with the spec's digests; an incomplete manifest cannot show the splits derived from it."""
    spec = manifest.spec
    published = spec.folds.published[number - 1]
    for split, digest in digests_of(published).items():
        if digest is None or (split in assignment.derived and not manifest.is_complete):
            continue
        keys = assignment.keys.get(split, set())
        if sha256_of_keys(keys) != digest:
            strays = sorted(keys - {u.key for u in manifest.utterances})
            raise InputError(
                f"{spec.name} fold{number}, {split}: expected {getattr(published, split)} keys with digest "
                f"{digest[:12]}, found {len(keys)} with {sha256_of_keys(keys)[:12]} ({assignment.source}): these are "
                f"not EmoBox's folds" + (f"; keys the corpus lacks: {first_five(strays)}" if strays else "")
            )
