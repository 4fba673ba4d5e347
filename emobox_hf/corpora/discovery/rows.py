"""What every discovery function does with a raw row: map its label, fill in what the spec knows."""

import typing

from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError


def map_emotion(spec: CorpusSpec, raw_emotion: str, where: str) -> str | None:
    """The EmoBox label of a raw code; None for a code that the spec leaves out with a reason.

    Raises:
        InputError: The spec knows nothing of the code.
    """
    emotion = spec.labels.get(raw_emotion)
    if emotion is None and raw_emotion not in spec.labels_left_out:
        known = ", ".join([*spec.labels, *spec.labels_left_out])
        raise InputError(f"{spec.name}: {where} has the emotion code {raw_emotion!r}; the spec knows {known}")
    return emotion


def describe(spec: CorpusSpec, **row: typing.Any) -> Utterance:
    """An utterance from what was read, with the speaker's gender and the language where the spec states them."""
    row.setdefault("gender", spec.gender_of.get(row.get("speaker") or ""))
    row.setdefault("language", spec.languages[0] if len(spec.languages) == 1 else None)
    return Utterance(**row)
