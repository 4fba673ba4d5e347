"""Corpora told by their paths: what groups and templates give, corpus by corpus."""

import dataclasses

import pytest
from layout import touch

from emobox_hf.corpora.discovery import paths
from emobox_hf.corpora.discovery.tree import FileTree
from emobox_hf.corpora.manifest import search_corpus
from emobox_hf.corpora.spec import load_spec
from emobox_hf.errors import InputError


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        (
            "ravdess",
            "Actor_12/03-01-05-02-01-02-12.wav",
            {"text": "Kids are talking by the door", "extras": {"intensity": "02", "repetition": "02"}},
        ),
        ("cafe", "CaFE_48k/Peur/Fort/12-P-2-5.wav", {"extras": {"intensity": "2", "sentence": "5"}}),
        ("casia", "wangzhe/sad/213.WAV", {"key": "casia-213-wangzhe-sad", "extras": {"sentence": "213"}}),
        ("cremad", "1001_DFA_ANG_XX.wav", {"text": "Don't forget a jacket.", "gender": "male"}),
        ("cremad", "1002_IEO_HAP_LO.wav", {"gender": "female", "extras": {"intensity": "LO"}}),
        ("aesdd", "anger/a06 (5)b.wav", {"extras": {"sentence": "06", "take": "b"}}),
        ("aesdd", "disgust/d03 (01).wav", {"key": "aesdd-d03-01", "speaker": "1"}),
        ("esd", "0012/Sad/test/0012_001100.wav", {"key": "esd-0012-001100", "language": "en", "emotion": "Sad"}),
        ("enterface", "subject 6/fear/s6_fe.avi", {"speaker": "s6", "extras": {}}),
        ("enterface", "subject 3/fear/sentence 1/s_3_fe_1.avi", {"speaker": "s3", "extras": {"sentence": "1"}}),
        ("emovdb", "sam_Disgusted/x_1-28_0007.wav", {"key": "emovdb-sam-Disgust-0007", "raw_emotion": "Disgusted"}),
        ("mead", "W009/angry/level_3/001.m4a", {"extras": {"level": "3", "sentence": "001"}}),
        ("tess", "OAF_neutral/OA_bite_neutral.wav", {"key": "tess-OAF-bite-neutral", "speaker": "OAF", "extras": {}}),
        ("tess", "YAF_youth_ps.wav", {"text": "Say the word youth", "emotion": "Surprise", "gender": "female"}),
        ("turevdb", "Sound Source/Calm/1984_sk_eger.wav", {"key": "turevdb-1984_sk_eger.wav", "text": "eger"}),
        ("mesd", "Anger_C_A_abajo.wav", {"speaker": "C", "gender": None, "text": "abajo", "extras": {"corpus": "A"}}),
        ("oreau", "f/sessc/10a08Ca.wav", {"gender": "female", "extras": {"sentence": "a08"}}),
        ("oreau", "10a08Ca.wav", {"gender": None, "speaker": "10"}),
        ("asvpesd", "03-02-13-01-04-90-02-02-02-13.wav", {"speaker": "90", "language": None, "emotion": "Breath"}),
        ("subesco", "F_02_MONIKA_S_2_SURPRISE_3].wav", {"key": "subesco-F_02_MONIKA_S_2_SURPRISE_3]"}),
        ("savee", "JK/sa09.wav", {"key": "savee-JK-sa09", "speaker": "JK", "gender": "male"}),
        ("savee", "AudioData/JK_sa09.wav", {"key": "savee-JK-sa09", "speaker": "JK"}),
        ("shemo", "male/M10F01.wav", {"emotion": "Fear", "gender": "male"}),
        ("shemo", "female/F10F01.wav", {"emotion": "Fear", "gender": "female", "language": "fa"}),
    ],
)
def test_a_path_tells_these_things(name, path, expected, tmp_path):
    touch(tmp_path / "corpus", [path])
    (utterance,) = search_corpus(load_spec(name), tmp_path / "corpus").utterances
    assert {field: getattr(utterance, field) for field in expected} == expected


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("ravdess", "Actor_01/03-02-05-01-01-01-01.wav"),  # a song
        ("ravdess", "Actor_01/01-01-05-01-01-01-01.mp4"),  # a film
        ("cremad", "AudioMP3/1001_DFA_ANG_XX.mp3"),
        ("emodb", "silence/03a01.wav"),
        ("savee", "notes/DC_a1.wav"),
    ],
)
def test_audio_that_is_not_an_utterance_is_listed_as_unexpected(name, path, tmp_path):
    touch(tmp_path / "corpus", [path])
    manifest = search_corpus(load_spec(name), tmp_path / "corpus")
    assert manifest.unexpected == (path,)
    assert not manifest.utterances


def test_a_code_that_the_spec_does_not_know_is_an_error_with_the_file(tmp_path):
    touch(tmp_path / "corpus", ["wav/03a01Xa.wav"])
    with pytest.raises(InputError, match=r"emodb: wav/03a01Xa\.wav has .* code 'X', which is neither in .*known: A, E"):
        search_corpus(load_spec("emodb"), tmp_path / "corpus")


def test_two_files_for_one_key_are_both_named_and_neither_is_used(tmp_path):
    touch(tmp_path / "corpus", ["DC/a01.wav", "flat/DC_a01.wav", "DC/a02.wav"])
    manifest = search_corpus(load_spec("savee"), tmp_path / "corpus")
    assert manifest.duplicates == {"savee-DC-a01": ["DC/a01.wav", "flat/DC_a01.wav"]}
    assert [utterance.key for utterance in manifest.utterances] == ["savee-DC-a02"]


def test_templates_of_text_and_speaker_see_what_that_of_the_key_sees(tmp_path):
    discovery = dataclasses.replace(
        load_spec("polish").discovery, speaker="{file}", text="{stem} of {stem.name}", key="{stem}-{speaker}"
    )
    touch(tmp_path, ["m3.a_nie_1.WAV"])
    spec = dataclasses.replace(load_spec("polish"), discovery=discovery)
    (utterance,) = paths.discover(spec, FileTree(tmp_path)).utterances
    assert (utterance.key, utterance.speaker) == ("m3.a_nie_1-m3", "m3.a_nie_1.wav")
    assert utterance.text == "m3.a_nie_1 of m3.a_nie_1"
