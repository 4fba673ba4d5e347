"""Audit of a partition: what its test part shares with what a probe was trained and chosen on.

Speakers, sentences, occasions (sessions, dialogues, series: `occasions` of the spec), files and segments of files and,
where their sound was compared, recordings. What it says:

- A *leak* is a speaker or a recording of test that is also in train or validation: the same sound, a copy of it, or
  segments of one file that overlap. A probe can then recognise who speaks instead of how, which EmoBox's random folds
  allow. Validation that was drawn from train shares its speakers by design; that is counted too, and is no leak.
- A shared *sentence* is no leak: acted corpora have all speakers say the same few sentences, so that words cannot tell
  emotions apart. A fold that shares them is not text-independent, and an encoder of words may gain from it.
- Shared occasions and files are counted and are no verdict: a scene in two parts means one room, one microphone, and
  nearly always the same voices.
- Without speakers (or with some unknown) independence *cannot be told*, which is not the same as no leak.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from emobox_hf.corpora.discovery.matching import check_pattern_ends
from emobox_hf.corpora.folds import Partition
from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.corpora.traits import SENTENCE, SPEAKER, TRAITS, read_occasion
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError

SEEN = "train or validation"
PAIRS = (("test", SEEN), ("test", "train"), ("test", "validation"), ("validation", "train"))
FILE, SEGMENT = "file", "segment"
RECORDING, SIMILAR = "recording", "similar recording"
_N_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Overlap:
    """What one split shares with another, of one kind.

    Of `n_values` speakers (sentences …) of `split`, `n_shared` are also in `against`, `examples` the first of them; of
    its `n_utterances` utterances `n_affected` have such a value. `n_unknown` utterances of the two have no value.
    """

    kind: str
    split: str
    against: str
    n_values: int
    n_shared: int
    n_utterances: int
    n_affected: int
    n_unknown: int
    examples: tuple[str, ...]

    @property
    def affected_share(self) -> float:
        """The share of the utterances of `split` that are affected, 0 to 1."""
        return self.n_affected / self.n_utterances if self.n_utterances else 0.0

    @property
    def is_disjoint(self) -> bool | None:
        """Whether nothing is shared; None if nothing is seen to be, but values are unknown."""
        if self.n_shared:
            return False
        return None if self.n_unknown or not self.n_values else True


@dataclass(frozen=True, slots=True)
class Audit:
    """What the splits of one configuration share; `sizes` are their utterances."""

    corpus: str
    config: str
    sizes: Mapping[str, int]
    overlaps: tuple[Overlap, ...]

    @property
    def kinds(self) -> list[str]:
        """What was compared: `speaker`, `sentence`, and what else the corpus names or its sound was compared for."""
        return list(dict.fromkeys(overlap.kind for overlap in self.overlaps))

    def overlap(self, kind: str, split: str = "test", against: str = SEEN) -> Overlap:
        """What two splits share of one kind; a KeyError if that was not compared."""
        for overlap in self.overlaps:
            if (overlap.kind, overlap.split, overlap.against) == (kind, split, against):
                return overlap
        raise KeyError(f"{kind}, {split} against {against}")

    @property
    def is_speaker_independent(self) -> bool | None:
        """Whether no speaker of test is in train or validation; None: cannot tell, as speakers are unknown."""
        return self.overlap(SPEAKER).is_disjoint

    @property
    def is_text_independent(self) -> bool | None:
        """Whether no sentence of test is in train or validation; None: cannot tell, as sentences are unknown."""
        return self.overlap(SENTENCE).is_disjoint

    @property
    def has_duplicate_recordings(self) -> bool | None:
        """Whether a recording of test, or a copy of it, is in train or validation; None: not all were compared."""
        compared = {kind: self.overlap(kind) for kind in (SEGMENT, RECORDING, SIMILAR) if kind in self.kinds}
        if any(overlap.n_shared for overlap in compared.values()):
            return True
        return False if RECORDING in compared and all(overlap.is_disjoint for overlap in compared.values()) else None

    @property
    def has_leak(self) -> bool:
        """Whether a speaker or a recording of test is in train or validation."""
        return self.is_speaker_independent is False or self.has_duplicate_recordings is True

    @property
    def verdict(self) -> str:
        """`leak`, `independent` (no speaker is shared, nor a recording if those were compared) or `cannot tell`."""
        if self.has_leak:
            return "leak"
        has_no_copies = RECORDING not in self.kinds or self.has_duplicate_recordings is False
        return "independent" if self.is_speaker_independent and has_no_copies else "cannot tell"

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "corpus": self.corpus,
            "config": self.config,
            "sizes": dict(self.sizes),
            "verdict": self.verdict,
            "is_speaker_independent": self.is_speaker_independent,
            "is_text_independent": self.is_text_independent,
            "has_duplicate_recordings": self.has_duplicate_recordings,
            "overlaps": [
                {**asdict(overlap), "examples": list(overlap.examples), "affected_share": overlap.affected_share}
                for overlap in self.overlaps
            ],
        }


def audit_partition(
    partition: Partition,
    spec: CorpusSpec,
    *,
    recordings: Mapping[str, str] | None = None,
    similar: Mapping[str, str] | None = None,
) -> Audit:
    """Compare the splits of a configuration with each other.

    Sentences are compared by their words, without case and punctuation, else by the corpus's code. Where a code names a
    sentence within one emotion only (MEAD, SAVEE), equal codes count as equal sentences: independence is never claimed
    wrongly, but the count of what is shared is an upper bound.

    Args:
        partition: The splits; without `test` there is nothing to audit.
        spec: The corpus.
        recordings: Where sound was compared, key to a digest of its samples; equal digests are identical recordings.
        similar: Where sound was compared, key to a name of the group of copies that the recording belongs to.

    Raises:
        InputError: The configuration has no test split.
    """
    if not partition.splits.get("test"):
        raise InputError(f"{spec.name} {partition.config} has no test part to audit; the configurations with folds do")
    utterances = {u.key: u for split in partition.splits.values() for u in split}.values()
    values: dict[str, Mapping[str, str | None]] = {
        trait: list_values(utterances) for trait, list_values in TRAITS.items()
    }
    for name, pattern in spec.occasions.items():
        check_pattern_ends(spec, f"occasions.{name}", re.compile(pattern), [u.key for u in utterances], how="search")
        values[name] = {u.key: read_occasion(pattern, u.key) for u in utterances}
    if any(u.start_s is not None for u in utterances):
        values |= {FILE: {u.key: u.path for u in utterances}, SEGMENT: _group_segments(utterances)}
    for kind, found in ((RECORDING, recordings), (SIMILAR, similar)):
        if found is not None:
            values[kind] = found
    parts = {name: [u.key for u in split] for name, split in partition.splits.items()}
    parts[SEEN] = parts["train"] + parts["validation"]
    return Audit(
        corpus=spec.name,
        config=partition.config,
        sizes={name: len(split) for name, split in partition.splits.items()},
        overlaps=tuple(
            _compare(kind, split, parts[split], against, parts[against], value_of.get)
            for kind, value_of in values.items()
            for split, against in PAIRS
        ),
    )


def summarize_audit(audit: Audit) -> dict[str, Any]:
    """What a record or a card keeps of an audit: a few numbers on test against train and validation, for JSON."""
    speakers, sentences = audit.overlap(SPEAKER), audit.overlap(SENTENCE)
    return {
        "verdict": audit.verdict,
        "test_speakers": speakers.n_values,
        "shared_speakers": speakers.n_shared,
        "affected_share": round(speakers.affected_share, 4),
        "utterances_without_speaker": speakers.n_unknown,
        "test_sentences": sentences.n_values,
        "shared_sentences": sentences.n_shared,
        "is_speaker_independent": audit.is_speaker_independent,
        "is_text_independent": audit.is_text_independent,
        "has_duplicate_recordings": audit.has_duplicate_recordings,
        "shared": {
            kind: {"test": overlap.n_values, "shared": overlap.n_shared}
            for kind in audit.kinds
            if kind not in (SPEAKER, SENTENCE)
            for overlap in (audit.overlap(kind),)
        },
    }


def _compare(
    kind: str, split: str, keys: Sequence[str], against: str, others: Sequence[str], read: Callable[[str], str | None]
) -> Overlap:
    ours, theirs = [read(key) for key in keys], [read(key) for key in others]
    known = set(ours) - {None}
    shared = sorted(str(value) for value in known & set(theirs))
    found = set(shared)
    return Overlap(
        kind=kind,
        split=split,
        against=against,
        n_values=len(known),
        n_shared=len(shared),
        n_utterances=len(ours),
        n_affected=sum(value in found for value in ours),
        n_unknown=ours.count(None) + theirs.count(None),
        examples=tuple(shared[:_N_EXAMPLES]),
    )


def _group_segments(utterances: Collection[Utterance]) -> dict[str, str | None]:
    """A name for the sound of each segment; two of one file have the same if they share over half of the shorter."""
    stretches: dict[str, str | None] = {u.key: u.key for u in utterances}
    placed = sorted((u.path, u.start_s, u.end_s, u.key) for u in utterances if u.start_s is not None and u.end_s)
    for (path, start_s, end_s, key), (other_path, other_start_s, other_end_s, other) in pairwise(placed):
        common_s = min(end_s, other_end_s) - other_start_s
        if path == other_path and common_s > min(end_s - start_s, other_end_s - other_start_s) / 2:
            stretches[other] = stretches[key]
    return stretches
