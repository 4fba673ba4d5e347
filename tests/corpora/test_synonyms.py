"""Labels of models and tables, brought to EmoBox's vocabulary."""

import pytest

from emobox_hf.corpora.labels import EMOTIONS
from emobox_hf.corpora.synonyms import SYNONYMS, map_label, map_labels
from emobox_hf.errors import InputError

EMOTION2VEC_PLUS = {
    "生气/angry": "Angry",
    "厌恶/disgusted": "Disgust",
    "恐惧/fearful": "Fear",
    "开心/happy": "Happy",
    "中立/neutral": "Neutral",
    "其他/other": "Other",
    "难过/sad": "Sad",
    "吃惊/surprised": "Surprise",
    "<unk>": "Unknown",
}


def test_emotion2vec_plus_names_emotions_in_two_languages() -> None:
    assert map_labels(list(EMOTION2VEC_PLUS)) == EMOTION2VEC_PLUS


@pytest.mark.parametrize(
    ("label", "emotion"),
    [
        ("ang", "Angry"),
        ("ANGER", "Angry"),
        (" hap ", "Happy"),
        ("joy", "Happy"),
        ("neu", "Neutral"),
        ("No Agreement", "No-agreement"),
    ],
)
def test_synonyms_and_spellings(label: str, emotion: str) -> None:
    assert map_label(label) == emotion


@pytest.mark.parametrize("label", ["LABEL_0", "", "angry/sad", "positive", "a", "Speech"])
def test_what_names_no_emotion_or_two_is_not_mapped(label: str) -> None:
    assert map_label(label) is None


def test_every_synonym_is_of_one_emotion_of_the_vocabulary() -> None:
    assert set(SYNONYMS) <= set(EMOTIONS)
    words = [word for own in SYNONYMS.values() for word in own]
    assert len(words) == len(set(words))
    assert not {word for word in words if word.isalpha() and word.lower() != word}
    assert not set(words) & {emotion.lower() for emotion in EMOTIONS}


def test_what_is_given_goes_before_the_rule() -> None:
    assert map_labels(["exc", "LABEL_1", "x"], {"exc": "Happy", "LABEL_1": "sad"}) == {"exc": "Happy", "LABEL_1": "Sad"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"LABEL_7": "Sad"}, "no label 'LABEL_7' to map; did you mean 'LABEL_0'"),
        ({"LABEL_0": "furious"}, "cannot be mapped to 'furious'"),
    ],
)
def test_what_is_given_has_to_fit(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        map_labels(["LABEL_0"], given)
