"""Corpora told by JSON: M3ED's dialogues and MSP-Podcast's recordings."""

import json

import pytest
from layout import touch

from emobox_hf.corpora.manifest import search_corpus
from emobox_hf.corpora.spec import load_spec
from emobox_hf.errors import InputError


def utterance(speaker, emotion, text="好"):
    return {
        "StartTime": "0:0:1:0",
        "Speaker": speaker,
        "Text": text,
        "EmoAnnotation": {"final_mul_emo": [emotion], "final_main_emo": emotion},
    }


def write_m3ed(root, annotation=None, **lists):
    annotation = annotation or {
        "zhengfu": {
            "zhengfu_1": {
                "SpeakerInfo": {"A": {"Name": "范东", "Gender": "Male"}, "B": {"Name": "p_1", "Gender": "Female"}},
                "Dialog": {"zhengfu_1_1": utterance("A", "Anger"), "zhengfu_1_2": utterance("B", "Sad", "走。")},
            },
            "zhengfu_2": {
                "SpeakerInfo": {"A": {"Name": "p_1", "Gender": "Female"}},
                "Dialog": {"zhengfu_2_1": utterance("A", "Neutral")},
            },
        }
    }
    touch(root, [f"modality_speech/{name}.wav" for name in ("A_zhengfu_1_1", "B_zhengfu_1_2", "A_zhengfu_2_1")])
    (root / "annotation.json").write_text(json.dumps(annotation, ensure_ascii=False), encoding="utf-8")
    for part in ("train", "val", "test"):
        touch(root, [f"splitInfo/movie_list_{part}.txt"], lists.get(part, "").encode())


def test_m3ed_speakers_are_roles_of_a_series(tmp_path):
    write_m3ed(tmp_path / "m3ed", val="zhengfu\r\n\n")
    first, second, third = search_corpus(load_spec("m3ed"), tmp_path / "m3ed").utterances
    assert (first.key, first.path) == ("m3ed-zhengfu_1_1", "modality_speech/A_zhengfu_1_1.wav")
    assert (first.raw_emotion, first.emotion, first.gender) == ("Anger", "Angry", "male")
    assert first.speaker == "zhengfu_范东"
    assert second.speaker == third.speaker == "zhengfu_p_1"
    assert (second.text, second.gender, second.language) == ("走。", "female", "zh")
    assert {u.split for u in (first, second, third)} == {"val"}


def test_a_movie_in_no_list_is_an_error(tmp_path):
    write_m3ed(tmp_path / "m3ed", test="anjia\n")
    with pytest.raises(InputError, match=r"zhengfu_1_1, has the movie 'zhengfu', which is in none of splitInfo"):
        search_corpus(load_spec("m3ed"), tmp_path / "m3ed")


def test_an_absent_list_of_a_part_is_an_error(tmp_path):
    write_m3ed(tmp_path / "m3ed", train="zhengfu\n")
    (tmp_path / "m3ed/splitInfo/movie_list_val.txt").unlink()
    with pytest.raises(InputError, match=r"no file splitInfo/movie_list_val\.txt, which lists the part 'val'"):
        search_corpus(load_spec("m3ed"), tmp_path / "m3ed")


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"a": {"a_1": {"SpeakerInfo": {}}}}, r"annotation\.json, a, a_1: no 'Dialog'; found SpeakerInfo"),
        ({"a": {"a_1": []}}, r"annotation\.json, a, a_1: expected an object, found list"),
        ([], r"annotation\.json: expected an object, found list"),
        ({"a": {"a_1": {"Dialog": {"a_1_1": {"Text": "x"}}}}}, r"a/a_1/a_1_1, has no Speaker"),
        ({"a": {"a_1": {"Dialog": {"a_1_1": {"Speaker": "A"}}}}}, r"a/a_1/a_1_1, has no value at .*final_main_emo"),
        ({"a": {"a_1": {"Dialog": {"a_1_1": utterance("A", "Joy")}}}}, r"a_1_1, has the emotion code 'Joy'"),
    ],
)
def test_records_of_another_shape_are_named(annotation, message, tmp_path):
    root = tmp_path / "m3ed"
    write_m3ed(root, train="a\n")
    (root / "annotation.json").write_text(json.dumps(annotation), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        search_corpus(load_spec("m3ed"), root)


def test_a_file_that_is_not_json_is_an_error(tmp_path):
    write_m3ed(tmp_path / "m3ed", train="zhengfu\n")
    (tmp_path / "m3ed/annotation.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"annotation\.json: not JSON in UTF-8"):
        search_corpus(load_spec("m3ed"), tmp_path / "m3ed")


def write_msppodcast(root, **records):
    (root / "label").mkdir(parents=True)
    (root / "label/labels_concensus.json").write_text(json.dumps(records), encoding="utf-8")


def record(emotion="N", speaker="12", part="Train", gender="Male"):
    return {
        **{"SpkrID": speaker, "EmoClass": emotion, "Gender": gender, "Split_Set": part},
        **{"EmoAct": 4.2, "EmoVal": 3.0, "EmoDom": 5},
    }


def test_msp_podcast_rows_carry_their_ratings_and_parts(tmp_path):
    root = tmp_path / "msp"
    touch(root, ["Audio/MSP-PODCAST_0001_0008.wav", "Audio/MSP-PODCAST_0002_0033.wav"])
    write_msppodcast(
        root,
        **{
            "MSP-PODCAST_0001_0008.wav": record("X", 7, "Validation"),
            "MSP-PODCAST_0002_0033.wav": record("O", "Unknown", "Test1", "Unknown"),
            "MSP-PODCAST_0003_0001.wav": record("A"),
        },
    )
    manifest = search_corpus(load_spec("msppodcast"), root)
    first, second = manifest.utterances
    assert first.key == "msppodcast-MSP-PODCAST_0001_0008"
    assert (first.emotion, first.speaker, first.gender, first.split) == ("No-agreement", "7", "male", "Development")
    assert first.extras == {"arousal": "4.2", "valence": "3.0", "dominance": "5"}
    assert (second.emotion, second.speaker, second.gender, second.split) == ("Other", None, None, "Test1")
    assert manifest.missing == {"msppodcast-MSP-PODCAST_0003_0001": "Audio/MSP-PODCAST_0003_0001.wav"}


def test_a_record_that_points_out_of_the_folder_is_refused(tmp_path):
    write_msppodcast(tmp_path / "msp", **{"../../etc/x.wav": record()})
    with pytest.raises(InputError, match=r"points outside the corpus folder"):
        search_corpus(load_spec("msppodcast"), tmp_path / "msp")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "JSON that is nested too deep"),
        ("9" * 5000, "not JSON in UTF-8: Exceeds the limit"),
        ("[]", "expected an object"),
    ],
)
def test_json_that_is_hostile_is_named(tmp_path, text, message):
    write_m3ed(tmp_path / "m3ed")
    (tmp_path / "m3ed" / "annotation.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"annotation\.json: {message}"):
        search_corpus(load_spec("m3ed"), tmp_path / "m3ed")
