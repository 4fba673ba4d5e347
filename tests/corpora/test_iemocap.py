"""IEMOCAP's dialogues."""

import pytest
from layout import touch

from emobox_hf.corpora.manifest import search_corpus
from emobox_hf.corpora.spec import load_spec
from emobox_hf.errors import InputError

EVALUATION = """\
% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes02F_impro07_M028\texc\t[4.0000, 3.5000, 2.5000]
C-E1:\tHappiness;\t()
A-E3:\tval 4; act 3; dom  3;\t()

[10.0100 - 11.3925]\tSes02F_impro07_F003\tfru\t[2.5000, 2.5000, 2.5000]
[12.0000 - 13.0000]\tSes02F_impro07_F004\tneu\t[2.5000, 2.5000, 2.5000]
"""
TRANSCRIPTION = """\
Ses02F_impro07_M028 [006.2901-008.2357]: I can't believe it, caf\xe9.
Ses02F_impro07_MXX0 [009.0000-009.5000]: Hm.
"""


def write_dialogue(root, evaluation=EVALUATION):
    wav = "Session2/sentences/wav/Ses02F_impro07/Ses02F_impro07"
    touch(root, [f"{wav}_M028.wav", f"{wav}_F003.wav", "Session2/dialog/wav/Ses02F_impro07.wav"])
    touch(root, ["Session2/dialog/EmoEvaluation/Ses02F_impro07.txt"], evaluation.encode("latin-1"))
    touch(root, ["Session2/dialog/EmoEvaluation/Categorical/Ses02F_impro07_e1_cat.txt"], b"other lines")
    touch(root, ["Session2/dialog/transcriptions/Ses02F_impro07.txt"], TRANSCRIPTION.encode("latin-1"))


def test_the_speaker_is_the_one_who_speaks(tmp_path):
    write_dialogue(tmp_path / "x")
    manifest = search_corpus(load_spec("iemocap"), tmp_path / "x")
    (utterance,) = manifest.utterances
    assert (utterance.key, utterance.speaker, utterance.gender) == ("iemocap-Ses02F_impro07_M028", "Ses02M", "male")
    assert (utterance.raw_emotion, utterance.emotion) == ("exc", "Happy")
    assert utterance.text == "I can't believe it, café."
    assert utterance.extras == {"valence": "4.0000", "activation": "3.5000", "dominance": "2.5000"}


def test_what_emobox_does_not_use_has_a_reason_and_what_lacks_audio_a_place(tmp_path):
    write_dialogue(tmp_path / "x")
    manifest = search_corpus(load_spec("iemocap"), tmp_path / "x")
    assert manifest.left_out == {"iemocap-Ses02F_impro07_F003": "frustration: not one of EmoBox's classes"}
    place = "Session2/sentences/wav/Ses02F_impro07/Ses02F_impro07_F004.wav"
    assert manifest.missing == {"iemocap-Ses02F_impro07_F004": place}
    assert not manifest.unexpected


def test_an_unknown_code_is_an_error(tmp_path):
    write_dialogue(tmp_path / "x", EVALUATION.replace("exc", "joy"))
    with pytest.raises(InputError, match=r"Ses02F_impro07\.txt, Ses02F_impro07_M028 has the emotion code 'joy'"):
        search_corpus(load_spec("iemocap"), tmp_path / "x")


def test_a_folder_without_evaluations_is_an_error_with_the_expected_tree(tmp_path):
    touch(tmp_path / "x", ["Session2/sentences/wav/a/a.wav"])
    with pytest.raises(InputError, match=r"no file Session\*/dialog/EmoEvaluation/\*\.txt; expected tree:\s+iemocap/"):
        search_corpus(load_spec("iemocap"), tmp_path / "x")
