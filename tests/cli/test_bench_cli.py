"""`emobox bench`: what it prints and writes, how it refuses."""

import json
from pathlib import Path

import pytest

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
