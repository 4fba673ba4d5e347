"""`emobox audit` and `emobox check --audio` as a user types them."""

import json
import shutil
from pathlib import Path

import pytest
from layout import lay_out
from speech import synthesize, write_wav

from emobox_hf.cli.main import main
from emobox_hf.corpora.spec import Example, list_corpora, load_spec


@pytest.fixture
def polish(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "data" / "polish"))


def test_audit_of_independent_folds_ends_with_0(polish: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "polish", "--data-dir", str(polish)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if line.startswith("fold1")] == [
        ["fold1", "90", "0/1", "6/6", "0%", "independent"]
    ]


def test_audit_of_one_configuration_shows_every_pair(polish: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "polish", "fold2", "--data-dir", str(polish)]) == 0
    text = capsys.readouterr().out
    assert "speaker-independent: yes, none of 1 speakers of test" in text
    assert "text-independent: no, 6 of 6 sentences" in text
    assert "recordings: not compared" in text
    assert "m1, m3, m4, m5" in text  # speakers of validation that are also in train


def test_audit_of_a_leak_ends_with_1(polish: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "polish", "cross_corpus", "--data-dir", str(polish)]) == 2  # lacks an emotion
    capsys.readouterr()
    shutil.copy(polish / "m1.a_nie_1.wav", polish / "m2.a_nie_1.wav")
    assert main(["audit", "polish", "--data-dir", str(polish)]) == 0  # nobody listened
    capsys.readouterr()
    assert main(["audit", "polish", "--data-dir", str(polish), "--audio", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert ["polish-m1.a_nie_1", "polish-m2.a_nie_1"] in report["copies"]
    verdicts = {audit["config"]: audit["verdict"] for audit in report["audits"]}
    assert sorted(verdicts.values()) == ["independent", "independent", "independent", "leak", "leak"]
    assert main(["audit", "polish", "--data-dir", str(polish), "--audio"]) == 1
    assert "polish-m1.a_nie_1 = polish-m2.a_nie_1" in capsys.readouterr().out


def test_audit_without_speakers_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = load_spec("resd")
    rows = [
        Example(
            path=f"{part}/04_fear_happiness {letter}_{number}.wav",
            key="",
            raw_emotion=emotion,
            split=part,
        )
        for part, number in (("train", "010"), ("train", "020"), ("test", "030"))
        for letter, emotion in (("f", "fear"), ("h", "happiness"))
    ]
    lay_out(spec, rows, tmp_path / "resd")
    assert main(["audit", "resd", "fold1", "--data-dir", str(tmp_path / "resd"), "--allow-missing"]) == 1
    text = capsys.readouterr().out
    assert "speaker-independent: cannot tell" in text
    assert "04_fear_happiness" in text


def test_audit_of_all_shows_which_corpora_are_here(
    polish: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "--all"]) == 1  # nothing is shown
    capsys.readouterr()
    monkeypatch.setenv("EMOBOX_DATA_DIR", str(polish.parent))
    assert main(["audit", "--all"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert set(list_corpora()) <= set(lines)
    assert lines["polish"].split() == ["polish", "5", "0/5", "30/30", "0%", "independent"]
    assert lines["iemocap"].endswith("not here")
    (polish.parent / "iemocap").mkdir()
    assert main(["audit", "--all", "--json"]) == 1  # a folder with nothing in it is no proof
    rows = {row["corpus"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["iemocap"]["verdict"] == "not audited"
    assert "EmoEvaluation" in rows["iemocap"]["error"]
    assert len(rows["polish"]["audits"]) == 5
    assert rows["aesdd"]["verdict"] == "not here"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["audit"], "name one corpus, or give --all"),
        (["audit", "polish", "--all"], "name one corpus, or give --all"),
        (["audit", "--all", "--data-dir", "."], "one corpus's folder"),
        (["audit", "polsh"], "did you mean 'polish'"),
        (["audit", "polish", "fold7", "--data-dir", "POLISH"], "no configuration 'fold7'"),
        (["audit", "polish", "all", "--data-dir", "POLISH"], "no test part to audit"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_ends_with_2(
    argv: list[str], message: str, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(whole) if word == "POLISH" else word for word in argv]) == 2
    assert message in capsys.readouterr().err


def test_check_with_audio_names_what_does_not_decode(polish: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "polish", "--data-dir", str(polish), "--audio"]) == 0
    text = capsys.readouterr().out
    assert "0.05 h in 450 files" in text
    assert "16000 Hz: 450" in text
    whole = (polish / "m1.a_nie_1.wav").read_bytes()
    (polish / "m1.a_nie_1.wav").write_bytes(whole[: len(whole) // 2])
    write_wav(polish / "m1.a_nie_2.wav", synthesize("a", "m1", "long", 31.0), 8000)
    assert main(["check", "polish", "--data-dir", str(polish)]) == 0
    capsys.readouterr()
    assert main(["check", "polish", "--data-dir", str(polish), "--audio"]) == 1
    text = capsys.readouterr().out
    assert "1 do not decode" in text
    assert "polish-m1.a_nie_2 (62 s)" in text
    assert main(["check", "polish", "--data-dir", str(polish), "--audio", "--json"]) == 1
    sound = json.loads(capsys.readouterr().out)["audio"]
    assert list(sound["broken"]) == ["polish-m1.a_nie_1"]
    assert sound["sample_rates_hz"] == {"8000": 1, "16000": 448}
