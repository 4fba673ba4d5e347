"""`emobox encoders` and `emobox convert` as a user types them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from emotion2vec_checkpoints import CASES, make_weights

from emobox_hf.cli.main import main
from emobox_hf.encoders.baselines.table import BASELINES
from emobox_hf.encoders.known.identity import EncoderIdentity
from emobox_hf.encoders.known.table import KNOWN_ENCODERS
from emobox_hf.errors import InputError
from emobox_hf.experiments.plan import resolve_encoder
from emobox_hf.files import sha256_of_file
from emobox_hf.probes.heads import EmoboxHead
from emobox_hf.results import EncoderSettings
from emobox_hf.sources.fetch_encoder import encoder_dir


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    weights = {name: torch.from_numpy(array) for name, array in make_weights(CASES["emotion2vec+"]).items()}
    torch.save({"model": weights}, tmp_path / "model.pt")
    return tmp_path / "model.pt"


def test_encoders_names_every_encoder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["encoders"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert lines.keys() >= KNOWN_ENCODERS.keys() | BASELINES.keys()
    assert "opensmile, extra egemaps" in lines["baseline:egemaps"]
    assert "microsoft/wavlm-large" in lines["wavlm-large"]
    assert lines["emotion2vec"].endswith("iemocap mead meld msppodcast")
    assert "14 of them" in lines["xls-r-300m"]
    assert " ? " in lines["emotion2vec-plus-base"]


def test_encoders_as_json_say_where_they_are_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["encoders", "--json"]) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert {name for name, row in rows.items() if row["kind"] == "encoder"} == KNOWN_ENCODERS.keys()
    assert {name for name, row in rows.items() if row["kind"] == "baseline"} == BASELINES.keys()
    assert rows["wavlm-large"]["revision"] == KNOWN_ENCODERS["wavlm-large"].revision
    assert rows["emotion2vec-plus-base"]["languages"] is None
    assert "EmoBox" in rows["emotion2vec-plus-seed"]["trained_on_source"]


def test_convert_writes_a_folder_and_says_from_what(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made" / "emotion2vec"
    assert main(["convert", str(checkpoint), "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "3 blocks of width 32" in text
    assert sha256_of_file(checkpoint) in text
    assert {path.name for path in out.iterdir()} == {"config.json", "model.safetensors", "preprocessor_config.json"}
    assert main(["convert", str(checkpoint), "--out", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("emotion2vek", "did you mean 'emotion2vec'"),
        ("wavlm-large", "no encoder 'wavlm-large' to convert"),
        ("data2vec2-base", "data2vec2-base has 12 blocks of width 768"),
    ],
)
def test_convert_refuses_an_id_that_the_checkpoint_is_not(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    assert main(["convert", str(checkpoint), "--out", str(tmp_path / "out"), "--id", name]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of an encoder of the table, which has the checkpoint's size for once."""
    known = replace(KNOWN_ENCODERS["emotion2vec-plus-seed"], n_layers=3, dim=32)
    monkeypatch.setitem(KNOWN_ENCODERS, known.id, known)
    return known.id


def resolve(name: str) -> tuple[EncoderIdentity, EncoderSettings]:
    return resolve_encoder(EncoderSettings(name=name), EmoboxHead())


def test_convert_with_an_id_makes_an_encoder_of_that_name(checkpoint: Path, small: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"emobox convert CHECKPOINT --id {small}"):
        resolve(small)
    assert main(["convert", str(checkpoint), "--id", small]) == 0
    identity, settings = resolve(small)
    assert Path(identity.name) == encoder_dir(small)
    assert (settings.name, identity.known_id) == (small, small)


def test_a_converted_folder_keeps_its_name_wherever_it_lies(checkpoint: Path, small: str, tmp_path: Path) -> None:
    assert main(["convert", str(checkpoint), "--out", str(tmp_path / "elsewhere"), "--id", small]) == 0
    assert resolve(str(tmp_path / "elsewhere"))[1].name == small
    assert main(["convert", str(checkpoint), "--out", str(tmp_path / "nameless")]) == 0
    assert resolve(str(tmp_path / "nameless"))[1].name == "nameless"


def test_convert_wants_an_id_or_a_folder(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(checkpoint)]) == 2
    assert "--id" in capsys.readouterr().err
