"""Manifests: where a corpus is looked for, what makes one whole, and what is written and read back."""

import csv
import dataclasses
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from layout import lay_out, touch

from emobox_hf.corpora.manifest import build_manifest, find_corpus, search_corpus
from emobox_hf.corpora.manifest_csv import format_manifest, read_manifest, write_manifest
from emobox_hf.corpora.spec import load_spec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError

WORDS, TAKES = ("nie", "oddaj", "podaj", "stop", "tak", "trzymaj"), range(1, 6)
POLISH = [f"m{s}.{e}_{word}_{take}.wav" for s in range(1, 6) for e in "ans" for word in WORDS for take in TAKES]


def test_an_argument_goes_before_the_variable_and_that_before_the_cache(tmp_path, cache, monkeypatch):
    spec = load_spec("polish")
    given_folder, fetched = tmp_path / "given", cache / "corpora/polish"
    named = tmp_path / "home/polish"
    for folder in (given_folder, named, fetched):
        folder.mkdir(parents=True)
    assert find_corpus(spec) == fetched.resolve()
    monkeypatch.setenv("EMOBOX_DATA_DIR", str(tmp_path / "home"))
    assert find_corpus(spec) == named.resolve()
    assert find_corpus(spec, given_folder) == given_folder.resolve()


def test_the_error_lists_the_places_and_how_the_corpus_is_had(tmp_path, cache, monkeypatch):
    with pytest.raises(InputError) as raised:
        find_corpus(load_spec("iemocap"))
    for part in (
        "looked in $EMOBOX_DATA_DIR/iemocap (the variable is not set), " + str(cache / "corpora/iemocap"),
        "https://sail.usc.edu/iemocap",
        "access: on request",
        "research only",
        "Session1/",
    ):
        assert part in str(raised.value)
    assert "emobox fetch" not in str(raised.value)
    with pytest.raises(InputError, match=r"or let `emobox fetch polish` get it"):
        find_corpus(load_spec("polish"))
    monkeypatch.setenv("EMOBOX_DATA_DIR", str(tmp_path))
    with pytest.raises(InputError, match=rf"looked in {tmp_path}/iemocap, "):
        find_corpus(load_spec("iemocap"))


def test_a_folder_that_is_given_but_absent_is_not_replaced_by_another(tmp_path, cache):
    (cache / "corpora/polish").mkdir(parents=True)
    with pytest.raises(InputError, match=rf"looked in {tmp_path}/typo\n"):
        find_corpus(load_spec("polish"), tmp_path / "typo")


def test_a_complete_copy_is_accepted(tmp_path):
    touch(tmp_path, POLISH)
    manifest = build_manifest(load_spec("polish"), tmp_path)
    assert manifest.is_complete
    assert manifest.count("emotion") == {"Angry": 150, "Fear": 150, "Neutral": 150}
    assert manifest.count("speaker") == dict.fromkeys(["m1", "m2", "m3", "m4", "m5"], 90)


def test_absent_utterances_are_counted_and_named(tmp_path):
    touch(tmp_path, POLISH[2:])
    message = r"448 of 450 utterances found .* 2 missing: polish-m1\.a_nie_1, polish-m1\.a_nie_2; `emobox check polish"
    with pytest.raises(InputError, match=message):
        build_manifest(load_spec("polish"), tmp_path)
    manifest = build_manifest(load_spec("polish"), tmp_path, allow_missing=True)
    assert (manifest.n_absent, manifest.is_complete) == (2, False)


def test_an_empty_folder_shows_the_expected_tree(tmp_path):
    touch(tmp_path, ["readme.txt"])
    with pytest.raises(InputError, match=r"no utterance found under .*, expected 450; expected tree:\s+polish/"):
        build_manifest(load_spec("polish"), tmp_path)


@pytest.mark.parametrize("allow_missing", [False, True])
def test_two_files_for_one_key_are_refused(tmp_path, allow_missing):
    touch(tmp_path, [*POLISH, f"copy/{POLISH[0]}"])
    with pytest.raises(InputError, match=r"1 key with two files .* polish-m1\.a_nie_1: copy/m1\.a_nie_1\.wav, m1\.a"):
        build_manifest(load_spec("polish"), tmp_path, allow_missing=allow_missing)


def test_files_that_are_in_no_list_are_left_out_by_name(tmp_path):
    touch(tmp_path, [*POLISH, "m6.a_nie_1.wav"])
    manifest = build_manifest(load_spec("polish"), tmp_path)
    assert manifest.is_complete
    assert manifest.left_out == {"polish-m6.a_nie_1": "in none of EmoBox's lists"}


def test_more_utterances_than_there_are_is_refused_where_no_list_tells_them_apart(tmp_path):
    spec = load_spec("emodb")
    lay_out(spec, spec.examples, tmp_path)
    fewer = dataclasses.replace(spec, expected=dataclasses.replace(spec.expected, utterances=3))
    with pytest.raises(InputError, match=r"(?s)4 utterances under .*, expected 3: another version.*EMOBOX_FOLDS"):
        build_manifest(fewer, tmp_path)


def test_rows_of_a_table_that_lack_audio_do_not_make_a_full_copy_incomplete(tmp_path):
    spec = load_spec("meld")
    lay_out(spec, spec.examples, tmp_path / "meld")
    table = tmp_path / "meld/train_sent_emo.csv"
    table.write_text(table.read_text("utf-8") + "joy,Joey,Hi,positive,9999,1\n", encoding="utf-8")
    expected = dataclasses.replace(spec.expected, utterances=len(spec.examples), keys_sha256="")
    spec = dataclasses.replace(spec, expected=expected)
    manifest = build_manifest(spec, tmp_path / "meld")
    assert manifest.is_complete
    assert list(manifest.missing) == ["meld-dia9999_utt1-train"]


text = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1)
seconds = st.floats(0, 1e6, allow_nan=False)
utterances = st.builds(
    Utterance,
    key=text,
    path=text,
    raw_emotion=text,
    emotion=text,
    speaker=st.none() | text,
    gender=st.none() | text,
    language=st.none() | text,
    text=st.none() | text,
    split=st.none() | text,
    start_s=st.none() | seconds,
    end_s=st.none() | seconds,
    extras=st.dictionaries(text, text, max_size=3),
)


@given(rows=st.lists(utterances, max_size=5, unique_by=lambda utterance: utterance.key))
def test_what_is_written_is_read_back(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("manifests") / "manifest.csv"
    write_manifest(rows, path)
    assert read_manifest(path) == rows


def test_a_manifest_is_the_same_text_whatever_order_the_disk_gives(tmp_path):
    spec = load_spec("polish")
    touch(tmp_path / "one", POLISH)
    for path in POLISH[::-1]:
        touch(tmp_path / "two", [path])
    one, two = (format_manifest(search_corpus(spec, tmp_path / name).utterances) for name in ("one", "two"))
    assert one == two
    assert one.splitlines()[0].startswith("key,path,raw_emotion,emotion,speaker,gender,language,text,split,")


def test_a_manifest_of_another_header_or_none_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"no such manifest; `emobox manifest CORPUS --out"):
        read_manifest(tmp_path / "absent.csv")
    (tmp_path / "other.csv").write_text("key,wav\na,b\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"expected the columns key and emotion, .*found key, wav"):
        read_manifest(tmp_path / "other.csv")


def test_a_table_of_one_s_own_needs_a_key_and_an_emotion(tmp_path):
    (tmp_path / "own.csv").write_text("key,emotion,speaker\na,Happy,s1\nb,Sad,\n", encoding="utf-8")
    first, second = read_manifest(tmp_path / "own.csv")
    assert (first.key, first.emotion, first.speaker) == ("a", "Happy", "s1")
    assert second.speaker is None


@pytest.mark.parametrize("row", ["a,,1", "a,Sad,x", ",Sad,1", "a,Sad,1,2"])
def test_a_row_that_is_none_is_refused_with_its_line(tmp_path, row):
    (tmp_path / "own.csv").write_text(f"\ufeffkey,emotion,start_s\n{row}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"own\.csv, line 2: "):
        read_manifest(tmp_path / "own.csv")


def test_a_key_that_comes_twice_is_refused(tmp_path):
    (tmp_path / "twice.csv").write_text("key,emotion\na,Happy\na,Sad\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"these come again: a"):
        read_manifest(tmp_path / "twice.csv")


def test_extras_do_not_keep_an_utterance_out_of_a_set():
    one = Utterance(key="a", path="b", raw_emotion="c", emotion="d", extras={"level": "1"})
    other = dataclasses.replace(one, extras={"level": "2"})
    assert len({one, other, one}) == 2


@pytest.mark.parametrize("text", ["=cmd|'/c calc'!A1", "+1", "-1", "@sum", "'=1", "'tis"])
def test_no_cell_of_a_manifest_is_a_formula_and_each_is_read_back(tmp_path, text):
    row = Utterance(key=text, path=text, raw_emotion=text, emotion="Sad", speaker=text, text=text)
    write_manifest([row], tmp_path / "m.csv")
    (cells,) = list(csv.reader((tmp_path / "m.csv").open(encoding="utf-8")))[1:]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert read_manifest(tmp_path / "m.csv") == [row]


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        ("key,emotion,start_s", "a,Sad,nan", "line 2: start_s and end_s are seconds from the beginning"),
        ("key,emotion,end_s", "a,Sad,inf", "line 2: start_s and end_s are seconds from the beginning"),
        ("key,emotion,end_s", "a,Sad,-1", "line 2: start_s and end_s are seconds from the beginning"),
        ("key,emotion,extras", "a,Sad,[1]", "line 2: extras is a JSON object of texts"),
        ("key,emotion,extras", 'a,Sad,"{""x"": 1}"', "line 2: extras is a JSON object of texts"),
        ("key,emotion,extras", f"a,Sad,{'[' * 50_000}", "line 2: extras: JSON that is nested too deep"),
        ("key,emotion", 'a,"Sad\n' + "x" * 140_000, "not a table, after line 1: field larger.*quote not closed"),
    ],
)
def test_a_manifest_with_impossible_values_is_refused(tmp_path, header, line, message):
    path = tmp_path / "m.csv"
    path.write_text(f"{header}\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_manifest(path)


@pytest.mark.skipif(os.name == "nt", reason="names there are always Unicode")
def test_a_folder_whose_name_is_not_utf_8_is_refused(tmp_path):
    root = tmp_path / os.fsdecode(b"f\xfcr")
    root.mkdir()
    with pytest.raises(InputError, match="its name is not in UTF-8; rename the folder"):
        find_corpus(load_spec("polish"), root)
