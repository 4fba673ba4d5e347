"""Traits as columns: who has one, who has a row of zeros, what makes other columns."""

import dataclasses

import pytest

from emobox_hf.corpora.spec import load_spec
from emobox_hf.corpora.traits import Columns, list_sentences, make_columns
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError

SPEC = load_spec("polish")
PEOPLE = ("ann", "bob", "ann", None, "cyd", "bob", "ann")


def say(key: str, speaker: str | None = None, text: str | None = None, code: str = "") -> Utterance:
    extras = {"sentence": code} if code else {}
    return Utterance(key, f"{key}.wav", "a", "Angry", speaker=speaker, text=text, extras=extras)


def speakers(*names: str | None) -> Columns:
    return make_columns(SPEC, [say(str(number), name) for number, name in enumerate(names)], "speaker")


def test_each_value_that_is_shared_has_a_column() -> None:
    columns = speakers(*PEOPLE)
    assert columns.values == ("ann", "bob")
    assert columns.column_of == {"0": 0, "1": 1, "2": 0, "5": 1, "6": 0}  # neither the unknown nor the one of cyd


def test_sentences_are_told_by_their_words_else_by_their_code() -> None:
    told = [say("a", text="Kids, come!"), say("b", text="kids come"), say("c", code="7"), say("d", code="7"), say("e")]
    assert list_sentences(told) == {"a": "kids come", "b": "kids come", "c": "7", "d": "7", "e": None}
    assert make_columns(SPEC, told, "sentence").column_of == {"a": 1, "b": 1, "c": 0, "d": 0}


@pytest.mark.parametrize("change", [1, 4])
def test_other_rows_have_another_digest(change: int) -> None:
    others = [*PEOPLE[:change], "ann", *PEOPLE[change + 1 :]]
    assert speakers(*others).digest != speakers(*PEOPLE).digest


def test_names_alone_make_no_other_rows() -> None:
    renamed = [name and name.upper() for name in PEOPLE]
    assert speakers(*renamed).digest == speakers(*PEOPLE).digest
    assert dataclasses.replace(speakers(*PEOPLE), trait="sentence").digest != speakers(*PEOPLE).digest


@pytest.mark.parametrize("names", [(None, None), ("ann", "bob", None)])
def test_a_trait_that_no_two_utterances_share_is_refused(names: tuple[str | None, ...]) -> None:
    message = rf"polish: expected utterances that share a speaker, found {names.count(None)} of {len(names)}"
    with pytest.raises(InputError, match=message):
        speakers(*names)
