"""`emobox label`, `balance` and `report noise --predictions` as a user types them, and a probe on what was drawn."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from tiny_classifiers import save_classifier
from tiny_encoders import saved
from toy_corpora import make_corpus
from toy_predictions import write_toy_predictions

from emobox_hf.cli.main import main
from emobox_hf.corpora.manifest import Manifest, build_manifest
from emobox_hf.corpora.spec import load_spec
from emobox_hf.errors import InputError
from emobox_hf.experiments.plan import draw_pair
from emobox_hf.experiments.request import make_request, parse_request
from emobox_hf.experiments.run import run_probe
from emobox_hf.report.agreement import judge
from emobox_hf.report.collect import find_runs
from emobox_hf.report.noise import noise_curve
from emobox_hf.results import read_record


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Models this small only wait for each other's threads where the cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two corpora that share four labels."""
    folder = tmp_path_factory.mktemp("corpora")
    for name in ("alpha", "beta"):
        make_corpus(folder, name, n_each=3)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    labels = [f"LABEL_{number}" for number in range(4)]
    return str(save_classifier(tmp_path_factory.mktemp("models") / "tiny", "hubert-layer", labels=labels))


MAP = ["--map", "LABEL_0=Angry", "LABEL_1=happy", "LABEL_2=Neutral", "LABEL_3=sad"]


def corpus(place: Path, name: str) -> list[str]:
    return [str(place / f"{name}.toml"), "--data-dir", str(place / name)]


def manifest_of(place: Path, name: str) -> Manifest:
    return build_manifest(load_spec(str(place / f"{name}.toml")), place / name)


def test_label_writes_a_row_for_every_utterance(
    place: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "p.parquet"
    assert main(["label", *corpus(place, "alpha"), "--model", model, "--out", str(out)]) == 2
    assert "--map LABEL_0=Angry" in capsys.readouterr().err
    assert not out.exists()
    words = ["label", *corpus(place, "alpha"), "--model", model, "--out", str(out), "--workers", "0", *MAP]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "LABEL_1 is Happy" in text
    assert "48 utterances, 0 of them without a prediction" in text
    assert pq.read_table(out).num_rows == 48
    assert main([*words, "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert (table["utterances"], table["labels"]["LABEL_3"], table["corpus"]) == (48, "Sad", "alpha")
    assert main(["label", *corpus(place, "alpha"), "--model", model, "--out", str(out), "--map", "LABEL_0"]) == 2
    assert "LABEL=EMOTION" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    words[words.index(str(out))] = str(tmp_path / "file" / "p.parquet")
    assert main(words) == 2
    assert "file" in capsys.readouterr().err


def test_a_drawn_set_is_probed_and_another_is_another_run(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, out = manifest_of(place, "beta"), tmp_path / "set.json"
    heard = {u.key: "Angry" for u in manifest.utterances if u.emotion == "Sad" and u.key.endswith("_0")}
    file = str(write_toy_predictions(tmp_path / "p.parquet", manifest, heard=heard))
    words = ["balance", *corpus(place, "beta"), "--predictions", file, "--out", str(out), "--per-emotion", "8"]
    assert main([*words, "--speakers", "5"]) == 2
    assert "cannot be shared equally by 5" in capsys.readouterr().err
    assert main([*words, "--speakers", "8"]) == 2
    assert "8 speakers with 1 utterances of each emotion were asked for, 4 of 4" in capsys.readouterr().err
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "32 utterances, 4 speakers with 2 of each of 4 emotions" in text
    assert "annotation and prediction disagree           4" in text
    folders, digests = [], []
    for seed in ("0", "1"):
        assert main([*words, "--seed", seed, "--json"]) == 0
        digests.append(json.loads(capsys.readouterr().out)["sha256"])
        request = make_request(
            encoder=str(saved("wav2vec2-group")),
            train=(str(place / "alpha.toml"),),
            test=str(place / "beta.toml"),
            test_set=str(out),
            data_dir=place,
            head="linear",
            features=tmp_path / "features",
            output=tmp_path / "runs",
        )
        folders.append(run_probe(request))
        capsys.readouterr()
    records = [read_record(folder) for folder in folders]
    assert digests[0] != digests[1]
    assert [record.settings.partition.test_set for record in records] == [f"sha256:{one}" for one in digests]
    assert [record.folds[0].digests["test"] for record in records] == digests
    assert f"set.json, sha256:{digests[0]}, of what toy agrees with" in records[0].folds[0].source
    assert records[0].settings.partition.test_set_chosen_by == "toy"
    assert [record.folds[0].n_test for record in records] == [32, 32]


def test_balance_by_a_model_keeps_its_predictions(
    place: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "set.json"
    words = ["balance", *corpus(place, "alpha"), "--model", model, "--out", str(out), "--workers", "0", *MAP]
    code = main(words)  # a random model may agree with too little
    assert pq.read_table(tmp_path / "set.predictions.parquet").num_rows == 48
    assert out.exists() == (code == 0)
    assert main(["balance", *corpus(place, "alpha"), "--model", model, "--out", str(tmp_path / "set.txt")]) == 2
    assert "ends in .json" in capsys.readouterr().err


def test_balance_refuses_predictions_and_emotions_that_do_not_fit(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(write_toy_predictions(tmp_path / "p.parquet", manifest_of(place, "beta")))
    table = pq.read_table(file)
    pq.write_table(table.slice(8), tmp_path / "less.parquet")
    words = ["balance", *corpus(place, "beta"), "--out", str(tmp_path / "set.json"), "--predictions"]
    assert main([*words, str(tmp_path / "less.parquet")]) == 2
    assert "8 keys are missing: beta-s0-Angry_0" in capsys.readouterr().err
    assert main([*words, file, "--emotions", "Angry", "Fear"]) == 2
    assert "beta has no label Fear" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    words[words.index(str(tmp_path / "set.json"))] = str(tmp_path / "file" / "set.json")
    assert main([*words, file]) == 2


def test_the_report_of_noise_takes_predictions(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emobox_hf.audio.read_waveform", lambda *_, **__: pytest.fail("sound was read"))
    monkeypatch.setattr("emobox_hf.audio.read_info", lambda *_, **__: pytest.fail("sound was read"))
    files = []
    for name in ("alpha", "beta"):
        manifest = manifest_of(place, name)
        heard = {manifest.utterances[0].key: "Sad"} if name == "beta" else {}
        files.append(str(write_toy_predictions(tmp_path / f"{name}.parquet", manifest, heard=heard)))
    words = ["report", "noise", str(tmp_path / "runs"), "--json"]
    names = [str(place / f"{name}.toml") for name in ("alpha", "beta")]
    assert main([*words, "--data-dir", str(place), "--predictions", *files, "--corpus", *names]) == 0
    overview, *others = json.loads(capsys.readouterr().out)
    assert [row["corpus"] for row in overview["rows"]] == ["alpha", "beta", "all corpora"]
    assert [row["kappa"] for row in overview["rows"]] == ["1.00", "0.97", "0.99"]
    assert len(others) == 6
    assert main([*words, "--data-dir", str(place / "beta"), "--predictions", files[0], "--corpus", names[1]]) == 2
    assert "expected predictions of beta, found those of alpha" in capsys.readouterr().err
    assert main([*words, "--predictions", *files, "--corpus", names[1]]) == 2
    assert "2 files, 1 corpora" in capsys.readouterr().err
    assert main(["report", "layers", "--predictions", files[0], "--corpus", names[0]]) == 2
    assert "go with the kind noise" in capsys.readouterr().err


def test_the_parser_takes_a_file_as_test_set() -> None:
    request = parse_request(
        ["--train", "iemocap", "--test", "meld", "--test-set", "./set.json", "--encoder", "x"], prog="run_probe.py"
    )
    assert request.data.test_set == "./set.json"
    with pytest.raises(InputError, match=r"no test set './set.json'"):
        draw_pair(request)


def test_without_planted_label_errors_a_probe_scores_higher(tmp_path: Path) -> None:
    path, emotions = make_corpus(tmp_path, "noisy", mislabelled=1), ("Angry", "Happy", "Neutral", "Sad")
    manifest = build_manifest(load_spec(str(path)), tmp_path / "noisy")
    # What is heard: of each speaker and emotion, one utterance sounds like the next emotion.
    heard = {u.key: emotions[(emotions.index(u.emotion) + 1) % 4] for u in manifest.utterances if u.key.endswith("_0")}
    file = write_toy_predictions(tmp_path / "p.parquet", manifest, heard=heard)
    request = make_request(
        corpus=str(path),
        encoder=str(saved("wav2vec2-group")),
        folds=("random",),
        data_dir=tmp_path / "noisy",
        head="linear",
        features=tmp_path / "features",
        output=tmp_path / "runs",
    )
    (run,) = find_runs(run_probe(request))
    judged = judge(str(path), file, data_dir=tmp_path / "noisy")
    ranking = [doubt.key for doubt in judged.list_doubts()]
    whole, without = noise_curve(run, (0.0, 0.2), ranking=ranking, ranked_by="toy").rows
    assert set(ranking[:16]) == heard.keys()
    assert (whole[1], without[1]) == (80, 64)
    assert without[2].value > whole[2].value + 5
    assert without[2].value > without[4].value
