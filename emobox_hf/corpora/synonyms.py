"""Which emotion of EmoBox's vocabulary a label of a model or a table means.

The rule: a label is cut at `/` (emotion2vec+ writes `生气/angry`); of each part only letters count, and not their case;
a part that is a name of the vocabulary or a synonym below gives an emotion. Parts that give none are passed over. A
label whose parts give two emotions, or none, is not mapped.
"""

from collections.abc import Mapping, Sequence

from emobox_hf.corpora.labels import EMOTIONS
from emobox_hf.errors import InputError, suggest

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "Angry": ("ang", "anger"),
    "Happy": ("hap", "happiness", "joy", "joyful"),
    "Neutral": ("neu", "neutrality"),
    "Sad": ("sadness",),
    "Fear": ("fea", "fearful", "afraid", "scared"),
    "Disgust": ("dis", "disgusted"),
    "Surprise": ("sur", "surprised", "pleasantsurprise", "pleasantsurprised"),
    "Calm": ("calmness",),
    "Boredom": ("bored",),
    "Contempt": ("contemptuous",),
    "Excited": ("exc", "excitement"),
    "Amused": ("amusement",),
    "Sleepy": ("sleepiness",),
    "Sarcastic": ("sarcasm",),
    "Anxious": ("anxiety",),
    "Enthusiastic": ("enthusiasm",),
    "Disappointment": ("disappointed",),
    "Other": ("others", "oth"),
    "Unknown": ("unk",),
}


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalpha())


_EMOTION_OF = {_letters(name): name for name in EMOTIONS} | {
    word: emotion for emotion, words in SYNONYMS.items() for word in words
}


def map_label(label: str) -> str | None:
    """The emotion that a label names by the rule of this module; None if it names none, or two.

    >>> map_label("生气/angry"), map_label("HAP"), map_label("<unk>"), map_label("LABEL_0"), map_label("angry/sad")
    ('Angry', 'Happy', 'Unknown', None, None)
    """
    found = {_EMOTION_OF[part] for part in map(_letters, label.split("/")) if part in _EMOTION_OF}
    return found.pop() if len(found) == 1 else None


def map_labels(labels: Sequence[str], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The emotion of each label that has one; what is `given` for a label goes before the rule.

    Raises:
        InputError: Something is given for a label that is not there, or names no emotion.
    """
    said: dict[str, str] = {}
    for label, word in (given or {}).items():
        emotion = map_label(word)
        if label not in labels:
            raise InputError(f"no label {label!r} to map{suggest(label, labels)}")
        if emotion is None:
            raise InputError(f"{label!r} cannot be mapped to {word!r}{suggest(word, EMOTIONS)}")
        said[label] = emotion
    mapped = {label: said.get(label) or map_label(label) for label in labels}
    return {label: emotion for label, emotion in mapped.items() if emotion}
