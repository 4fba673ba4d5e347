"""Traits: what is known of an utterance beside its sound and its emotion, who speaks it and which sentence it is."""

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError

SPEAKER, SENTENCE = "speaker", "sentence"
_SENTENCE_CODE = "sentence"  # the extra that holds a code where the words are not known


def list_speakers(utterances: Collection[Utterance]) -> dict[str, str | None]:
    """Key -> who speaks; None where that is not known."""
    return {u.key: u.speaker for u in utterances}


def list_sentences(utterances: Collection[Utterance]) -> dict[str, str | None]:
    """Key -> the sentence by its words, without case and punctuation, else the corpus's code; None where unknown."""
    plain = {text: _plain(text) for text in {u.text for u in utterances if u.text}}
    return {u.key: plain.get(u.text or "") or u.extras.get(_SENTENCE_CODE) or None for u in utterances}


def read_occasion(pattern: str, key: str) -> str | None:
    """The session, dialogue or series that a pattern of the spec's `occasions` finds in a key; None where none."""
    match = re.search(pattern, key)
    return " ".join(match.groups("")).strip() if match else None


TRAITS: Mapping[str, Callable[[Collection[Utterance]], dict[str, str | None]]] = {
    SPEAKER: list_speakers,
    SENTENCE: list_sentences,
}


@dataclass(frozen=True)
class Columns:
    """A trait of a corpus as one-hot rows: a column for each value that two utterances or more share.

    A value that one utterance alone has tells nothing of any other; transcribed corpora have tens of thousands.

    Attributes:
        trait: Which.
        values: The value of each column, sorted.
        column_of: Key -> column; an utterance that is not in it has a row of zeros.
    """

    trait: str
    values: tuple[str, ...]
    column_of: Mapping[str, int]

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with any row."""
        canonical = json.dumps([self.trait, len(self.values), sorted(self.column_of.items())])
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def make_columns(spec: CorpusSpec, utterances: Collection[Utterance], trait: str) -> Columns:
    """The columns of a trait over all utterances of a corpus.

    Raises:
        InputError: No two utterances are known to share a value, so there is no column.
    """
    value_of = TRAITS[trait](utterances)
    times = Counter(value_of.values())
    values = tuple(sorted(value for value, n in times.items() if value is not None and n > 1))
    if not values:
        raise InputError(
            f"{spec.name}: expected utterances that share a {trait}, found {times.get(None, 0)} of {len(value_of)} "
            f"whose {trait} is not known and no two of one {trait}; the {trait} tells nothing here"
        )
    numbers = {value: number for number, value in enumerate(values)}
    column_of = {key: numbers[value] for key, value in value_of.items() if value in numbers}
    return Columns(trait, values, column_of)


def _plain(text: str) -> str:
    """A sentence as it is compared: letters, the marks on them and digits, in one case, one space between words."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = (char if unicodedata.category(char)[0] in "LMN" else " " for char in folded)
    return " ".join("".join(kept).split())
