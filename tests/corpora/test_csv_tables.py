"""Corpora told by tables: MELD, EMNS, Emozionalmente, MER2023, and everything that can be wrong with a table."""

import dataclasses

import pytest
from layout import lay_out, touch

from emobox_hf.corpora.manifest import search_corpus
from emobox_hf.corpora.spec import load_spec
from emobox_hf.corpora.templates import Cell
from emobox_hf.errors import InputError

MELD_HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID"


def write_meld(root, *lines, header=MELD_HEADER, encoding="utf-8"):
    """MELD with these rows in the train table, empty tables of the other parts, and the videos of dialogue 0."""
    touch(root, [f"train/train_splits/dia0_utt{number}.mp4" for number in range(3)])
    for name in ("dev_sent_emo.csv", "test_sent_emo.csv"):
        (root / name).write_text(MELD_HEADER + "\n", encoding="utf-8")
    (root / "train_sent_emo.csv").write_text("\n".join([header, *lines]) + "\n", encoding=encoding)


def search(name, root):
    return search_corpus(load_spec(name), root)


def test_quotes_commas_and_line_breaks_in_a_text_stay_in_it(tmp_path):
    root = tmp_path / "meld"
    write_meld(root, '1,"Oh, ""no"",\nnot again…",Joey,surprise,negative,0,0', "2,Fine,Ross,joy,positive,0,1")
    first, second = search("meld", root).utterances
    assert first.text == 'Oh, "no",\nnot again…'
    assert (first.speaker, first.emotion, first.split) == ("Joey", "Surprise", "train")
    assert first.extras == {"sentiment": "negative"}
    assert second.key == "meld-dia0_utt1-train"


def test_copies_and_leftovers_beside_melds_videos_are_not_utterances(tmp_path):
    root = tmp_path / "meld"
    spec = load_spec("meld")
    lay_out(spec, spec.examples, root)
    folder = "output_repeated_splits_test"
    touch(root, [f"{folder}/._dia279_utt15.mp4", f"{folder}/final_videos_testdia279_utt15.mp4"])
    manifest = search("meld", root)
    assert {u.key for u in manifest.utterances} == {example.key for example in spec.examples}
    assert manifest.unexpected == (f"{folder}/final_videos_testdia279_utt15.mp4",)


def test_a_row_whose_audio_is_absent_is_listed_with_the_place(tmp_path):
    root = tmp_path / "meld"
    write_meld(root, "1,Hi,Joey,joy,positive,0,0", "2,Hi,Joey,joy,positive,7,1")
    manifest = search("meld", root)
    assert manifest.missing == {"meld-dia7_utt1-train": "train_splits/dia7_utt1.mp4"}
    assert len(manifest.utterances) == 1
    assert manifest.unexpected == tuple(f"train/train_splits/dia0_utt{n}.mp4" for n in (1, 2))


def test_a_row_that_the_spec_skips_is_left_out_with_the_reason(tmp_path):
    root = tmp_path / "meld"
    write_meld(root, "1,Hi,Joey,joy,positive,125,3")
    touch(root, ["train/train_splits/dia125_utt3.mp4"])
    manifest = search("meld", root)
    assert manifest.left_out == {"meld-dia125_utt3-train": "the video does not decode"}
    assert not manifest.missing
    assert "train/train_splits/dia125_utt3.mp4" not in manifest.unexpected


def test_an_unknown_code_is_an_error_with_the_line(tmp_path):
    root = tmp_path / "meld"
    write_meld(root, "1,Hi,Joey,joy,positive,0,0", "2,Hi,Joey,glee,positive,0,1")
    with pytest.raises(InputError, match=r"train_sent_emo\.csv, line 3, has the emotion code 'glee', which"):
        search("meld", root)


def test_an_absent_table_is_an_error(tmp_path):
    touch(tmp_path / "meld", ["train/train_splits/dia0_utt0.mp4"])
    with pytest.raises(InputError, match=r"no file train_sent_emo\.csv, which lists the corpus's utterances"):
        search("meld", tmp_path / "meld")


def test_two_copies_of_a_table_are_refused(tmp_path):
    write_meld(tmp_path / "meld", "1,Hi,Joey,joy,positive,0,0")
    touch(tmp_path / "meld", ["copy/train_sent_emo.csv"])
    with pytest.raises(InputError, match=r"two files for train_sent_emo\.csv"):
        search("meld", tmp_path / "meld")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (MELD_HEADER.replace("Emotion", "Emo"), r"no column Emotion; found Sr No\., Utterance, Speaker, Emo"),
        (MELD_HEADER.replace("Dialogue_ID", "Dialogue"), r"no column Dialogue_ID"),
        (MELD_HEADER.replace(",", ";"), r"found Sr No\.;Utterance;.*\(separator ',' expected\)"),
        ("", r"found an empty file"),
    ],
)
def test_a_header_without_what_is_needed_is_an_error(header, message, tmp_path):
    write_meld(tmp_path / "meld", header=header)
    with pytest.raises(InputError, match=message):
        search("meld", tmp_path / "meld")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,Hi,Joey,joy,positive,0", r"train_sent_emo\.csv, line 2: expected 7 values, found 6"),
        ("1,Hi, you,Joey,joy,positive,0,0", r"line 2: expected 7 values, found 8"),
    ],
)
def test_a_row_with_too_few_or_too_many_values_is_an_error(line, message, tmp_path):
    write_meld(tmp_path / "meld", line)
    with pytest.raises(InputError, match=message):
        search("meld", tmp_path / "meld")


def test_a_table_in_another_encoding_is_an_error(tmp_path):
    write_meld(tmp_path / "meld", "1,Déjà vu,Joey,joy,positive,0,0", encoding="latin-1")
    with pytest.raises(InputError, match=r"train_sent_emo\.csv: not text in utf-8"):
        search("meld", tmp_path / "meld")


def test_the_encoding_of_a_spec_is_used(tmp_path):
    write_meld(tmp_path / "meld", "1,Déjà vu,Joey,joy,positive,0,0", encoding="latin-1")
    spec = load_spec("meld")
    spec = dataclasses.replace(spec, discovery=dataclasses.replace(spec.discovery, encoding="latin-1"))
    assert search_corpus(spec, tmp_path / "meld").utterances[0].text == "Déjà vu"


def test_a_byte_order_mark_before_the_header_does_no_harm(tmp_path):
    header = MELD_HEADER.removeprefix("Sr No.,Utterance,").replace("Speaker", "Speaker", 1) + ",Utterance"
    write_meld(tmp_path / "meld", "Joey,joy,positive,0,0,Hi", header=header, encoding="utf-8-sig")
    assert search("meld", tmp_path / "meld").utterances[0].speaker == "Joey"


@pytest.mark.parametrize("path", ["../../etc/x.wav", "/etc/x.wav"])
def test_a_row_that_points_out_of_the_folder_is_refused(path, tmp_path):
    root = tmp_path / "resd"
    touch(root, ["train/a.wav"])
    (root / "test.csv").write_text("name,path,emotion,speech\n", encoding="utf-8")
    (root / "train.csv").write_text(f"name,path,emotion,speech\nx,{path},fear,\n", encoding="utf-8")
    if path.startswith("/"):  # joined to the part's folder it stays inside
        assert search("resd", root).missing
    else:
        with pytest.raises(InputError, match=r"'train/\.\./\.\./etc/x\.wav' points outside the corpus folder; refused"):
            search("resd", root)


def test_emns_looks_for_the_last_part_of_the_path_in_its_table(tmp_path):
    root = tmp_path / "emns"
    touch(root, ["cleaned_webm/recorded_audio_A.webm", "raw_webm/recorded_audio_A.webm"])
    header = "id|user_id|age|gender|emotion|level|utterance|description|audio_recording|status"
    row = "7|3|20|female|Surprised|8|Oh, really?|a gasp, then joy|wavs/recorded_audio_A.webm|complete"
    (root / "metadata.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    (utterance,) = search("emns", root).utterances
    assert utterance.path == "cleaned_webm/recorded_audio_A.webm"
    assert utterance.key == "emns-recorded_audio_A"
    assert (utterance.speaker, utterance.gender, utterance.raw_emotion) == ("3", "female", "Surprised")
    assert (utterance.emotion, utterance.text) == ("Surprise", "Oh, really?")
    assert utterance.extras == {"level": "8", "description": "a gasp, then joy"}


def write_emozionalmente(root, users):
    touch(root, ["audio/1.wav", "audio/2.wav"])
    (root / "metadata").mkdir()
    samples = "file_name,actor,sentence,emotion_expressed\n1.wav,anna,Ciao,joy\n2.wav,bruno,Ciao,fear\n"
    (root / "metadata/samples.csv").write_text(samples, encoding="utf-8")
    (root / "metadata/users.csv").write_text(users, encoding="utf-8")


def test_a_joined_table_lends_gender_and_age(tmp_path):
    write_emozionalmente(tmp_path / "e", "username,gender,age\nanna,f,31\ncarla,f,50\n")
    anna, bruno = search("emozionalmente", tmp_path / "e").utterances
    assert (anna.speaker, anna.gender, anna.extras) == ("anna", "female", {"age": "31"})
    assert (bruno.speaker, bruno.gender, bruno.extras) == ("bruno", None, {})


def test_a_joined_table_without_its_column_is_an_error(tmp_path):
    write_emozionalmente(tmp_path / "e", "user,gender,age\nanna,f,31\n")
    with pytest.raises(InputError, match=r"users\.csv: no column username; found user, gender, age"):
        search("emozionalmente", tmp_path / "e")


def test_a_column_that_neither_table_has_is_an_error(tmp_path):
    write_emozionalmente(tmp_path / "e", "username,sex\nanna,f\n")
    with pytest.raises(InputError, match=r"samples\.csv: no column gender, age"):
        search("emozionalmente", tmp_path / "e")


def test_mer2023_keys_follow_the_extension_that_is_found(tmp_path):
    root = tmp_path / "mer2023"
    touch(root, ["mer2023train/test3/a.mp4", "mer2023train/test3/b.AVI", "test1/c.avi"])
    for part, names in (("train", ""), ("test1", "c"), ("test2", ""), ("test3", "abd")):
        lines = ["name,discrete,valence", *(f"{name},worried,-0.5" for name in names)]
        touch(root, [f"{part}-label.csv"], "\n".join(lines).encode())
    manifest = search("mer2023", root)
    assert {u.key: u.split for u in manifest.utterances} == {
        "mer2023-a.mp4": "test3",
        "mer2023-b": "test3",
        "mer2023-c": "test1",
    }
    assert manifest.missing == {"mer2023-d.mp4": "test3/d.mp4"}
    assert {u.speaker for u in manifest.utterances} == {None}


def test_cells_give_parts_of_a_path_to_templates():
    assert "{0.name} {0.stem} {0}".format(Cell("wavs/a b.x.webm")) == "a b.x.webm a b.x wavs/a b.x.webm"


def test_a_quote_that_is_not_closed_is_named(tmp_path):
    root = tmp_path / "meld"
    write_meld(
        root, "1,Hi,Joey,joy,positive,0,0", '2,"Hi,Joey,joy,positive,0,1', *["3,Hi,Joey,joy,positive,0,2"] * 9999
    )
    with pytest.raises(
        InputError, match=r"train_sent_emo.csv: not a table, after line 2: field larger.*quote not closed"
    ):
        search("meld", root)


def test_a_template_that_uses_what_no_column_has_is_named(tmp_path):
    root = tmp_path / "meld"
    write_meld(root, "1,Hi,Joey,joy,positive,0,0")
    spec = load_spec("meld")
    spec = dataclasses.replace(spec, discovery=dataclasses.replace(spec.discovery, speaker="{who}"))
    with pytest.raises(
        InputError, match=r"meld: the speaker of train_sent_emo.csv, line 2,: '\{who\}' uses who; known here: "
    ):
        search_corpus(spec, root)
