"""The keys of each split of a fold, from where they are known: lists, test speakers, the corpus's own parts, a rule.

A published fold comes from a folder of EmoBox's lists (`folds_dir` or `$EMOBOX_FOLDS`), else from the spec's rule, else
from the EmoBox repository at one commit. Speaker-independent and random folds and most cross-corpus test sets are drawn
by rule (`sampling`).
"""

import os
import re
from dataclasses import dataclass

from emobox_hf.corpora.configurations import RANDOM, SPEAKER_INDEPENDENT, list_folds
from emobox_hf.corpora.discovery.matching import check_pattern_ends
from emobox_hf.corpora.labels import SHARED_EMOTIONS
from emobox_hf.corpora.lists import download_lists, find_lists, read_balanced_list, read_lists
from emobox_hf.corpora.manifest import Manifest
from emobox_hf.corpora.sampling import (
    BALANCED_PER_EMOTION,
    deal_out,
    draw_balanced,
    group_speakers,
    split_by_emobox_rule,
)
from emobox_hf.corpora.spec import BalancedList
from emobox_hf.corpora.templates import fill
from emobox_hf.corpora.traits import read_occasion
from emobox_hf.errors import InputError, first_five
from emobox_hf.files import sha256_of_keys

RANDOM_SEED = 0


@dataclass(frozen=True, slots=True)
class Assignment:
    """The keys of each split of a fold, before validation is held out of train.

    Attributes:
        keys: By split; without `validation` where it is held out of train.
        source: Where they are known from, for people.
        derived: The splits that were computed from the manifest, so that they lack what the copy lacks.
        validation: How the validation part was chosen, for people, where there is one.
    """

    keys: dict[str, set[str]]
    source: str
    derived: frozenset[str]
    validation: str = "the corpus's own"


def assign_published(manifest: Manifest, number: int, folds_dir: str | os.PathLike[str] | None) -> Assignment:
    """A fold that EmoBox published."""
    spec = manifest.spec
    folder = find_lists(spec, number, folds_dir)
    if folder is None and spec.folds.source == "speakers":
        test_speakers = spec.folds.test_speakers[number - 1]
        test = {u.key for u in manifest.utterances if u.speaker in test_speakers}
        keys = {"train": {u.key for u in manifest.utterances} - test, "test": test}
        return Assignment(keys, f"test speakers {', '.join(test_speakers)}", frozenset(keys))
    if folder is None and spec.folds.source == "split":
        parts = spec.folds.splits
        keys = {split: {u.key for u in manifest.utterances if u.split == part} for split, part in parts.items()}
        named = ", ".join(f"{split} = {part}" for split, part in parts.items())
        return Assignment(keys, f"the corpus's own parts: {named}", frozenset(keys))
    if folder is None:
        folder = download_lists(spec, number)
    keys = read_lists(spec, number, folder)
    derived: frozenset[str] = frozenset()
    if "train" not in keys:  # EmoBox lacks some: it is the corpus's own train part (MSP-Podcast, M3ED), else the rest
        part = spec.folds.splits.get("train")
        rest = {u.key for u in manifest.utterances if part is None or u.split == part}
        keys["train"] = rest.difference(*keys.values())
        derived = frozenset({"train"})
    return Assignment(keys, "EmoBox's published lists", derived)


def assign_by_emobox_rule(manifest: Manifest, number: int) -> Assignment:
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
    return Assignment(keys, "EmoBox's partition rule", frozenset(keys))


def assign_speakers(manifest: Manifest, number: int, *, draw: int = 0) -> Assignment:
    """A speaker-independent fold; with three folds or more the test speakers of another one validate.

    Draw 0 validates on the next fold's, draw 1 on those of the fold after it, and so on, all others in turn.
    """
    spec = manifest.spec
    together = _list_occasions(manifest, spec.drawn.si_keeps) if spec.drawn.si_keeps else None
    groups = group_speakers(manifest.utterances, len(list_folds(spec, SPEAKER_INDEPENDENT)), together=together)
    roles = {"test": groups[number - 1]}
    if len(groups) > 2:
        roles["validation"] = groups[(number + draw % (len(groups) - 1)) % len(groups)]
    held_out = {speaker for group in roles.values() for speaker in group}
    roles["train"] = [speaker for group in groups for speaker in group if speaker not in held_out]
    keys = {split: {u.key for u in manifest.utterances if u.speaker in speakers} for split, speakers in roles.items()}
    kept = f", those of a {spec.drawn.si_keeps} together" if spec.drawn.si_keeps else ""
    named = (
        f"test speakers {', '.join(roles['test'])}; speakers dealt into {len(groups)} groups{kept}, emotions kept even"
    )
    return Assignment(keys, named, frozenset(keys), f"speakers {', '.join(roles.get('validation', []))}")


def _list_occasions(manifest: Manifest, name: str) -> dict[str, str]:
    """The occasion of each speaker, such as a session.

    Raises:
        InputError: A speaker was at several.
    """
    found: dict[str, str] = {}
    pattern, keys = manifest.spec.occasions[name], [u.key for u in manifest.utterances]
    check_pattern_ends(manifest.spec, f"occasions.{name}", re.compile(pattern), keys, how="search")
    for u in manifest.utterances:
        occasion = read_occasion(pattern, u.key)
        if u.speaker is None or occasion is None:
            continue
        if found.setdefault(u.speaker, occasion) != occasion:
            raise InputError(
                f"{manifest.spec.name}: speaker {u.speaker} is in {name}s {found[u.speaker]} and {occasion}, so those "
                f"of a {name} cannot be kept together; leave drawn.si_keeps out of the specification"
            )
    return found


def assign_randomly(manifest: Manifest, number: int) -> Assignment:
    """A random fold: each utterance tests in exactly one of them, whoever speaks, emotions kept even.

    Much of the literature scores on such a split; beside a speaker-independent one it shows what a probe gains when its
    test speakers are in train.
    """
    n_folds = len(list_folds(manifest.spec, RANDOM))
    test = deal_out(manifest.utterances, n_folds, seed=RANDOM_SEED)[number - 1]
    keys = {"train": {u.key for u in manifest.utterances} - test, "test": test}
    drawn = f"utterances of each emotion dealt into {n_folds} folds by a hash of the key, seed {RANDOM_SEED}"
    return Assignment(keys, drawn, frozenset(keys))


def assign_balanced(manifest: Manifest, folds_dir: str | os.PathLike[str] | None) -> Assignment:
    """`cross_corpus`: the balanced test set of four emotions, and the other utterances of those as train."""
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
    return Assignment({"train": shared - test, "test": test}, source, frozenset({"train", "test"}))


def _match_balanced_list(
    manifest: Manifest, balanced: BalancedList, folds_dir: str | os.PathLike[str] | None
) -> set[str]:
    """The keys of EmoBox's rows: of the candidates with the row's emotion, one of its speaker first, else in order."""
    spec = manifest.spec
    by_key = {u.key: u for u in manifest.utterances}
    keys: set[str] = set()
    rows = read_balanced_list(spec, balanced, folds_dir)
    names = [row["wav_filename"] for row in rows]
    check_pattern_ends(spec, "drawn.published.pattern", re.compile(balanced.pattern), names)
    for row in rows:
        match = re.fullmatch(balanced.pattern, row["wav_filename"])
        candidates = (
            [by_key.get(fill(template, match.groupdict(), balanced.file)) for template in balanced.keys]
            if match
            else []
        )
        fitting = [u for u in candidates if u is not None and u.emotion.lower() == row["label"]]
        fitting.sort(key=lambda u: u.speaker != row["speaker"])  # stable: the order of the templates decides the rest
        if fitting:
            keys.add(fitting[0].key)
        elif manifest.is_complete:
            raise InputError(f"{spec.name}: no utterance for {row} of {balanced.file}")
    return keys


def verify(
    manifest: Manifest, config: str, assignment: Assignment, digests: dict[str, str | None], sizes: dict[str, str]
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
