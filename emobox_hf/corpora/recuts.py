"""Partitions drawn by rule: speaker-independent folds, balanced test sets, EmoBox's rule for a corpus of one's own.

Every choice follows from keys, speakers and emotions alone, through a seeded hash, so it does not depend on the order
of files and can be repeated by anyone who has the corpus.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from emobox_hf.corpora.utterance import Utterance

BALANCED_PER_EMOTION = 60  # EmoBox's four cross-corpus test sets hold 60 utterances of each of four emotions
TEST_FRACTION = 0.25  # EmoBox: a quarter of each emotion where a corpus is split without regard to speakers


def order_by_hash(keys: Iterable[str], seed: int) -> list[str]:
    """The keys in the order of SHA-256 of `seed:key`: random, but the same for everyone."""
    return sorted(keys, key=lambda key: hashlib.sha256(f"{seed}:{key}".encode()).digest())


def take_share(utterances: Sequence[Utterance], fraction: float, *, seed: int) -> set[str]:
    """The keys of a `fraction` of each emotion, those that come first by `order_by_hash`."""
    by_emotion: dict[str, list[str]] = defaultdict(list)
    for utterance in utterances:
        by_emotion[utterance.emotion].append(utterance.key)
    return {key for keys in by_emotion.values() for key in order_by_hash(keys, seed)[: round(fraction * len(keys))]}


def group_speakers(utterances: Sequence[Utterance], n_groups: int) -> list[list[str]]:
    """Speakers in `n_groups` groups whose emotions are as even as can be; utterances without a speaker count for none.

    The speaker with the most utterances is placed first, each in the group that it brings closest to an equal share of
    every emotion (least sum of squared distances), then by name: deterministic, if not always the very best.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for utterance in utterances:
        if utterance.speaker is not None:
            counts[utterance.speaker][utterance.emotion] += 1
    total = sum(counts.values(), Counter())
    groups: list[list[str]] = [[] for _ in range(n_groups)]
    loads: list[Counter[str]] = [Counter() for _ in range(n_groups)]

    def growth(group: int, speaker: str) -> float:
        """How much farther from its share a group would be, summed over emotions."""
        change = 0.0
        for emotion, count in counts[speaker].items():
            share, load = total[emotion] / n_groups, loads[group][emotion]
            change += ((load + count - share) ** 2 - (load - share) ** 2) / share**2
        return change

    for speaker in sorted(counts, key=lambda name: (-counts[name].total(), name)):
        best = min(range(n_groups), key=lambda group: (growth(group, speaker), len(groups[group]), group))
        groups[best].append(speaker)
        loads[best] += counts[speaker]
    return [sorted(group) for group in groups]


def draw_balanced(
    utterances: Sequence[Utterance], emotions: Sequence[str], *, per_emotion: int = BALANCED_PER_EMOTION, seed: int = 0
) -> set[str]:
    """Keys of a test set with as many utterances of each emotion, drawn as equally over speakers as there are any.

    At most `per_emotion` of each, fewer where the rarest emotion has fewer. Within an emotion the speakers take turns,
    each with its next utterance by `order_by_hash`; utterances without a speaker count as one speaker's.
    """
    by_emotion: dict[str, dict[str, list[str]]] = {emotion: defaultdict(list) for emotion in emotions}
    for utterance in utterances:
        if utterance.emotion in by_emotion:
            by_emotion[utterance.emotion][utterance.speaker or ""].append(utterance.key)
    n = min(per_emotion, *(sum(map(len, speakers.values())) for speakers in by_emotion.values()))
    drawn: set[str] = set()
    for speakers in by_emotion.values():
        turns = [
            (turn, hashlib.sha256(f"{seed}:{speaker}".encode()).digest(), key)
            for speaker, keys in speakers.items()
            for turn, key in enumerate(order_by_hash(keys, seed))
        ]
        drawn.update(key for _, _, key in sorted(turns)[:n])
    return drawn


def is_even(utterances: Sequence[Utterance]) -> bool:
    """Whether every speaker has every emotion, none less than half or more than twice the speakers' mean of it."""
    counts = Counter((utterance.speaker, utterance.emotion) for utterance in utterances)
    speakers = {utterance.speaker for utterance in utterances}
    totals = Counter(utterance.emotion for utterance in utterances)
    return all(
        total / len(speakers) / 2 <= counts[speaker, emotion] <= 2 * total / len(speakers)
        for emotion, total in totals.items()
        for speaker in speakers
    )


def split_by_emobox_rule(utterances: Sequence[Utterance], *, seed: int = 0) -> list[set[str]]:
    """The test keys of each fold that EmoBox's partition rule asks for (section 3, data partitioning).

    Under four speakers, or emotions spread unevenly over them (`is_even`): one fold, a quarter of each emotion as test,
    whoever speaks. Four to six speakers: each is the test of one fold. More: a quarter as many folds as speakers,
    rounded down, of groups of speakers.
    """
    speakers = {utterance.speaker for utterance in utterances}
    if None in speakers or len(speakers) < 4 or not is_even(utterances):
        return [take_share(utterances, TEST_FRACTION, seed=seed)]
    n_folds = len(speakers) if len(speakers) <= 6 else len(speakers) // 4
    return [
        {utterance.key for utterance in utterances if utterance.speaker in group}
        for group in group_speakers(utterances, n_folds)
    ]
