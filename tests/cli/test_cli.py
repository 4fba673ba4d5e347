"""`emobox VERB` as a user types it: what it prints, what it writes, how it ends."""

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from download_server import Site, running_site

from emobox_hf.cli.main import main
from emobox_hf.corpora.manifest_csv import read_manifest
from emobox_hf.corpora.spec import list_corpora
from emobox_hf.files import cache_dir


@pytest.fixture
def polish(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "polish"))


@pytest.fixture
def home() -> Iterator[Site]:
    with running_site() as home:
        yield home


@pytest.fixture
def own_corpus(home: Site, tmp_path: Path) -> Path:
    """The spec of a corpus of three utterances, with a home on this machine."""
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as zipped:
        for name in ("s1_Angry.wav", "s2_Sad.wav", "s3_Sad.wav"):
            zipped.writestr(name, b"RIFF")
    spec = tmp_path / "own.toml"
    spec.write_text(
        'name = "own"\ntitle = "Own"\nversion = "1.0.0"\nlanguages = ["en"]\nlicence = "mine"\naccess = "open"\n'
        "[discovery]\nstrategy = 'paths'\npattern = '(?P<speaker>s\\d)_(?P<emotion>[A-Za-z]+)\\.wav'\n"
        '[labels]\nAngry = "Angry"\nSad = "Sad"\n[expected]\nutterances = 3\nspeakers = 3\n'
        f'[fetch]\nkind = "url"\nurls = ["{home.serve("/own.zip", buffer.getvalue())}"]\n',
        encoding="utf-8",
    )
    return spec


def test_list_names_every_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list_corpora()
    assert main(["list", "--json"]) == 0
    assert {row["corpus"] for row in json.loads(capsys.readouterr().out)} == set(list_corpora())


def test_show_says_what_a_corpus_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "iemocap"]) == 0
    text = capsys.readouterr().out
    assert "5531 utterances" in text
    assert "Happy (hap exc)" in text
    assert "EmoEvaluation" in text
    assert main(["show", "iemocap", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fold_sizes"][0] == {"train": 4446, "validation": None, "test": 1085}


def test_check_of_a_whole_corpus_ends_with_0(polish: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "polish", "--data-dir", str(polish)]) == 0
    assert "complete" in capsys.readouterr().out


def test_check_names_what_is_missing_double_and_unexpected(polish: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (polish / "m1.a_nie_1.wav").unlink()
    (polish / "copy").mkdir()
    shutil.copy(polish / "m2.a_nie_1.wav", polish / "copy")
    shutil.copy(polish / "m2.a_nie_1.wav", polish / "remark.wav")
    assert main(["check", "polish", "--data-dir", str(polish), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["missing"] == ["polish-m1.a_nie_1"]
    assert report["duplicates"] == {"polish-m2.a_nie_1": ["copy/m2.a_nie_1.wav", "m2.a_nie_1.wav"]}
    assert report["unexpected"] == ["remark.wav"]
    assert report["speakers"]["m1"] == 89
    assert main(["check", "polish", "--data-dir", str(polish)]) == 1
    assert "polish-m1.a_nie_1" in capsys.readouterr().out


def test_manifest_is_read_again(polish: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "manifest.csv"
    assert main(["manifest", "polish", "--data-dir", str(polish), "--out", str(out)]) == 0
    utterances = read_manifest(out)
    assert len(utterances) == 450
    assert utterances[0].key == "polish-m1.a_nie_1"
    capsys.readouterr()
    assert main(["manifest", "polish", "--data-dir", str(polish)]) == 0
    assert capsys.readouterr().out == out.read_text(encoding="utf-8")


def test_build_writes_a_repository(polish: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "emobox" / "polish"
    assert main(["build", "polish", "--data-dir", str(polish), "--out", str(out)]) == 0
    assert (out / "README.md").is_file()
    assert main(["build", "polish", "--data-dir", str(polish), "--out", str(out)]) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_fetch_lists_what_there_is_and_what_is_had_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch"]) == 0
    lines = capsys.readouterr().out.splitlines()
    first = {line.split()[0]: line for line in lines if line}
    assert "39 MB" in first["polish"]
    assert "*" not in first["polish"]
    assert "zenodo 1188976 *" in first["ravdess"]
    assert "CC BY-NC-SA 4.0" in first["ravdess"]
    assert "71 MB" in first["whisper-tiny.en"]
    assert "git lfs" in first["cremad"]
    assert "iemocap" not in first
    assert main(["fetch", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["ravdess"]["size_mb"] == 208
    assert rows["ravdess"]["tried_with"] is None
    assert {row["kind"] for row in rows.values()} == {"corpus", "encoder", "by hand"}


def test_fetch_of_a_corpus_of_one_s_own_says_what_comes_and_where_it_lies(
    home: Site, own_corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", str(own_corpus)]) == 0
    captured = capsys.readouterr()
    folder = cache_dir() / "corpora" / "own"
    assert [line.split()[0] for line in captured.out.splitlines()] == [
        "Own",
        "licence",
        "size",
        "from",
        "to",
        f"{folder}:",
    ]
    assert captured.out.endswith(f"{folder}: Own, 3 utterances; licence: mine\n")
    assert captured.err == ""  # no bar where there is no terminal
    assert main(["check", str(own_corpus)]) == 0


def test_fetch_of_something_else_ends_with_2_and_keeps_the_download(
    home: Site, own_corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_corpus.write_text(own_corpus.read_text().replace("utterances = 3", "utterances = 4"))
    assert main(["fetch", str(own_corpus)]) == 2
    assert "Own: 3 of 4 utterances came. Nothing was installed; the download is kept in" in capsys.readouterr().err
    own_corpus.write_text(own_corpus.read_text().replace("utterances = 4", "utterances = 3"))
    assert main(["fetch", str(own_corpus), "--keep-archives"]) == 0
    assert len(home.requests) == 1
    assert (cache_dir() / "downloads/own/own.zip").is_file()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["show", "iemocapp"], "did you mean 'iemocap'"),
        (["check", "iemocap"], "Fill in the electronic release form"),
        (["fetch", "iemocap"], "cannot be fetched; access: on request"),
        (["fetch", "cremad"], "cannot be fetched: its repository keeps the audio in git lfs"),
        (["fetch", "whisper-tiny"], "did you mean 'whisper-tiny.en'"),
        (["manifest", "polish", "--data-dir", "EMPTY"], "no utterance found"),
        (["build", "savee", "--data-dir", "EMPTY", "--out", "OUT"], "no utterance found"),
        (["check", "meld", "--data-dir", "EMPTY"], "no file train_sent_emo.csv"),
        (["check", "iemocap", "--data-dir", "EMPTY"], "EmoEvaluation"),
        (["probe", "--corpus", "polish", "--encoder", "hubert-lage"], "did you mean 'hubert-large'"),
        (["extract", "--corpus", "polsh", "--encoder", "x"], "did you mean 'polish'"),
    ],
    ids=" ".join,
)
def test_wrong_input_is_one_clear_error_with_exit_2(
    argv: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    argv = [{"EMPTY": str(tmp_path / "empty"), "OUT": str(tmp_path / "out")}.get(word, word) for word in argv]
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert not (tmp_path / "out").exists()


def test_probe_help_shows_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["probe", "--help"])
    assert ended.value.code == 0
    assert "--on-error" in capsys.readouterr().out


def test_split_writes_lists_that_folds_are_made_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"s{s}-{e}{i},{e},s{s}" for s in range(1, 6) for e in ("Angry", "Sad") for i in range(3)]
    (tmp_path / "own.csv").write_text("key,emotion,speaker\n" + "\n".join(rows), encoding="utf-8")
    assert main(["split", str(tmp_path / "own.csv"), "--out", str(tmp_path / "lists")]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("fold1: train 24, test 6; test speakers s")
    lists = sorted(path.name for path in (tmp_path / "lists" / "own").rglob("*.jsonl"))
    assert lists == sorted(f"own_{part}_fold_{number}.jsonl" for part in ("train", "test") for number in range(1, 6))
    assert main(["split", str(tmp_path / "own.csv"), "--json"]) == 0
    folds = json.loads(capsys.readouterr().out)
    assert [fold["shared_speakers"] for fold in folds] == [[]] * 5


def test_split_of_a_table_without_keys_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.csv").write_text("name,emotion\na,Sad\n", encoding="utf-8")
    assert main(["split", str(tmp_path / "own.csv")]) == 2
    assert "expected the columns key and emotion" in capsys.readouterr().err
