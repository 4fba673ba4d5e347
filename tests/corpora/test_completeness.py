"""Complete is what holds exactly the published names, as sound: one rule, whoever asks."""

import dataclasses
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from layout import LISTS, has_lists, lay_out, read_published, touch

from emobox_hf.cli.main import main
from emobox_hf.corpora.audit import audit_partition
from emobox_hf.corpora.configurations import list_configs
from emobox_hf.corpora.discovery import matching
from emobox_hf.corpora.folds import partition
from emobox_hf.corpora.manifest import build_manifest, search_corpus
from emobox_hf.corpora.spec import CorpusSpec, list_corpora, load_spec
from emobox_hf.errors import InputError
from emobox_hf.files import sha256_of_keys

WORDS = ("nie", "oddaj", "podaj", "stop", "tak", "trzymaj")
POLISH = [f"m{s}.{e}_{word}_{take}.wav" for s in range(1, 6) for e in "ans" for word in WORDS for take in range(1, 6)]
NAMED = [name for name in list_corpora() if load_spec(name).expected.keys or load_spec(name).expected.keys_sha256]
COUNTED = {"mesd", "msppodcast", "oreau", "shemo", "turevdb", "urdu"}


def made_of_examples(spec: CorpusSpec, keys: set[str]) -> CorpusSpec:
    """A specification whose whole corpus are its examples, published under `keys`."""
    expected = dataclasses.replace(
        spec.expected, utterances=len(keys), keys=(), keys_sha256=sha256_of_keys(keys), aliases={}
    )
    return dataclasses.replace(spec, expected=expected)


def test_names_are_known_of_all_corpora_but_those_whose_lists_nobody_here_has() -> None:
    assert set(list_corpora()) - set(NAMED) == COUNTED


@pytest.mark.parametrize("name", list_corpora())
def test_a_file_under_another_name_is_not_the_corpus(name: str, tmp_path: Path) -> None:
    spec = load_spec(name)
    lay_out(spec, spec.examples, tmp_path)
    keys = {example.key for example in spec.examples}
    assert build_manifest(made_of_examples(spec, keys), tmp_path).is_complete
    renamed = made_of_examples(spec, {*sorted(keys)[1:], f"{name}-of-another-name"})
    manifest = search_corpus(renamed, tmp_path)
    assert not manifest.is_complete
    assert manifest.verdict == "not complete: as many utterances as expected, but not under the published names"
    for allow_missing in (False, True):
        with pytest.raises(InputError, match="as many as expected, but not those published"):
            build_manifest(renamed, tmp_path, allow_missing=allow_missing)


@pytest.mark.parametrize("config", list_configs("polish"))
def test_no_configuration_loads_a_copy_with_a_renamed_file(config: str, tmp_path: Path) -> None:
    import datasets

    import emobox_hf  # noqa: F401 - makes the id known

    touch(tmp_path, [*POLISH[1:], "m1.a_nie_6.wav"])
    message = r"449 of 450.*1 missing: polish-m1\.a_nie_1.*another name: polish-m1\.a_nie_6"
    with pytest.raises(InputError, match=message):
        datasets.load_dataset("emobox/polish", config, data_dir=str(tmp_path))


def test_check_names_what_was_renamed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    touch(tmp_path, [*POLISH[1:], "m1.a_nie_6.wav"])
    assert main(["check", "polish", "--data-dir", str(tmp_path), "--all"]) == 1
    text = capsys.readouterr().out
    assert "not complete: 1 utterance fewer than expected" in text
    assert "polish-m1.a_nie_1" in text
    assert "polish-m1.a_nie_6" in text


@pytest.mark.skipif(not has_lists("emodb"), reason="EmoBox's lists are not beside this checkout")
@pytest.mark.parametrize("folds_dir", [None, LISTS])
def test_a_renamed_file_of_emodb_is_found_with_and_without_the_lists(tmp_path: Path, folds_dir: Path | None) -> None:
    spec = load_spec("emodb")
    lay_out(spec, read_published(spec), tmp_path)
    assert search_corpus(spec, tmp_path).is_complete
    (file,) = tmp_path.rglob("03a01Fa.wav")
    file.rename(file.with_name("03a01Fz.wav"))
    manifest = search_corpus(spec, tmp_path, folds_dir=folds_dir)
    assert not manifest.is_complete
    assert ("emodb-03a01Fa" in manifest.missing) == (folds_dir is not None)


@pytest.mark.skipif(not has_lists("cremad"), reason="EmoBox's lists are not beside this checkout")
def test_a_name_that_copies_on_other_sites_have_is_the_published_one(tmp_path: Path) -> None:
    spec = load_spec("cremad")
    lay_out(spec, read_published(spec), tmp_path)
    (file,) = tmp_path.rglob("1040_ITH_SAD_XX.wav")
    file.rename(file.with_name("1040_ITH_SAD_X.wav"))
    manifest = search_corpus(spec, tmp_path)
    assert manifest.is_complete
    assert "cremad-1040-ITH-SAD-XX" in {u.key for u in manifest.utterances}


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12345\n"
PAGE = b"\n<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title>"
UNSOUND = {
    "git-lfs pointer, not sound: run `git lfs pull`": POINTER,
    "empty (0 bytes)": b"",
    "web page, not sound": PAGE,
    "JSON, not sound": b'{"message": "rate limit exceeded"}',
    "archive, not sound": b"PK\x03\x04 and so on",
}


@pytest.mark.parametrize("cause", UNSOUND)
def test_files_that_cannot_be_sound_are_named_with_their_cause(
    cause: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    touch(tmp_path, POLISH)
    (tmp_path / POLISH[0]).write_bytes(UNSOUND[cause])
    assert main(["check", "polish", "--data-dir", str(tmp_path)]) == 1
    assert f"1 file: {cause}" in capsys.readouterr().out
    with pytest.raises(InputError) as raised:
        build_manifest("polish", tmp_path)
    assert cause in str(raised.value)
    manifest = build_manifest("polish", tmp_path, allow_missing=True)
    assert manifest.why_missing("polish-m1.a_nie_1").startswith(cause)


def test_a_clone_without_lfs_is_named_as_a_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    touch(tmp_path, POLISH, POINTER)
    assert main(["check", "polish", "--data-dir", str(tmp_path), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["explanation"].startswith("450 files: git-lfs pointer, not sound: run `git lfs pull`")
    with pytest.raises(InputError, match=r"no utterance found.*450 files: git-lfs pointer"):
        build_manifest("polish", tmp_path, allow_missing=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    touch(tmp_path, POLISH)
    (tmp_path / POLISH[0]).chmod(0)
    assert "cannot be read" in search_corpus(load_spec("polish"), tmp_path).explanation


@pytest.mark.parametrize(
    ("content", "cause"), [(POINTER, "git-lfs pointer, not a table"), (PAGE, "web page, not a table")]
)
def test_a_table_without_its_content_is_named(content: bytes, cause: str, tmp_path: Path) -> None:
    spec = load_spec("meld")
    lay_out(spec, spec.examples, tmp_path)
    next(tmp_path.rglob("train_sent_emo.csv")).write_bytes(content)
    with pytest.raises(InputError, match=rf"train_sent_emo\.csv, which lists the corpus's utterances: {cause}"):
        search_corpus(spec, tmp_path)


def test_files_and_causes_are_listed_in_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    touch(tmp_path, POLISH[9:])
    touch(tmp_path, POLISH[9:12], POINTER)
    assert main(["check", "polish", "--data-dir", str(tmp_path), "--all"]) == 1
    text = capsys.readouterr().out
    assert "438 of 450 utterances" in text
    for path in POLISH[:12]:
        assert f"\n    polish-{path.removesuffix('.wav')}" in text
    assert f"\n    {POLISH[9]}: git-lfs pointer" in text


@pytest.mark.skipif(not has_lists("mer2023"), reason="EmoBox's lists are not beside this checkout")
def test_lists_of_a_part_of_the_corpus_leave_nothing_else_out(tmp_path: Path) -> None:
    spec = load_spec("mer2023")
    rows = read_published(spec)
    lay_out(spec, rows, tmp_path)
    (tmp_path / rows[0].path).unlink()
    manifest = search_corpus(spec, tmp_path, folds_dir=LISTS)
    assert (manifest.n_absent, list(manifest.missing), manifest.unlisted) == (1, [rows[0].key], [])


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        (("", "again/deeper/"), "again"),
        (("a_48k/", "b_192k/"), "a_48k"),
        (("set/", "set/set/"), "set/set"),
    ],
)
def test_a_corpus_that_is_there_twice_names_the_two_folders(
    folders: tuple[str, str], said: str, tmp_path: Path
) -> None:
    touch(tmp_path, [f"{folder}{path}" for folder in folders for path in POLISH])
    with pytest.raises(InputError, match="Every utterance is there twice") as raised:
        build_manifest("polish", tmp_path)
    assert f"--data-dir {tmp_path / said} takes one" in str(raised.value)
    assert build_manifest("polish", tmp_path / said).is_complete


def test_a_corpus_twice_of_which_one_copy_is_in_two_folders_names_the_other(tmp_path: Path) -> None:
    touch(tmp_path, [f"192k_{n % 2 + 1}/{path}" for n, path in enumerate(POLISH)])
    touch(tmp_path, [f"48k/{path}" for path in POLISH])
    with pytest.raises(InputError, match=r"in \S+192k_1, \S+192k_2 and in \S+48k; --data-dir \S+48k takes one"):
        build_manifest("polish", tmp_path)


def test_three_copies_are_no_pair(tmp_path: Path) -> None:
    touch(tmp_path, [f"{folder}{path}" for folder in ("", "again/", "more/again/") for path in POLISH])
    with pytest.raises(InputError, match="450 keys with two files or more") as raised:
        build_manifest("polish", tmp_path)
    assert "there twice" not in str(raised.value)


def test_a_folder_that_holds_the_release_needed_too_is_searched(tmp_path: Path) -> None:
    spec = load_spec("msppodcast")
    lay_out(spec, spec.examples, tmp_path)
    touch(tmp_path, ["Labels/labels_consensus.csv"])
    assert len(search_corpus(spec, tmp_path).utterances) == len(spec.examples)


def test_files_that_no_pattern_fits_are_named_with_what_was_expected(tmp_path: Path) -> None:
    touch(tmp_path, ["clips/one.wav", "clips/two.wav"])
    message = r"The spec's pattern fits none of 2 audio files, such as clips/one\.wav; expected were paths such as"
    with pytest.raises(InputError, match=message):
        build_manifest("polish", tmp_path)


def test_another_release_is_named_with_the_one_that_is_needed(tmp_path: Path) -> None:
    touch(tmp_path, ["Labels/labels_consensus.csv", "Audios/MSP-PODCAST_0001_0008.wav"])
    with pytest.raises(InputError, match=r"labels_consensus\.csv is of a later release.*release 1\.8"):
        build_manifest("msppodcast", tmp_path)


def test_the_same_files_of_another_type_are_recognised(tmp_path: Path) -> None:
    spec = load_spec("enterface")
    touch(tmp_path, [str(Path(example.path).with_suffix(".wav")) for example in spec.examples])
    with pytest.raises(InputError, match=r"names of utterances but are \.wav, where EmoBox's lists have \.avi"):
        build_manifest(spec, tmp_path)


def test_the_same_files_in_other_folders_are_recognised(tmp_path: Path) -> None:
    spec = load_spec("esd")
    touch(tmp_path, [Path(example.path).name for example in spec.examples])
    with pytest.raises(InputError, match="names of utterances but lie in other folders"):
        build_manifest(spec, tmp_path)


def test_audio_of_a_table_in_another_folder_is_recognised(tmp_path: Path) -> None:
    spec = load_spec("emozionalmente")
    lay_out(spec, spec.examples, tmp_path)
    (tmp_path / "audio").rename(tmp_path / "clips")
    with pytest.raises(InputError, match=r"names of utterances elsewhere.*clips/.*, where audio/.* belongs"):
        build_manifest(spec, tmp_path)


def test_a_pattern_that_backtracks_for_ever_is_stopped_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "LIMIT_S", 0.5)
    discovery = dataclasses.replace(load_spec("polish").discovery, pattern=r"(?P<emotion>(a+)+)b")
    slow = dataclasses.replace(load_spec("polish"), discovery=discovery, file="./mine.toml")
    touch(tmp_path, ["aaa.wav", f"{'a' * 40}.wav", "z.wav"])

    def search() -> str:
        with pytest.raises(InputError) as raised:
            search_corpus(slow, tmp_path)
        return str(raised.value)

    with ThreadPoolExecutor(1) as pool:
        for message in (search(), pool.submit(search).result()):  # in any thread, as servers and notebooks have
            assert re.search(r"mine\.toml: discovery\.pattern does not come to an end on 'a{40}\.wav'", message)


def test_an_occasion_that_backtracks_for_ever_is_stopped_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "LIMIT_S", 0.5)
    touch(tmp_path, POLISH)
    fold = partition(build_manifest("polish", tmp_path), "fold1")
    slow = dataclasses.replace(load_spec("polish"), occasions={"day": r"^(\w+-?)+\.x_"}, file="./mine.toml")
    longer = {
        split: tuple(dataclasses.replace(u, key=f"{'a' * 60}{u.key}") for u in members)
        for split, members in fold.splits.items()
    }
    with pytest.raises(InputError, match=r"occasions\.day does not come to an end on 'a+polish-m"):
        audit_partition(dataclasses.replace(fold, splits=longer), slow)
    drawn = dataclasses.replace(slow.drawn, si_keeps="day")
    manifest = dataclasses.replace(
        build_manifest("polish", tmp_path), spec=dataclasses.replace(slow, drawn=drawn), utterances=longer["train"]
    )
    with pytest.raises(InputError, match=r"occasions\.day does not come to an end"):
        partition(manifest, "si_fold1")
