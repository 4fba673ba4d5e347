"""The whole path, on a complete corpus of synthetic speech with a small random encoder."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from speech import synthesize, write_wav

from emobox_hf.cli.main import main
from emobox_hf.cli.probe import run_and_show
from emobox_hf.errors import InputError
from emobox_hf.experiments import steps
from emobox_hf.experiments.plan import plan_run
from emobox_hf.experiments.request import SECTIONS, build_parser, make_request, parse_request
from emobox_hf.experiments.run import run_probe
from emobox_hf.files import cache_dir, sha256_of_keys
from emobox_hf.options import list_options
from emobox_hf.results import read_record
from emobox_hf.scores import compute_scores


def test_a_run_writes_a_record_and_predictions_that_agree(request_for: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run_and_show(request_for())
    record = read_record(folder)
    table = pq.read_table(folder / "predictions.parquet").to_pylist()
    assert [fold.fold for fold in record.folds] == ["fold1", "fold2", "fold3", "fold4", "fold5"]
    assert record.labels == ["Angry", "Neutral", "Fear"]
    assert len(table) == 450
    for fold in record.folds:
        rows = [row for row in table if row["fold"] == fold.fold]
        assert sha256_of_keys(row["key"] for row in rows) == fold.digests["test"]
        references = [record.labels.index(row["reference"]) for row in rows]
        predictions = [record.labels.index(row["prediction"]) for row in rows]
        assert compute_scores(references, predictions, 3).ua == fold.scores["ua"]
        probabilities = np.array([[row[f"p_{label}"] for label in record.labels] for row in rows])
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
        assert probabilities.argmax(axis=1).tolist() == predictions
    uas = [fold.scores["ua"] for fold in record.folds]
    summary = record.summary["ua"]
    assert (summary.mean, summary.std) == pytest.approx((np.mean(uas), np.std(uas, ddof=1)))
    assert summary.std_seeds is None
    assert summary.interval is not None
    assert (summary.interval.unit, summary.interval.n_units) == ("speakers", 5)
    assert summary.interval.low < summary.mean < summary.interval.high
    assert record.summary["ua"].mean > 0.6  # the synthetic emotions differ in pitch and level; chance is 0.33
    printed = capsys.readouterr().out
    assert f"{100 * record.summary['ua'].mean:.1f}" in printed
    assert "whisper-large-v3" in printed
    assert printed.rstrip().endswith("record.json")


def test_a_record_states_what_shapes_its_scores(request_for: Any) -> None:
    record = read_record(run_probe(request_for(head="emobox", seeds=(0, 1), folds=("fold2",))))
    settings = record.settings
    assert settings.tested == settings.partition.name == "polish"
    assert settings.encoder.identity.startswith("sha256:")
    assert settings.probe.settings()["learning_rates"] == [1e-3, 1e-4]
    assert settings.partition.digests == {"fold2": record.folds[0].digests, "fold2 seed 1": record.folds[1].digests}
    assert set(record.folds[0].digests) == {"train", "validation", "test"}
    assert [(fold.fold, fold.seed) for fold in record.folds] == [("fold2", 0), ("fold2", 1)]
    assert record.folds[0].source == "test speakers m2"
    assert record.folds[0].audit["verdict"] == "independent"
    assert {candidate["choice"]["learning_rate"] for candidate in record.folds[0].candidates} == {1e-3, 1e-4}
    assert record.versions["emobox-hf"]
    assert record.machine["peak_memory_mb"] > 0
    assert "regularisation" not in settings.probe.settings()


def test_a_seed_draws_its_validation_part_unless_all_are_to_share_one(request_for: Any) -> None:
    options = {"seeds": (0, 3), "folds": ("fold1",)}
    for head in ("linear", "emobox"):
        record = read_record(run_probe(request_for(head=head, **options)))
        first, second = record.folds
        assert (first.seed, second.seed) == (0, 3)
        assert first.digests["test"] == second.digests["test"]
        assert first.digests["validation"] != second.digests["validation"]
        assert second.validation.endswith("seed 3")
        deviation = np.std([first.scores["ua"], second.scores["ua"]], ddof=1)
        assert record.summary["ua"].std_seeds == pytest.approx(deviation)
    shared = read_record(run_probe(request_for(head="emobox", validation_draws="same", **options)))
    assert shared.folds[0].digests == shared.folds[1].digests == first.digests
    # One seed by itself scores what it scores among others, and seed 0 what a run without the option does.
    alone = read_record(run_probe(request_for(head="emobox", folds=("fold1",))))
    assert alone.folds[0].scores == first.scores == shared.folds[0].scores
    # Logistic regression draws nothing else: one probe is all there is.
    linear = read_record(run_probe(request_for(head="linear", validation_draws="same", **options)))
    assert [fold.seed for fold in linear.folds] == [0]


def test_validation_may_be_whole_speakers(request_for: Any) -> None:
    plan = plan_run(request_for(folds=("fold1",), validation_by="speakers"))
    splits = plan.partitions["fold1", 0].splits
    held_out, trained = ({u.speaker for u in splits[name]} for name in ("validation", "train"))
    assert held_out
    assert trained
    assert not held_out & trained
    assert plan.settings.digest != plan_run(request_for(folds=("fold1",))).settings.digest


@pytest.mark.parametrize("size", ["12", "equal"])
def test_training_parts_can_be_made_as_large_as_others(request_for: Any, size: str) -> None:
    sizes = set()
    for folds in (("fold1",), ("si_fold1",), ("random_fold1",)):
        plan = plan_run(request_for(folds=folds, train_size=size))
        splits = plan.partitions[folds[0], 0].splits
        sizes.add(len(splits["train"]))
        emotions = Counter(u.emotion for u in splits["train"])
        assert max(emotions.values()) - min(emotions.values()) <= 1  # the corpus has as many of each
    assert sizes == {12} if size == "12" else len(sizes) == 1
    whole = plan_run(request_for(folds=("random_fold1",)))
    assert sizes.pop() <= len(whole.partitions["random_fold1", 0].splits["train"])


@pytest.mark.parametrize(
    ("size", "message"), [("0", "train-size"), ("many", "train-size"), ("100000", r"train-size.*100000.*has \d+")]
)
def test_a_training_size_that_cannot_be_had_is_refused(request_for: Any, size: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan_run(request_for(train_size=size))


def test_the_cross_corpus_set_is_no_fold_inside_a_corpus(request_for: Any) -> None:
    with pytest.raises(InputError, match=r"'cross_corpus' is a test set for probes trained on other corpora.*--train"):
        plan_run(request_for(corpus="savee", folds=("cross_corpus",)))


def test_a_finished_run_is_not_done_again_unless_asked(request_for: Any) -> None:
    folder = run_probe(request_for())
    first = read_record(folder)
    before = (folder / "record.json").stat().st_mtime_ns
    assert run_probe(request_for()) == folder
    assert (folder / "record.json").stat().st_mtime_ns == before
    run_probe(request_for(overwrite=True))
    again = read_record(folder)
    assert (folder / "record.json").stat().st_mtime_ns > before
    assert [fold.scores for fold in again.folds] == [fold.scores for fold in first.folds]


@pytest.mark.parametrize(
    "change",
    [
        {"head": "emobox"},
        {"layer": "1"},
        {"folds": ("fold1",)},
        {"output_norm": True},
        {"max_duration_s": 20.0},
        {"mixed_precision": "bf16"},
        {"storage_dtype": "float32"},
        {"resampler": "torchaudio"},
        {"on_error": "skip"},
        {"validation_share": 0.3},
        {"on_error": "skip", "data_dir": "incomplete"},
    ],
    ids=str,
)
def test_any_changed_setting_is_another_run(
    request_for: Any, change: dict[str, Any], polish: Path, tmp_path: Path
) -> None:
    if "data_dir" in change:
        shutil.copytree(polish, tmp_path / "incomplete")
        (tmp_path / "incomplete" / "m3.a_nie_1.wav").unlink()
        change = change | {"data_dir": tmp_path / "incomplete"}
    assert plan_run(request_for(**change)).folder != plan_run(request_for()).folder


def test_where_things_lie_does_not_change_the_run(
    request_for: Any, polish: Path, encoder: Path, tmp_path: Path
) -> None:
    shutil.copytree(polish, tmp_path / "copy" / "deeper")
    shutil.copytree(encoder, tmp_path / encoder.name)
    moved = request_for(data_dir=tmp_path / "copy", encoder=str(tmp_path / encoder.name))
    assert plan_run(moved).folder == plan_run(request_for()).folder


def test_a_corpus_of_other_audio_is_another_run(request_for: Any, polish: Path, tmp_path: Path) -> None:
    shutil.copytree(polish, tmp_path / "copy")
    file = tmp_path / "copy" / "m1.a_nie_1.wav"
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    assert plan_run(request_for(data_dir=tmp_path / "copy")).folder != plan_run(request_for()).folder


def test_missing_and_broken_clips_stop_or_are_named(request_for: Any, polish: Path, tmp_path: Path) -> None:
    root = tmp_path / "broken"
    shutil.copytree(polish, root)
    (root / "m3.a_nie_1.wav").unlink()
    (root / "m3.n_tak_2.wav").write_bytes(b"")
    (root / "m2.n_tak_2.wav").write_bytes((polish / "m2.n_tak_2.wav").read_bytes()[:5000])
    message = r"448 of 450.*2 missing: polish-m3\.a_nie_1, polish-m3\.n_tak_2\. 1 file: empty.*emobox check polish"
    with pytest.raises(InputError, match=message):
        run_probe(request_for(data_dir=root))
    for name in ("m3.a_nie_1.wav", "m3.n_tak_2.wav"):
        shutil.copy(polish / name, root)
    with pytest.raises(InputError, match=r"m2\.n_tak_2.*--on-error skip"):
        run_probe(request_for(data_dir=root))
    (root / "m3.a_nie_1.wav").unlink()
    (root / "m3.n_tak_2.wav").write_bytes(b"")
    record = read_record(run_probe(request_for(data_dir=root, on_error="skip")))
    assert [clip["key"] for clip in record.left_out] == [
        "polish-m2.n_tak_2",
        "polish-m3.a_nie_1",
        "polish-m3.n_tak_2",
    ]
    assert all(clip["reason"] for clip in record.left_out)
    assert [fold.n_test for fold in record.folds] == [88, 89, 90, 90, 90]


def test_long_clips_are_left_out_and_named(
    request_for: Any, polish: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "long"
    shutil.copytree(polish, root)
    write_wav(root / "m3.s_tak_1.wav", synthesize("s", "m3", "long", duration_s=31.0))
    record = read_record(run_and_show(request_for(data_dir=root)))
    assert record.left_out == [{"key": "polish-m3.s_tak_1", "reason": "31.0 s long, over 30 s"}]
    assert [fold.n_test for fold in record.folds] == [89, 90, 90, 90, 90]
    assert "polish-m3.s_tak_1 (31.0 s long, over 30 s)" in capsys.readouterr().out
    kept = read_record(run_probe(request_for(data_dir=root, max_duration_s=float("inf"))))
    assert kept.left_out == []
    with pytest.raises(InputError, match=r"all 450 utterances of polish were left out.*over 0\.1 s"):
        run_probe(request_for(max_duration_s=0.1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"corpus": "polsh"}, r"did you mean 'polish'"),
        ({"folds": ("fold6",)}, r"no configuration 'fold6'.*fold5"),
        ({"folds": ("all",)}, r"no test part"),
        ({"encoder": "wavlm-larg"}, r"did you mean 'wavlm-large'"),
        ({"layer": "7"}, r"layer"),
        ({"layer": "top"}, r"layer is 'last', 'all' or a whole number"),
        ({"context": "clip"}, r"context 'clip'"),
        ({"epochs": 0, "head": "emobox"}, r"epochs"),
        ({"seeds": (1, 1), "head": "emobox"}, r"seeds"),
        ({"data_dir": Path("/nowhere/at/all")}, r"(?s)looked in.*nowhere/at/all.*mostwiedzy"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    request_for: Any, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        run_probe(request_for(**options))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("head", "is_torn"), [("emobox", False), ("linear", True)])
def test_damaged_features_are_set_aside_and_made_again(
    request_for: Any, tmp_path: Path, head: str, is_torn: bool, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"features": tmp_path / "features", "head": head, "epochs": 1}
    whole = read_record(run_probe(request_for(**options)))
    shards = list((tmp_path / "features").rglob("*.safetensors"))
    for shard in shards:
        content = bytearray(shard.read_bytes())
        content[-100] ^= 1
        shard.write_bytes(content[:-200] if is_torn else content)
    again = read_record(run_probe(request_for(**options, output=tmp_path / "again")))
    assert [fold.scores for fold in again.folds] == [fold.scores for fold in whole.folds]
    assert caplog.text.count("set aside, its utterances are extracted again") == len(shards) > 0
    assert len(list((tmp_path / "features").rglob(".*.damaged"))) == len(shards)


def test_a_disk_that_damages_what_it_is_given_is_named_and_not_tried_for_ever(
    request_for: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract, times = steps.extract_run, []

    def extract_and_damage(*arguments: Any) -> Any:
        features = extract(*arguments)
        times.append(1)
        for shard in (tmp_path / "features").rglob("*.safetensors"):
            content = bytearray(shard.read_bytes())
            content[-100] ^= 1
            shard.write_bytes(content)
        return features

    monkeypatch.setattr(steps, "extract_run", extract_and_damage)
    with pytest.raises(InputError, match=f"{re.escape(str(tmp_path / 'features'))}.*times in a row.*--features"):
        run_probe(request_for(features=tmp_path / "features", head="emobox"))
    assert len(times) == steps.MOST_EXTRACTIONS
    assert not (tmp_path / "runs").exists()


def test_an_output_that_cannot_be_written_is_refused_before_the_work(request_for: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"cannot be written.*--output"):
        plan_run(request_for(output=tmp_path / "file"))


def test_one_fold_has_no_spread(request_for: Any, capsys: pytest.CaptureFixture[str]) -> None:
    record = read_record(run_and_show(request_for(folds=("si_fold1",))))
    assert record.summary["ua"].std is None
    printed = capsys.readouterr().out
    assert "\nspread" not in printed
    assert "paper" not in printed


def test_lists_that_are_not_emobox_s_are_refused(request_for: Any, tmp_path: Path) -> None:
    for number in range(1, 6):
        folder = tmp_path / "folds" / "polish" / f"fold_{number}"
        folder.mkdir(parents=True)
        for part in ("train", "test"):
            row = json.dumps({"key": "polish-m1.a_nie_1"})
            (folder / f"polish_{part}_fold_{number}.jsonl").write_text(row, encoding="utf-8")
    with pytest.raises(InputError, match="not EmoBox's folds"):
        plan_run(request_for(folds_dir=tmp_path / "folds"))


@pytest.mark.processes
@pytest.mark.parametrize("n_processes", [2, 3])
def test_several_processes_score_the_same(
    request_for: Any, polish: Path, encoder: Path, checkout: Path, tmp_path: Path, n_processes: int
) -> None:
    """Extraction and probes shared by torchrun's processes, against one process: scores to 1e-6."""
    alone = read_record(run_probe(request_for(head="emobox", features=tmp_path / "alone")))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", str(n_processes), "--master_port"]
    command += [str(29600 + n_processes), str(checkout / "run_probe.py"), "--corpus", "polish", "--epochs", "8"]
    command += ["--encoder", str(encoder), "--data-dir", str(polish), "--features", str(tmp_path / "shared")]
    command += ["--output", str(tmp_path / "shared-runs")]
    outcome = subprocess.run(
        command, env={**os.environ, "ACCELERATE_USE_CPU": "true"}, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    (path,) = (tmp_path / "shared-runs").rglob("record.json")
    shared = read_record(path.parent)
    assert shared.settings == alone.settings
    assert shared.machine["n_processes"] == n_processes
    for one, other in zip(alone.folds, shared.folds, strict=True):
        for score in ("ua", "wa", "macro_f1"):
            assert one.scores[score] == pytest.approx(other.scores[score], abs=1e-6)
    rows = [pq.read_table(folder / "predictions.parquet").to_pylist() for folder in (path.parent, _folder(request_for))]
    for mine, theirs in zip(*rows, strict=True):
        assert mine["key"] == theirs["key"]
        assert mine["p_Angry"] == pytest.approx(theirs["p_Angry"], abs=1e-4)


def _folder(request_for: Any) -> Path:
    return plan_run(request_for(head="emobox")).folder


@pytest.mark.processes
def test_an_error_in_one_process_ends_all_with_one_message(
    polish: Path, encoder: Path, checkout: Path, tmp_path: Path
) -> None:
    root = tmp_path / "broken"
    shutil.copytree(polish, root)
    content = (polish / "m1.a_nie_1.wav").read_bytes()
    (root / "m1.a_nie_1.wav").write_bytes(content[: len(content) // 2])
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29610"]
    command += [str(checkout / "run_probe.py"), "--corpus", "polish", "--encoder", str(encoder)]
    command += ["--data-dir", str(root), "--features", str(tmp_path / "features"), "--output", str(tmp_path / "runs")]
    outcome = subprocess.run(
        command,
        env={**os.environ, "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert outcome.returncode != 0
    assert outcome.stderr.count("m1.a_nie_1") >= 1
    assert sum(line.startswith("run_probe.py: ") for line in outcome.stderr.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_accelerate_launches_the_page(
    polish: Path, encoder: Path, checkout: Path, features: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--mixed_precision", "bf16"]
    command += [str(checkout / "run_probe.py"), "--corpus", "polish", "--encoder", str(encoder), "--head", "linear"]
    command += ["--data-dir", str(polish), "--features", str(features), "--output", str(tmp_path / "runs")]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    (path,) = (tmp_path / "runs").rglob("record.json")
    assert read_record(path.parent).settings.encoder.mixed_precision == "bf16"
    assert "bf16" in outcome.stdout


def test_python_and_the_command_line_ask_for_the_same() -> None:
    assert parse_request(["--corpus", "polish", "--encoder", "x"], prog="p") == make_request(
        corpus="polish", encoder="x"
    )
    words = ["--corpus", "polish", "--encoder", "x", "--head", "linear", "--layers", "all", "--max-duration-s", "inf"]
    options = {"head": "linear", "layer": "all", "max_duration_s": float("inf")}
    assert parse_request(words, prog="p") == make_request(corpus="polish", encoder="x", **options)


def test_features_go_to_the_cache_unless_a_folder_is_named() -> None:
    assert make_request(corpus="polish", encoder="x").places.features_dir == cache_dir() / "features"


def test_every_option_has_one_name_and_a_help() -> None:
    names = [name for section in SECTIONS.values() for name in list_options(section)]
    assert len(set(names)) == len(names)
    assert {action.dest for action in build_parser("p")._actions} - {"help", "loudness"} == set(names)
    assert all(action.help for action in build_parser("p")._actions)


def test_an_unknown_option_gets_a_suggestion() -> None:
    with pytest.raises(InputError, match=r"no option 'resample'; did you mean 'resampler'"):
        make_request(corpus="polish", encoder="x", resample="soxr")
    with pytest.raises(InputError, match="name an encoder"):
        make_request(corpus="polish")
    with pytest.raises(InputError, match="--train and --test go together"):
        make_request(train=("polish",), encoder="x")


def test_a_run_can_be_printed_as_json(
    polish: Path, encoder: Path, features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["probe", "--corpus", "polish", "--encoder", str(encoder), "--data-dir", str(polish), "--head", "linear"]
    words += ["--features", str(features), "--output", str(tmp_path / "runs"), "--folds", "fold1", "--json"]
    assert main(words) == 0
    printed = json.loads(capsys.readouterr().out)
    record = read_record(Path(printed["folder"]))
    assert {name: dataclasses.asdict(one) for name, one in record.summary.items()} == printed["summary"]
    assert printed["settings"]["partition"]["folds"] == ["fold1"]
