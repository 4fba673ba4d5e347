"""`emobox bench`: what it prints and writes, how it refuses."""

import json
from pathlib import Path

import pytest
import torch

from emobox_hf.cli.main import main

SMALL = ("bench", "--quick", "--device", "cpu", "--audio-s", "2", "--precisions", "no")


def test_a_table_for_each_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--parts", "encoders", "store"]) == 0
    text = capsys.readouterr().out
    assert "Extraction" in text
    assert "loop, float32" in text
    assert "Store" in text
    assert "Probes" not in text


def test_json_is_what_is_written_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    assert main([*SMALL, "--parts", "gemm", "--json", "--out", str(out)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(out.read_text(encoding="utf-8"))
    assert {product["dtype"] for product in printed["gemm"]} == {"float32"}
    assert printed["machine"]["device"] == "cpu"


def test_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--parts", "store", "--markdown"]) == 0
    assert "| utterances |" in capsys.readouterr().out


def test_each_figure_is_told_on_stderr_when_it_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*SMALL, "--parts", "store", "encoders", "--shapes", "wav2vec2-toy"]
    assert main(words) == 0
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("about ")
    assert [line.rpartition(":")[0] for line in told[1:]] == [
        "wav2vec2-toy, round 1 of 1, loop",
        "wav2vec2-toy, round 1 of 1, no",
        "store",
    ]
    assert main([*words, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_what_is_skipped_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {torch.float32: 1e12, torch.bfloat16: 1e6}
    monkeypatch.setattr("emobox_hf.bench.budget.measure_rate", lambda device, dtype: rates[dtype])
    words = ["bench", "--quick", "--device", "cpu", "--parts", "probes"]
    assert main(words) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "skipped" in line]
    assert line.startswith("skipped: probes in bfloat16 (about ")
    assert line.endswith("; --slow measures it too")
    assert main([*words, "--json"]) == 0
    told = capsys.readouterr()
    assert [one["what"] for one in json.loads(told.out)["skipped"]] == ["probes in bfloat16"]
    assert line in told.err.splitlines()
    assert main([*words, "--slow"]) == 0
    assert "skipped" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shapes", "whisper-tin"], "did you mean 'whisper-tiny'"),
        (["--encoder", "/no/such/encoder"], "no encoder '/no/such/encoder'"),
        (["--rounds", "0"], "--rounds"),
        (["--device", "quantum"], "no device 'quantum'"),
        (["--scratch", "/no/such/folder"], "--scratch"),
    ],
)
def test_wrong_options_end_with_2_in_one_line(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SMALL, "--parts", "encoders", *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
