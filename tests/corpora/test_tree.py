import os
import unicodedata

import pytest
from layout import touch

from emobox_hf.audio import PLAIN_SUFFIXES
from emobox_hf.corpora.discovery.tree import AUDIO_EXTENSIONS, FileTree
from emobox_hf.errors import InputError


def test_paths_are_sorted_and_relative_with_forward_slashes(tmp_path):
    touch(tmp_path, ["b/2.wav", "b/1.wav", "a.txt", "b/c/3.flac"])
    assert FileTree(tmp_path).paths == ["a.txt", "b/1.wav", "b/2.wav", "b/c/3.flac"]


def test_hidden_files_and_resource_forks_are_not_listed(tmp_path):
    touch(tmp_path, ["a.wav", "._a.wav", ".git/a.wav", "__MACOSX/a.wav", "x/__MACOSX/a.wav", "x/.DS_Store"])
    assert FileTree(tmp_path).paths == ["a.wav"]


def test_links_are_followed_and_loops_end(tmp_path):
    touch(tmp_path / "real", ["a.wav"])
    (tmp_path / "root").mkdir()
    (tmp_path / "root/link").symlink_to(tmp_path / "real")
    (tmp_path / "real/loop").symlink_to(tmp_path / "root")
    (tmp_path / "root/broken.wav").symlink_to(tmp_path / "nowhere.wav")
    (tmp_path / "root/file.wav").symlink_to(tmp_path / "real/a.wav")
    assert FileTree(tmp_path / "root").paths == ["file.wav", "link/a.wav"]


def test_audio_is_told_by_its_extension_in_any_case(tmp_path):
    touch(tmp_path, ["a.WAV", "b.Flac", "c.mp4", "d.txt", "e", "wav"])
    assert FileTree(tmp_path).audio() == ["a.WAV", "b.Flac", "c.mp4"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_file_is_found_by_the_end_of_its_path_in_any_unicode_form(tmp_path, form):
    wanted = "Colère/é (1) [x] .wav"
    touch(tmp_path, [unicodedata.normalize(form, f"top/{wanted}")])
    tree = FileTree(tmp_path)
    for spelling in ("NFC", "NFD"):
        assert tree.find(unicodedata.normalize(spelling, wanted)) == tree.paths[0]


def test_only_whole_names_of_a_path_count(tmp_path):
    touch(tmp_path, ["final_dia1.mp4", "xtrain/dia2.mp4"])
    tree = FileTree(tmp_path)
    assert tree.find("dia1.mp4") is None
    assert tree.find("train/dia2.mp4") is None
    assert tree.find("dia2.mp4") == "xtrain/dia2.mp4"


def test_two_files_for_one_path_are_refused_by_name(tmp_path):
    touch(tmp_path, ["one/a/x.wav", "two/a/x.wav"])
    with pytest.raises(InputError, match=r"two files for a/x\.wav: one/a/x\.wav, two/a/x\.wav; keep one"):
        FileTree(tmp_path).find("a/x.wav")


@pytest.mark.parametrize("wanted", ["../../etc/x.wav", "a/../../x.wav", "/etc/x.wav"])
def test_a_path_out_of_the_corpus_folder_is_refused(tmp_path, wanted):
    with pytest.raises(InputError, match=r"points outside the corpus folder"):
        FileTree(tmp_path).find(wanted)


def test_a_required_file_that_is_absent_is_an_error_with_its_purpose(tmp_path):
    touch(tmp_path, ["a.wav"])
    with pytest.raises(InputError, match=r"no file labels\.csv, which lists them; 1 other files are there"):
        FileTree(tmp_path).require("labels.csv", "which lists them")


@pytest.mark.skipif(os.name != "posix", reason="a file system with case")
def test_only_the_extension_ignores_case(tmp_path):
    touch(tmp_path, ["A.WAV"])
    tree = FileTree(tmp_path)
    assert tree.find("A.wav") == "A.WAV"
    assert tree.find("a.wav") is None


def test_every_kind_of_file_that_is_decoded_is_found():
    assert AUDIO_EXTENSIONS >= PLAIN_SUFFIXES


@pytest.mark.skipif(os.name == "nt", reason="names there are always Unicode")
def test_an_audio_file_whose_name_is_not_utf_8_is_named_with_the_remedy(tmp_path):
    touch(tmp_path, ["a.wav"])
    for name in (b"f\xfcr.wav", b"\xe9/1.wav", b"\xe9/notes.txt"):
        path = tmp_path / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.touch()
    with pytest.raises(
        InputError, match=r"2 audio files whose names are not in UTF-8.*'f\\udcfcr.wav'.*convmv"
    ) as caught:
        FileTree(tmp_path)
    str(caught.value).encode()
    (tmp_path / os.fsdecode(b"f\xfcr.wav")).rename(tmp_path / "für.wav")
    (tmp_path / os.fsdecode(b"\xe9/1.wav")).unlink()
    assert FileTree(tmp_path).paths == ["a.wav", "für.wav"]


def test_a_link_to_itself_is_no_file(tmp_path):
    touch(tmp_path, ["a.wav"])
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    (tmp_path / "x").symlink_to("y")
    (tmp_path / "y").symlink_to("x")
    assert FileTree(tmp_path).paths == ["a.wav"]
