"""Draws that everyone can repeat: shares, groups of speakers, balanced sets, EmoBox's rule for a corpus of one's own.

A *balanced* set has as many utterances of every emotion (`draw_balanced`), a *speaker-balanced* one as many of every
emotion of every speaker (`draw_speaker_balanced`). Emotions are *spread evenly* if no speaker has far more or fewer of
one than the others (`is_spread_evenly`), which decides how EmoBox's rule splits a corpus.

Every choice follows from keys, speakers and emotions alone, through a seeded hash, so it does not depend on the order
of files and can be repeated by anyone who has the corpus.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError

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


def take_speakers(utterances: Sequence[Utterance], fraction: float, *, seed: int) -> set[str]:
    """The keys of whole speakers, those that come first by `order_by_hash`, until they hold a `fraction` of all.

    One speaker is taken at least, and one is left at least.

    Raises:
        InputError: A speaker is not known, or there is only one.
    """
    by_speaker: dict[str, list[str]] = defaultdict(list)
    for utterance in utterances:
        by_speaker[utterance.speaker or ""].append(utterance.key)
    if "" in by_speaker or len(by_speaker) < 2:
        found = f"{len(by_speaker)} in {len(utterances)} utterances"
        if "" in by_speaker:
            found = f"{len(by_speaker[''])} of {len(utterances)} utterances without one"
        raise InputError(
            f"validation by whole speakers needs two known speakers or more, found {found}; hold out utterances instead"
        )
    taken: set[str] = set()
    for speaker in order_by_hash(by_speaker, seed)[:-1]:
        if len(taken) >= fraction * len(utterances):
            break
        taken.update(by_speaker[speaker])
    return taken


def thin_out(utterances: Sequence[Utterance], n: int, *, seed: int) -> list[Utterance]:
    """`n` of the utterances in their order, of each emotion its share, those that come first by `order_by_hash`."""
    by_emotion: dict[str, list[str]] = defaultdict(list)
    for utterance in utterances:
        by_emotion[utterance.emotion].append(utterance.key)
    places = {
        key: ((place + 0.5) / len(keys), emotion)
        for emotion, keys in by_emotion.items()
        for place, key in enumerate(order_by_hash(keys, seed))
    }
    kept = set(sorted(places, key=places.__getitem__)[:n])
    return [utterance for utterance in utterances if utterance.key in kept]


def deal_out(utterances: Sequence[Utterance], n_parts: int, *, seed: int) -> list[set[str]]:
    """The keys in `n_parts` parts, the utterances of each emotion dealt out in the order of `order_by_hash`.

    The emotions are laid end to end before dealing, so that their remainders do not all go to the first part.
    """
    by_emotion: dict[str, list[str]] = defaultdict(list)
    for utterance in utterances:
        by_emotion[utterance.emotion].append(utterance.key)
    keys = [key for emotion in sorted(by_emotion) for key in order_by_hash(by_emotion[emotion], seed)]
    return [set(keys[part::n_parts]) for part in range(n_parts)]


def group_speakers(
    utterances: Sequence[Utterance], n_groups: int, *, together: Mapping[str, str] | None = None
) -> list[list[str]]:
    """The speakers in groups that are alike in how many utterances of each emotion they hold.

    Utterances without a speaker are in no group.

    The speaker with the most utterances is placed first, each in the group that it brings closest to an equal share of
    every emotion (least sum of squared distances), then by name: deterministic, if not always the very best. Where a
    group then lacks an emotion, speakers move to it from groups that can spare them, as long as that fills a gap.

    Args:
        utterances: Of the corpus.
        n_groups: How many groups there are to be.
        together: Speaker -> what its group shares with others, such as a session; those of one stay together.
    """
    unit_of = together or {}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    members: dict[str, set[str]] = defaultdict(set)
    for utterance in utterances:
        if utterance.speaker is not None:
            unit = unit_of.get(utterance.speaker, utterance.speaker)
            counts[unit][utterance.emotion] += 1
            members[unit].add(utterance.speaker)
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
    _fill_gaps(groups, counts)
    return [sorted(name for unit in group for name in members[unit]) for group in groups]


def _fill_gaps(groups: list[list[str]], counts: Mapping[str, Counter[str]]) -> None:
    """Move speakers, one at a time and in place, to groups that lack an emotion, from those that keep all of theirs."""

    def emotions(group: Iterable[str]) -> set[str]:
        return {emotion for speaker in group for emotion in counts[speaker]}

    every = emotions(counts)
    while True:
        best: tuple[int, int, str, int, int] | None = None
        for place, group in enumerate(groups):
            gap = every - emotions(group)
            for source, others in enumerate(groups):
                for speaker in others if gap and source != place else ():
                    filled = len(gap & set(counts[speaker]))
                    rest = [other for other in others if other != speaker]
                    if filled and emotions(rest) == emotions(others):
                        move = (-filled, counts[speaker].total(), speaker, source, place)
                        best = move if best is None else min(best, move)
        if best is None:
            return
        _, _, speaker, source, place = best
        groups[source].remove(speaker)
        groups[place].append(speaker)


def draw_balanced(
    utterances: Sequence[Utterance], emotions: Sequence[str], *, per_emotion: int = BALANCED_PER_EMOTION, seed: int = 0
) -> set[str]:
    """Keys of a set with as many utterances of each emotion, drawn as equally over speakers as there are any.

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


def is_spread_evenly(utterances: Sequence[Utterance]) -> bool:
    """Whether each speaker has of each emotion at least half and at most twice the mean over speakers."""
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

    Under four speakers, or emotions spread unevenly over them (`is_spread_evenly`): one fold, a quarter of each
    emotion as test, whoever speaks. Four to six speakers: each is the test of one fold. More: a quarter as many folds
    as speakers, rounded down, of groups of speakers.
    """
    speakers = {utterance.speaker for utterance in utterances}
    if None in speakers or len(speakers) < 4 or not is_spread_evenly(utterances):
        return [take_share(utterances, TEST_FRACTION, seed=seed)]
    n_folds = len(speakers) if len(speakers) <= 6 else len(speakers) // 4
    return [
        {utterance.key for utterance in utterances if utterance.speaker in group}
        for group in group_speakers(utterances, n_folds)
    ]


@dataclass(frozen=True)
class SpeakerBalancedSet:
    """Utterances with as many of every emotion of every speaker.

    Attributes:
        keys: The utterances.
        speakers: Who speaks, sorted; `""` is the one speaker of a corpus that names none.
        n_each: Utterances of each speaker and emotion.
        left_out: Why each other utterance is not among them.
    """

    keys: frozenset[str]
    speakers: tuple[str, ...]
    n_each: int
    left_out: dict[str, str]


OTHER_EMOTION, NO_SPEAKER = "another emotion", "no speaker"
TOO_FEW, SPEAKER_NOT_DRAWN, NOT_DRAWN = "speaker without enough of an emotion", "speaker not drawn", "not drawn"


def draw_speaker_balanced(
    utterances: Sequence[Utterance],
    emotions: Sequence[str],
    *,
    per_emotion: int = BALANCED_PER_EMOTION,
    n_speakers: int | None = None,
    seed: int = 0,
) -> SpeakerBalancedSet:
    """A set of `n_speakers` with `per_emotion / n_speakers` utterances each of every emotion, as EmoBox's own four.

    Speakers are taken by `order_by_hash` from those that have enough of every emotion, and so are the utterances of
    each. Without `n_speakers`, the set is the largest that can be drawn, of `per_emotion` an emotion at most; of two
    that are equally large, the one with more speakers. In a corpus that names no speaker all utterances count as one's;
    in any other, those without a speaker are left out.

    Raises:
        InputError: Fewer than two emotions, one that no utterance has, `n_speakers` that do not divide `per_emotion`,
            fewer speakers with enough of every emotion than asked for, or none at all.
    """
    _check_draw(utterances, emotions, per_emotion, n_speakers)
    named = any(u.speaker is not None for u in utterances)
    keys: dict[str, dict[str, list[str]]] = defaultdict(lambda: {emotion: [] for emotion in emotions})
    left_out: dict[str, str] = {}
    for u in utterances:
        if u.emotion not in emotions:
            left_out[u.key] = OTHER_EMOTION
        elif named and u.speaker is None:
            left_out[u.key] = NO_SPEAKER
        else:
            keys[u.speaker or ""][u.emotion].append(u.key)
    fewest = {speaker: min(map(len, own.values())) for speaker, own in keys.items()}
    n_drawn, n_each = _choose_size(fewest, per_emotion, n_speakers)
    fitting = [speaker for speaker in order_by_hash(keys, seed) if fewest[speaker] >= n_each]
    speakers, drawn = fitting[:n_drawn], set()
    for speaker, own in keys.items():
        for of_emotion in own.values():
            ordered = order_by_hash(of_emotion, seed)
            n = n_each if speaker in speakers else 0
            drawn.update(ordered[:n])
            reason = NOT_DRAWN if n else SPEAKER_NOT_DRAWN if speaker in fitting else TOO_FEW
            left_out |= dict.fromkeys(ordered[n:], reason)
    return SpeakerBalancedSet(frozenset(drawn), tuple(sorted(speakers)), n_each, left_out)


def _check_draw(
    utterances: Sequence[Utterance], emotions: Sequence[str], per_emotion: int, n_speakers: int | None
) -> None:
    if len(set(emotions)) < 2 or len(set(emotions)) < len(emotions):
        raise InputError(f"expected two emotions or more, each once, found {', '.join(emotions) or 'none'}")
    found = Counter(u.emotion for u in utterances)
    if lacking := [emotion for emotion in emotions if not found[emotion]]:
        there = ", ".join(f"{emotion} {n}" for emotion, n in sorted(found.items())) or "none"
        raise InputError(f"no utterance of {', '.join(lacking)} to draw from, found {there}; name others as emotions")
    if per_emotion < 1:
        raise InputError(f"expected at least one utterance an emotion, found {per_emotion}")
    if n_speakers is not None and (n_speakers < 1 or per_emotion % n_speakers):
        raise InputError(
            f"{per_emotion} utterances an emotion cannot be shared equally by {n_speakers} speakers; give numbers of "
            "which the second divides the first"
        )


def _choose_size(fewest: Mapping[str, int], per_emotion: int, n_speakers: int | None) -> tuple[int, int]:
    """How many speakers, and how many utterances of each and each emotion; `fewest` is what a speaker can give."""
    counts = sorted(fewest.values(), reverse=True)
    if n_speakers is not None:
        n_each = per_emotion // n_speakers
        n_fitting = sum(count >= n_each for count in counts)
        if n_fitting < n_speakers:
            raise InputError(
                f"{n_speakers} speakers with {n_each} utterances of each emotion were asked for, {n_fitting} of "
                f"{len(counts)} have as many; ask for fewer utterances or other speakers, or leave the number of "
                "speakers out, which draws the largest set there is"
            )
        return n_speakers, n_each
    sizes = [(n, min(counts[n - 1], per_emotion // n)) for n in range(1, len(counts) + 1)]
    n, n_each = max(sizes, key=lambda size: (size[0] * size[1], size[0]))
    if not n_each:
        raise InputError(f"none of {len(counts)} speakers has an utterance of every emotion; name fewer emotions")
    return n, n_each
