"""Folds: which utterances train, validate and test a configuration.

`configurations` says what a name like `si_fold3` means, `fold_sources` where the keys of such a fold are known from.
Here they become splits, checked against the digests in the spec; where the corpus has no validation part, one is held
out of train by a `ValidationRule`.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from emobox_hf.corpora.configurations import (
    ALL,
    PUBLISHED,
    RANDOM,
    SPEAKER_INDEPENDENT,
    SPLITS,
    check_config,
    kind_of,
)
from emobox_hf.corpora.fold_sources import (
    assign_balanced,
    assign_by_emobox_rule,
    assign_published,
    assign_randomly,
    assign_speakers,
    verify,
)
from emobox_hf.corpora.lists import digests_of
from emobox_hf.corpora.manifest import Manifest
from emobox_hf.corpora.sampling import take_share, take_speakers
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError
from emobox_hf.files import sha256_of_keys


@dataclass(frozen=True, slots=True)
class ValidationRule:
    """How validation is held out of train where the corpus has no validation part: the one home of EmoBox's 20 %.

    `share` of each emotion, those utterances whose key hash with `seed` comes first, so the choice does not depend on
    the order of files; or `by` whole speakers, those whose hash comes first, until they make up the share. Folds that
    are speaker-independent validate on the test speakers of another fold, which `seed` counts on.
    """

    share: float = 0.2  # EmoBox: a random 20 % of train where the corpus has no validation part
    seed: int = 0
    by: Literal["utterances", "speakers"] = "utterances"

    def __post_init__(self) -> None:
        """Refuse a share that leaves nothing to train or nothing to choose by."""
        if not 0 < self.share < 1:
            raise InputError(f"a validation share lies between 0 and 1, such as 0.2, not at {self.share}")

    def __str__(self) -> str:
        """The rule in words."""
        return self.describe("train")

    @property
    def percent(self) -> str:
        """The share in words, such as `20%`."""
        return f"{100 * self.share:g}%"

    def describe(self, train: str) -> str:
        """The rule in words, for what it is applied to, such as `EmoBox's train list`."""
        if self.by == "speakers":
            return f"speakers with {self.percent} of {train}, by a hash of their names, seed {self.seed}"
        return f"{self.percent} of each emotion of {train}, by a hash of the key, seed {self.seed}"

    def hold_out(self, train: Sequence[Utterance]) -> tuple[tuple[Utterance, ...], tuple[Utterance, ...]]:
        """Train without validation, and validation, each in the order given.

        Raises:
            InputError: Whole speakers are to be held out, and fewer than two are known.
        """
        take = take_speakers if self.by == "speakers" else take_share
        held_out = take(train, self.share, seed=self.seed)
        return tuple(u for u in train if u.key not in held_out), tuple(u for u in train if u.key in held_out)


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


def partition(
    manifest: Manifest,
    config: str,
    *,
    folds_dir: str | os.PathLike[str] | None = None,
    validation: ValidationRule | None = None,
) -> Partition:
    """Split a manifest's utterances by a configuration.

    `all` has one split, `train`, with every utterance; the others have `train`, `validation` and `test`. Of a published
    fold, train and validation together are EmoBox's train list where the corpus has no validation part of its own. The
    test part of `cross_corpus` is balanced over four emotions; train and validation are the other utterances of those.

    Args:
        manifest: The corpus; if it lacks utterances, so do the splits.
        config: One of `configurations.list_folds`, of any kind.
        folds_dir: A folder laid out like EmoBox's `data`, or None for `$EMOBOX_FOLDS`, the rule or the download.
        validation: How the validation part is drawn where the corpus has none; by default EmoBox's 20 %.

    Raises:
        InputError: No such configuration, no lists where they are needed, or a result that differs from its digest.
    """
    spec = manifest.spec
    check_config(spec, config)
    if config == ALL:
        return Partition(config, {"train": manifest.utterances}, "every utterance")
    rule = validation or ValidationRule()
    kind = kind_of(config)
    number = int(config[len(config.rstrip("0123456789")) :] or 0)
    published = None
    digests: dict[str, str | None] = {}
    if kind == PUBLISHED and spec.folds.source == "rule":
        assignment = assign_by_emobox_rule(manifest, number)
    elif kind == PUBLISHED:
        assignment = assign_published(manifest, number, folds_dir)
        published = spec.folds.published[number - 1]
        digests = digests_of(published)
    elif kind == SPEAKER_INDEPENDENT:
        assignment = assign_speakers(manifest, number, draw=rule.seed)
        known = spec.drawn.si_sha256
        digests = {"test": known[number - 1] if known else None}
    elif kind == RANDOM:
        assignment = assign_randomly(manifest, number)
    else:
        assignment = assign_balanced(manifest, folds_dir)
        digests = {"test": spec.drawn.cross_corpus_sha256}
    sizes = {split: f" {getattr(published, split)}" for split in SPLITS} if published else {}
    verify(manifest, config, assignment, digests, sizes)
    empty: set[str] = set()
    chosen = {split: assignment.keys.get(split, empty) for split in SPLITS}
    splits = {split: tuple([u for u in manifest.utterances if u.key in keys]) for split, keys in chosen.items()}
    if "validation" in assignment.keys:
        return Partition(config, splits, assignment.source, assignment.validation)
    splits["train"], splits["validation"] = rule.hold_out(splits["train"])
    return Partition(config, splits, assignment.source, str(rule))
