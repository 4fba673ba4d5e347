"""Folds: which utterances train, validate and test a configuration, and where that is known from.

A published fold comes from a folder of EmoBox's lists (`folds_dir` or `$EMOBOX_FOLDS`), else from the spec's rule, else
from the EmoBox repository at one commit. Speaker-independent and random folds and most cross-corpus test sets are drawn
by rule (`sampling`). Whatever the source, the result is checked against the digests in the spec.
"""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from emobox_hf.corpora.configurations import (
    ALL,
    PUBLISHED,
    RANDOM,
    SPEAKER_INDEPENDENT,
    SPLITS,
    check_config,
    kind_of,
    list_folds,
)
from emobox_hf.corpora.labels import SHARED_EMOTIONS
from emobox_hf.corpora.lists import digests_of, download_lists, find_lists, read_balanced_list, read_lists
from emobox_hf.corpora.manifest import Manifest
from emobox_hf.corpora.sampling import (
    BALANCED_PER_EMOTION,
    deal_out,
    draw_balanced,
    group_speakers,
    split_by_emobox_rule,
    take_share,
)
from emobox_hf.corpora.spec import BalancedList
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError, first_five
from emobox_hf.files import sha256_of_keys

RANDOM_SEED = 0


@dataclass(frozen=True, slots=True)
class ValidationRule:
    """How a validation part is drawn from train, where the corpus has none: the one home of EmoBox's 20 %.

    `share` of each emotion, those utterances whose key hash with `seed` comes first, so the choice does not depend on
    the order of files.
    """

    share: float = 0.2  # EmoBox: a random 20 % of train where the corpus has no validation part
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a share that leaves nothing to train or nothing to choose by."""
        if not 0 < self.share < 1:
            raise InputError(f"a validation share lies between 0 and 1, such as 0.2, not at {self.share}")

    def __str__(self) -> str:
        """The rule in words."""
        return f"{100 * self.share:g}% of each emotion of train, by a hash of the key, seed {self.seed}"

    def choose(self, train: Sequence[Utterance]) -> set[str]:
        """The keys held out for validation."""
        return take_share(train, self.share, seed=self.seed)


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
    """The keys of each split of a configuration; `derived` names the splits that were computed from the manifest."""

    keys: dict[str, set[str]]
    source: str
    derived: frozenset[str]
    validation: str = "the corpus's own"


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
    kind = kind_of(config)
    number = int(config[len(config.rstrip("0123456789")) :] or 0)
    published = None
    digests: dict[str, str | None] = {}
    if kind == PUBLISHED and spec.folds.source == "rule":
        assignment = _assign_by_emobox_rule(manifest, number)
    elif kind == PUBLISHED:
        assignment = _assign_published(manifest, number, folds_dir)
        published = spec.folds.published[number - 1]
        digests = digests_of(published)
    elif kind == SPEAKER_INDEPENDENT:
        assignment = _assign_speakers(manifest, number)
        known = spec.drawn.si_sha256
        digests = {"test": known[number - 1] if known else None}
    elif kind == RANDOM:
        assignment = _assign_randomly(manifest, number)
    else:
        assignment = _assign_balanced(manifest, folds_dir)
        digests = {"test": spec.drawn.cross_corpus_sha256}
    sizes = {split: f" {getattr(published, split)}" for split in SPLITS} if published else {}
    _verify(manifest, config, assignment, digests, sizes)
    empty: set[str] = set()
    chosen = {split: assignment.keys.get(split, empty) for split in SPLITS}
    splits = {split: tuple([u for u in manifest.utterances if u.key in keys]) for split, keys in chosen.items()}
    if "validation" in assignment.keys:
        return Partition(config, splits, assignment.source, assignment.validation)
    rule = validation or ValidationRule()
    held_out = rule.choose(splits["train"])
    splits["validation"] = tuple(u for u in splits["train"] if u.key in held_out)
    splits["train"] = tuple(u for u in splits["train"] if u.key not in held_out)
    return Partition(config, splits, assignment.source, str(rule))


@cache
def rules_digest() -> str:
    """A digest that changes when a rule that draws folds or validation parts draws otherwise.

    The rules are applied to a small made-up corpus, so a change of their code is seen, whether or not a version says
    so; what is built by them is filed under it.
    """
    utterances = [
        Utterance(key=f"{speaker}-{emotion}-{take}", path="", raw_emotion=emotion, emotion=emotion, speaker=speaker)
        for speaker in ("s1", "s2", "s3", "s4", "s5")
        for emotion in SHARED_EMOTIONS
        for take in range(6 + int(speaker[1]))
    ]
    drawn = [
        sorted(ValidationRule().choose(utterances)),
        group_speakers(utterances, 3),
        [sorted(part) for part in deal_out(utterances, 4, seed=RANDOM_SEED)],
        sorted(draw_balanced(utterances, SHARED_EMOTIONS)),
        [sorted(test) for test in split_by_emobox_rule(utterances)],
        [sorted(test) for test in split_by_emobox_rule(utterances[:40])],
    ]
    return hashlib.sha256(json.dumps(drawn).encode()).hexdigest()


def _assign_published(manifest: Manifest, number: int, folds_dir: str | os.PathLike[str] | None) -> _Assignment:
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


def _assign_by_emobox_rule(manifest: Manifest, number: int) -> _Assignment:
    """A fold of a corpus that EmoBox has not split, by its rule; random parts are drawn by a hash of the key."""
    spec = manifest.spec
    tests = split_by_emobox_rule(manifest.utterances)
    if len(tests) != spec.folds.count:
        raise InputError(
            f"{spec.name}: EmoBox's rule gives {len(tests)} folds for these utterances, the spec's folds.count is "
            f"{spec.folds.count}; set it to {len(tests)}, or complete the corpus"
        )
    test = tests[number - 1]
    keys = {"train": {u.key for u in manifest.utterances} - test, "test": test}
    return _Assignment(keys, "EmoBox's partition rule", frozenset(keys))


def _assign_speakers(manifest: Manifest, number: int) -> _Assignment:
    """A speaker-independent fold; with three folds or more the next one's test speakers validate."""
    groups = group_speakers(manifest.utterances, len(list_folds(manifest.spec, SPEAKER_INDEPENDENT)))
    roles = {"test": groups[number - 1]}
    if len(groups) > 2:
        roles["validation"] = groups[number % len(groups)]
    held_out = {speaker for group in roles.values() for speaker in group}
    roles["train"] = [speaker for group in groups for speaker in group if speaker not in held_out]
    keys = {split: {u.key for u in manifest.utterances if u.speaker in speakers} for split, speakers in roles.items()}
    named = f"test speakers {', '.join(roles['test'])}; speakers dealt into {len(groups)} groups, emotions kept even"
    return _Assignment(keys, named, frozenset(keys), f"speakers {', '.join(roles.get('validation', []))}")


def _assign_randomly(manifest: Manifest, number: int) -> _Assignment:
    """A random fold: each utterance tests in exactly one of them, whoever speaks, emotions kept even.

    Much of the literature scores on such a split; beside a speaker-independent one it shows what a probe gains when its
    test speakers are in train.
    """
    n_folds = len(list_folds(manifest.spec, RANDOM))
    test = deal_out(manifest.utterances, n_folds, seed=RANDOM_SEED)[number - 1]
    keys = {"train": {u.key for u in manifest.utterances} - test, "test": test}
    drawn = f"utterances of each emotion dealt into {n_folds} folds by a hash of the key, seed {RANDOM_SEED}"
    return _Assignment(keys, drawn, frozenset(keys))


def _assign_balanced(manifest: Manifest, folds_dir: str | os.PathLike[str] | None) -> _Assignment:
    spec = manifest.spec
    shared = {u.key for u in manifest.utterances if u.emotion in SHARED_EMOTIONS}
    if spec.drawn.published:
        test = _match_balanced_list(manifest, spec.drawn.published, folds_dir)
        source = f"EmoBox's balanced list {spec.drawn.published.file}"
    else:
        test = draw_balanced(manifest.utterances, SHARED_EMOTIONS)
        source = (
            f"up to {BALANCED_PER_EMOTION} of each of four emotions, drawn equally over speakers by a hash of the key"
        )
    return _Assignment({"train": shared - test, "test": test}, source, frozenset({"train", "test"}))


def _match_balanced_list(
    manifest: Manifest, balanced: BalancedList, folds_dir: str | os.PathLike[str] | None
) -> set[str]:
    """The keys of EmoBox's rows: of the candidates with the row's emotion, one of its speaker first, else in order."""
    spec = manifest.spec
    by_key = {u.key: u for u in manifest.utterances}
    keys: set[str] = set()
    for row in read_balanced_list(spec, balanced, folds_dir):
        match = re.fullmatch(balanced.pattern, row["wav_filename"])
        candidates = [by_key.get(template.format(**match.groupdict())) for template in balanced.keys] if match else []
        fitting = [u for u in candidates if u is not None and u.emotion.lower() == row["label"]]
        fitting.sort(key=lambda u: u.speaker != row["speaker"])  # stable: the order of the templates decides the rest
        if fitting:
            keys.add(fitting[0].key)
        elif manifest.is_complete:
            raise InputError(f"{spec.name}: no utterance for {row} of {balanced.file}")
    return keys


def _verify(
    manifest: Manifest, config: str, assignment: _Assignment, digests: dict[str, str | None], sizes: dict[str, str]
) -> None:
    """Compare a configuration with the spec's digests; no split differs, or shrinks, unseen.

    An incomplete manifest cannot show the splits that were derived from it.
    """
    spec = manifest.spec
    present = {u.key for u in manifest.utterances}
    for split, digest in digests.items():
        if digest is None or (split in assignment.derived and not manifest.is_complete):
            continue
        keys = assignment.keys.get(split, set())
        if sha256_of_keys(keys) != digest:
            strays = sorted(keys - present)
            raise InputError(
                f"{spec.name} {config}, {split}: expected{sizes.get(split, '')} keys with digest {digest[:12]}, found "
                f"{len(keys)} with "
                f"{sha256_of_keys(keys)[:12]} ({assignment.source}): these are not EmoBox's folds, or not the corpus "
                "that the spec describes" + (f"; keys the corpus lacks: {first_five(strays)}" if strays else "")
            )
    lacking = set().union(*assignment.keys.values()) - present
    if lacking and manifest.is_complete:
        raise InputError(
            f"{spec.name} {config}: {len(lacking)} utterances of {assignment.source} are not in {manifest.root}: "
            f"{first_five(sorted(lacking))}"
        )
