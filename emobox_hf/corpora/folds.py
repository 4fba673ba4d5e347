"""Folds: which utterances train, validate and test a configuration, and where that is known from.

A published fold comes from a folder of EmoBox's lists (`folds_dir` or `$EMOBOX_FOLDS`), else from the spec's rule, else
from the EmoBox repository at one commit. Speaker-independent folds and most cross-corpus test sets are drawn by rule
(`recuts`). Whatever the source, the result is checked against the digests in the spec.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from emobox_hf.corpora.labels import SHARED_EMOTIONS
from emobox_hf.corpora.lists import SPLITS, digests_of, download_lists, find_lists, read_balanced_list, read_lists
from emobox_hf.corpora.manifest import Manifest
from emobox_hf.corpora.recuts import (
    BALANCED_PER_EMOTION,
    draw_balanced,
    group_speakers,
    split_by_emobox_rule,
    take_share,
)
from emobox_hf.corpora.spec import BalancedList, CorpusSpec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError, first_five, suggest
from emobox_hf.files import sha256_of_keys

VALIDATION_FRACTION = 0.2  # EmoBox: a random 20 % of train where the corpus has no validation part
VALIDATION_SEED = 0
MAX_SI_FOLDS = 10
CROSS_CORPUS, ALL = "cross_corpus", "all"
_BY_HASH = f"{VALIDATION_FRACTION:.0%} of each emotion of train, by a hash of the key, seed {VALIDATION_SEED}"


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


def list_folds(spec: CorpusSpec) -> list[str]:
    """The published folds, `fold1` … `foldK`; those of EmoBox's rule for a corpus that EmoBox has not split."""
    return [f"fold{number}" for number in range(1, (len(spec.folds.published) or spec.folds.count) + 1)]


def list_si_folds(spec: CorpusSpec) -> list[str]:
    """The speaker-independent folds, `si_fold1` …: one a speaker, ten at most; none with fewer than two speakers."""
    n_speakers = spec.expected.speakers
    n_folds = min(MAX_SI_FOLDS, n_speakers) if n_speakers >= 2 else 0
    return [f"si_fold{number}" for number in range(1, n_folds + 1)]


def list_configs(spec: CorpusSpec) -> list[str]:
    """The configurations of a corpus: published folds, speaker-independent ones, `cross_corpus`, `all`."""
    has_shared = set(SHARED_EMOTIONS) <= set(spec.emotions)
    return [*list_folds(spec), *list_si_folds(spec), *([CROSS_CORPUS] if has_shared else []), ALL]


def list_splits(config: str) -> list[str]:
    """The splits of a configuration."""
    return ["train"] if config == ALL else list(SPLITS)


def check_config(spec: CorpusSpec, config: str) -> None:
    """Raise an InputError, with a suggestion, if the corpus has no such configuration."""
    if config not in list_configs(spec):
        raise InputError(f"{spec.name} has no configuration {config!r}{suggest(config, list_configs(spec))}")


def partition(manifest: Manifest, config: str, *, folds_dir: str | os.PathLike[str] | None = None) -> Partition:
    """Split a manifest's utterances by a configuration.

    `all` has one split, `train`, with every utterance; the others have `train`, `validation` and `test`. Of a published
    fold, train and validation together are EmoBox's train list where the corpus has no validation part of its own. The
    test part of `cross_corpus` is balanced over four emotions; train and validation are the other utterances of those.

    Args:
        manifest: The corpus; if it lacks utterances, so do the splits.
        config: One of `list_configs`.
        folds_dir: A folder laid out like EmoBox's `data`, or None for `$EMOBOX_FOLDS`, the rule or the download.

    Raises:
        InputError: No such configuration, no lists where they are needed, or a result that differs from its digest.
    """
    spec = manifest.spec
    check_config(spec, config)
    if config == ALL:
        return Partition(config, {"train": manifest.utterances}, "every utterance")
    kind = config.rstrip("0123456789")
    number = int(config.removeprefix(kind) or 0)
    published = None
    digests: dict[str, str | None] = {}
    if kind == "fold" and spec.folds.source == "rule":
        assignment = _assign_by_emobox_rule(manifest, number)
    elif kind == "fold":
        assignment = _assign_published(manifest, number, folds_dir)
        published = spec.folds.published[number - 1]
        digests = digests_of(published)
    elif kind == "si_fold":
        assignment = _assign_speakers(manifest, number)
        known = spec.recuts.si_sha256
        digests = {"test": known[number - 1] if known else None}
    else:
        assignment = _assign_balanced(manifest, folds_dir)
        digests = {"test": spec.recuts.cross_corpus_sha256}
    sizes = {split: f" {getattr(published, split)}" for split in SPLITS} if published else {}
    _verify(manifest, config, assignment, digests, sizes)
    splits = {
        split: tuple(u for u in manifest.utterances if u.key in assignment.keys.get(split, ())) for split in SPLITS
    }
    if "validation" in assignment.keys:
        return Partition(config, splits, assignment.source, assignment.validation)
    held_out = choose_validation(splits["train"])
    splits["validation"] = tuple(u for u in splits["train"] if u.key in held_out)
    splits["train"] = tuple(u for u in splits["train"] if u.key not in held_out)
    return Partition(config, splits, assignment.source, _BY_HASH)


def choose_validation(train: Sequence[Utterance]) -> set[str]:
    """The keys held out for validation: of each emotion the fifth whose seeded key hash is smallest.

    The choice depends on the keys alone, not on the order of files.
    """
    return take_share(train, VALIDATION_FRACTION, seed=VALIDATION_SEED)


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
    groups = group_speakers(manifest.utterances, len(list_si_folds(manifest.spec)))
    roles = {"test": groups[number - 1]}
    if len(groups) > 2:
        roles["validation"] = groups[number % len(groups)]
    held_out = {speaker for group in roles.values() for speaker in group}
    roles["train"] = [speaker for group in groups for speaker in group if speaker not in held_out]
    keys = {split: {u.key for u in manifest.utterances if u.speaker in speakers} for split, speakers in roles.items()}
    named = f"test speakers {', '.join(roles['test'])}; speakers dealt into {len(groups)} groups, emotions kept even"
    return _Assignment(keys, named, frozenset(keys), f"speakers {', '.join(roles.get('validation', []))}")


def _assign_balanced(manifest: Manifest, folds_dir: str | os.PathLike[str] | None) -> _Assignment:
    spec = manifest.spec
    shared = {u.key for u in manifest.utterances if u.emotion in SHARED_EMOTIONS}
    if spec.recuts.published:
        test = _match_balanced_list(manifest, spec.recuts.published, folds_dir)
        source = f"EmoBox's balanced list {spec.recuts.published.file}"
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
