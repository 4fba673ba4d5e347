"""One utterance of a corpus, and what a search of the corpus folder found."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Utterance:
    """One labelled stretch of speech.

    `path` is relative to the corpus root, with forward slashes. `raw_emotion` is the corpus's own code, `emotion` the
    EmoBox label it maps to. `gender` is female, male or None, `language` an ISO 639-1 code. `split` is the part the
    corpus itself puts the utterance in, where it has parts. `start_s` and `end_s` are seconds into the file, None where
    the utterance is the whole file. `extras` holds what else the corpus says of it, in its own codes: intensity,
    sentence, repetition, sentiment, ratings.
    """

    key: str
    path: str
    raw_emotion: str
    emotion: str
    speaker: str | None = None
    gender: str | None = None
    language: str | None = None
    text: str | None = None
    split: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    extras: dict[str, str] = field(default_factory=dict, hash=False)


@dataclass(slots=True)
class Findings:
    """What a discovery function found under a corpus root.

    `missing` maps the key of a table's row to the path where its audio should be, `left_out` the key of an utterance
    that EmoBox does not use to the reason, `unexpected` lists audio files that belong to no utterance.
    """

    utterances: list[Utterance] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
