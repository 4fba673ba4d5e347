"""Trained probes on files: a run's own test part gets its own predictions; long, broken and foreign files."""

import csv
import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from speech import synthesize, write_wav

from emobox_hf.api.runs import Run, load_run
from emobox_hf.api.verbs import predict
from emobox_hf.cli.main import main
from emobox_hf.errors import InputError
from emobox_hf.experiments.run import run_probe
from emobox_hf.results import PROBE, RECORD, read_probes
from emobox_hf.scores import apply_temperature, compute_scores

TOLERANCE = 1e-3
"""Frames are stored in half precision; where neighbours in a batch change a last digit, that may round otherwise."""


@pytest.fixture
def linear(request_for: Any) -> Run:
    """A run of two folds by logistic regression."""
    return load_run(run_probe(request_for(folds=("fold1", "fold2"))))


def probabilities_of(table: Any, labels: list[str]) -> Any:
    return np.array([table[f"p_{label}"].to_pylist() for label in labels]).T


@pytest.mark.parametrize(
    "options",
    [
        {"head": "linear"},
        {"head": "emobox", "seeds": (0,)},
        {"head": "emobox", "layer": "1", "output_norm": True, "storage_dtype": "float32"},
        {"head": "linear", "layer": "all", "output_norm": True},
        {"head": "linear", "storage_dtype": "int8", "layer": "0"},
        {"head": "emobox", "storage_dtype": "int8", "probe_precision": "bfloat16"},
    ],
    ids=str,
)
def test_a_test_part_gets_the_predictions_of_its_run(
    request_for: Any, polish: Path, encoder: Path, options: dict[str, Any]
) -> None:
    run = load_run(run_probe(request_for(folds=("fold2",), **options)))
    stored = run.predictions
    files = [polish / path for path in stored["path"].to_pylist()]
    found = predict(run, files, fold="fold2", encoder=encoder)
    assert found.table["file"].to_pylist() == list(map(str, files))
    ours, theirs = (probabilities_of(table, run.labels) for table in (found.table, stored))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)


def test_the_weighted_sum_of_layers_scores_what_the_record_says(request_for: Any, polish: Path, encoder: Path) -> None:
    run = load_run(run_probe(request_for(folds=("fold2",), layer="all")))
    files = [polish / path for path in run.predictions["path"].to_pylist()]
    found = probabilities_of(predict(run, files, encoder=encoder, weighted=True).table, run.labels)
    references = [run.labels.index(name) for name in run.predictions["reference"].to_pylist()]
    scores = compute_scores(references, found.argmax(axis=1), 3, probabilities=found.astype(np.float32))
    (recorded,) = (one for one in run.record.layers if one.layer == "weighted")
    assert scores.values["nll"] == pytest.approx(recorded.scores["nll"], abs=TOLERANCE)
    assert np.abs(found - probabilities_of(run.predictions, run.labels)).max() > TOLERANCE


def test_without_a_fold_it_is_the_mean_of_all_probes(linear: Run, polish: Path, encoder: Path) -> None:
    files = sorted(polish.glob("m1.*"))[:4]
    one, other, both = (
        probabilities_of(predict(linear, files, encoder=encoder, **fold).table, linear.labels)
        for fold in ({"fold": "1"}, {"fold": "fold2"}, {})
    )
    np.testing.assert_allclose((one + other) / 2, both, rtol=0, atol=1e-6)


def test_calibrated_probabilities_have_the_temperature_of_the_record(linear: Run, polish: Path, encoder: Path) -> None:
    files = sorted(polish.glob("m1.*"))[:4]
    plain, calibrated = (
        probabilities_of(predict(linear, files, fold="1", encoder=encoder, calibrated=on).table, linear.labels)
        for on in (False, True)
    )
    temperature = linear.record.folds[0].calibration["temperature"]
    assert temperature != 1
    expected = apply_temperature(plain.astype(np.float32), temperature)
    np.testing.assert_allclose(calibrated, expected, rtol=0, atol=1e-6)


def test_a_long_file_is_cut_into_windows_that_are_as_files_of_their_own(
    linear: Run, encoder: Path, tmp_path: Path
) -> None:
    sound = np.concatenate([synthesize(emotion, "m9", emotion, duration_s=1.0) for emotion in "gsz"])[:41_600]
    write_wav(tmp_path / "long.wav", sound)
    found = predict(linear, tmp_path / "long.wav", encoder=encoder, window_s=1, hop_s=0.5)
    spans = list(zip(found.table["start_s"].to_pylist(), found.table["end_s"].to_pylist(), strict=True))
    assert spans == [(0, 1), (0.5, 1.5), (1, 2), (1.5, 2.5), (1.6, 2.6)]
    for number, (start_s, end_s) in enumerate(spans):
        write_wav(tmp_path / "parts" / f"{number}.wav", sound[round(start_s * 16_000) : round(end_s * 16_000)])
    parts = predict(linear, tmp_path / "parts", encoder=encoder)
    ours, theirs = (probabilities_of(one.table, linear.labels) for one in (found, parts))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)
    whole = predict(linear, tmp_path / "long.wav", encoder=encoder)
    assert (whole.table["start_s"].to_pylist(), whole.table["end_s"].to_pylist()) == ([0], [2.6])
    with pytest.raises(InputError, match="hop_s is 2: sound between windows of 1 s would be passed over"):
        predict(linear, tmp_path / "long.wav", encoder=encoder, window_s=1, hop_s=2)


def test_a_folder_gives_its_sound_of_any_kind_and_depth_in_order(
    linear: Run, encoder: Path, tmp_path: Path, polish: Path
) -> None:
    sound = synthesize("g", "m9", "x")
    (tmp_path / "in" / "deep").mkdir(parents=True)
    soundfile.write(tmp_path / "in" / "b.flac", sound, 16_000)
    soundfile.write(tmp_path / "in" / "deep" / "a.OGG", np.repeat(sound, 3), 48_000, format="OGG")
    for name in ("notes.txt", "._b.flac"):
        (tmp_path / "in" / name).write_text("no sound")
    named = tmp_path / "strange.name"
    soundfile.write(named, sound, 16_000, format="WAV")
    found = predict(linear, [tmp_path / "in", named, tmp_path / "in" / "b.flac"], encoder=encoder)
    assert found.table["file"].to_pylist() == [str(tmp_path / "in" / name) for name in ("b.flac", "deep/a.OGG")] + [
        str(named)
    ]
    with pytest.raises(InputError, match="expected sound files, found none"):
        predict(linear, encoder, encoder=encoder)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder of two good files, an empty one and one that is too short."""
    folder = tmp_path / "mixed"
    for name in ("1", "4"):
        write_wav(folder / f"{name}.wav", synthesize("g", "m9", name))
    (folder / "2.wav").touch()
    write_wav(folder / "3.wav", np.full(20, 0.1, dtype=np.float32))
    return folder


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_bad_files_are_named_and_the_others_written(
    linear: Run, encoder: Path, mixed: Path, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", "--probe", str(linear.folder), "--encoder", str(encoder), str(mixed)]
    out = tmp_path / "out" / f"emotions.{form}"
    assert main([*words, "--out", str(out), "--on-error", "skip"]) == 0
    printed = capsys.readouterr()
    assert f"{out}: 2 windows of 2 files" in printed.out
    assert [line.partition(": ")[2].partition(": ")[0] for line in printed.err.splitlines()] == [
        str(mixed / "2.wav"),
        str(mixed / "3.wav"),
    ]
    if form == "csv":
        rows = list(csv.DictReader(out.open(encoding="utf-8")))
    elif form == "jsonl":
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    else:
        rows = pq.read_table(out).to_pylist()
    columns = ["file", "start_s", "end_s", "prediction", *(f"p_{label}" for label in linear.labels)]
    assert [list(row) for row in rows] == [columns, columns]
    assert [row["file"] for row in rows] == [str(mixed / "1.wav"), str(mixed / "4.wav")]
    python = predict(linear, mixed, encoder=encoder, on_error="skip")
    assert set(python.left_out) == {str(mixed / "2.wav"), str(mixed / "3.wav")}
    for row, ours in zip(rows, python.table.to_pylist(), strict=True):
        assert row["prediction"] == ours["prediction"]
        assert float(row["p_Angry"]) == pytest.approx(ours["p_Angry"], abs=1e-6)


def test_names_that_are_no_text_or_a_formula_are_written_as_they_can_be_shown(
    linear: Run, encoder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "odd"
    write_wav(tmp_path / "x.wav", synthesize("g", "m9", "x"))
    folder.mkdir()
    for name in (b"=1+1.wav", b"\xff.wav"):
        shutil.copy(tmp_path / "x.wav", Path(os.fsdecode(os.fsencode(folder) + b"/" + name)))
    words = ["predict", "--probe", str(linear.folder), "--encoder", str(encoder)]
    for form in ("csv", "jsonl", "parquet"):
        assert main([*words, str(folder), "--out", str(tmp_path / f"x.{form}"), "--on-error", "skip"]) == 0
    (left_out,) = predict(linear, folder, encoder=encoder, on_error="skip").left_out
    assert left_out == f"{folder}/\\udcff.wav"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main([*words, "=1+1.wav", "--out", str(tmp_path / "y.csv")]) == 0
    assert (tmp_path / "y.csv").read_text(encoding="utf-8").splitlines()[1].startswith("'=1+1.wav,")


@pytest.mark.parametrize("name", ["2.wav", "3.wav"])
def test_a_bad_file_stops_and_leaves_nothing(
    linear: Run, encoder: Path, mixed: Path, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    files = [str(mixed / "1.wav"), str(mixed / name)]
    words = ["predict", "--probe", str(linear.folder), "--encoder", str(encoder), *files, "--out", str(out)]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"emobox predict: {mixed / name}: ")
    assert line.endswith("or go on without such files with --on-error skip")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_the_command_prints_a_table_or_a_line_of_json_a_window(
    linear: Run, encoder: Path, polish: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = polish / "m1.a_nie_1.wav"
    words = ["predict", str(file), "--probe", str(linear.folder / PROBE), "--encoder", str(encoder)]
    assert main([*words, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row == predict(linear, file, encoder=encoder).table.to_pylist()[0]
    assert main(words) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["file", "from", "s", "to", "s", *linear.labels, "prediction"]
    assert line.split()[3:] == [*(f"{row[f'p_{label}']:.3f}" for label in linear.labels), row["prediction"]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x.wav", "--probe", "nowhere"], "nowhere: expected a run's folder, found no such folder"),
        (["nowhere.wav"], "nowhere.wav: no such file"),
        (["m1.a_nie_1.wav", "--fold", "7"], "no probe of fold 'fold7', found those of fold1, fold2"),
        (["m1.a_nie_1.wav", "--weighted"], "no probe of layer 'weighted'"),
        (["m1.a_nie_1.wav", "--out", "x.txt"], "x.txt: no form '.txt'; known: .csv, .jsonl, .parquet"),
        (["m1.a_nie_1.wav", "--out", "x.csv", "--json"], "--json prints, --out writes: give one of them"),
        (["m1.a_nie_1.wav", "--window-s", "0"], "window_s is a number of seconds above 0, not 0.0"),
        (["m1.a_nie_1.wav", "--encoder", "nowhere"], "no encoder 'nowhere'"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line(
    linear: Run,
    encoder: Path,
    polish: Path,
    words: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(polish)
    place = [] if "--probe" in words else ["--probe", str(linear.folder)]
    named = [] if "--encoder" in words else ["--encoder", str(encoder)]
    assert main(["predict", *words, *place, *named]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_another_encoder_than_the_run_s_is_refused(linear: Run, encoder: Path, polish: Path, tmp_path: Path) -> None:
    file = polish / "m1.a_nie_1.wav"
    with pytest.raises(InputError, match=r"was a folder.*name the folder: --encoder FOLDER"):
        predict(linear, file)
    other = tmp_path / encoder.name
    shutil.copytree(encoder, other)
    settings = json.loads((other / "config.json").read_text(encoding="utf-8"))
    (other / "config.json").write_text(json.dumps({**settings, "layer_norm_eps": 1e-3}), encoding="utf-8")
    with pytest.raises(InputError, match=r"expected the encoder that the probes learned from.*found"):
        predict(linear, file, encoder=other)


def test_a_baseline_that_hears_nothing_says_nothing_of_files(request_for: Any, polish: Path) -> None:
    run = load_run(run_probe(request_for(encoder="baseline:speaker", folds=("fold1",))))
    with pytest.raises(InputError, match="sees the speaker of an utterance of its corpus, no sound"):
        predict(run, polish / "m1.a_nie_1.wav")
    heard = load_run(run_probe(request_for(encoder="baseline:duration", folds=("fold1",))))
    assert len(predict(heard, polish / "m1.a_nie_1.wav")) == 1


def test_probes_are_kept_unless_told_otherwise_and_shape_no_run(request_for: Any, polish: Path, encoder: Path) -> None:
    kept = run_probe(request_for(folds=("fold1",)))
    first = json.loads((kept / RECORD).read_text(encoding="utf-8"))
    assert (kept / PROBE).is_file()
    assert run_probe(request_for(folds=("fold1",), save_probe=False)) == kept  # finished: nothing is taken away
    assert (kept / PROBE).is_file()
    assert run_probe(request_for(folds=("fold1",), save_probe=False, overwrite=True)) == kept
    assert not (kept / PROBE).exists()
    second = json.loads((kept / RECORD).read_text(encoding="utf-8"))
    assert first["settings"] == second["settings"]
    assert [fold["scores"] for fold in first["folds"]] == [fold["scores"] for fold in second["folds"]]
    with pytest.raises(InputError, match="that run is of an earlier version, or had --no-save-probe"):
        predict(load_run(kept), polish / "m1.a_nie_1.wav", encoder=encoder)


def test_probes_that_leave_their_run_tell_all_that_is_needed(
    linear: Run, encoder: Path, polish: Path, tmp_path: Path
) -> None:
    shutil.copy(linear.folder / PROBE, tmp_path / "mine.safetensors")
    found = read_probes(tmp_path / "mine.safetensors")
    assert dataclasses.asdict(found.settings.encoder) == dataclasses.asdict(linear.settings.encoder)
    file = polish / "m1.a_nie_1.wav"
    ours, theirs = (predict(one, file, encoder=encoder).table for one in (tmp_path / "mine.safetensors", linear))
    assert ours.equals(theirs)
