"""Records: written whole, named by their settings, read again."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from emobox_hf.errors import InputError
from emobox_hf.probes.heads import make_head
from emobox_hf.report.run_table import run_table
from emobox_hf.results import (
    AudioSettings,
    CorpusSettings,
    EncoderSettings,
    FoldPredictions,
    FoldRecord,
    LayerRecord,
    PartitionSettings,
    RunRecord,
    RunSettings,
    ScoreSummary,
    is_finished,
    read_record,
    write_run,
)

SETTINGS = RunSettings(
    experiment="intra-corpus",
    package="0.1.0",
    corpora=(CorpusSettings(name="savee", version="1.0.0", missing=("savee-JE-a02",), n_absent=1),),
    partition=PartitionSettings(name="savee", folds=("fold1",), digests={"fold1": {"test": "ab"}}),
    encoder=EncoderSettings(name="owner/name", identity="owner/name@0123"),
    audio=AudioSettings(max_duration_s=float("inf")),
    probe=make_head("emobox", seeds=(0, 1)),
)


def scores_of(value: float) -> dict[str, float]:
    return dict.fromkeys(("ua", "wa", "macro_f1", "weighted_f1"), value)


def make_record() -> RunRecord:
    scores = {"ua": 0.5, "wa": 0.75, "macro_f1": 0.6, "weighted_f1": 0.7, "recall": {}, "absent": ["Sad"]}
    scores["confusion_matrix"] = [[1, 0], [0, 1]]
    fold = FoldRecord(
        fold="fold1",
        source="test speakers JE",
        validation="by hash",
        audit={"verdict": "leak", "shared_speakers": 3, "test_speakers": 4},
        seed=0,
        n_train=8,
        n_validation=2,
        n_test=2,
        digests={"test": "ab"},
        chosen={"learning_rate": 1e-3, "epoch": 7},
        validation_ua=0.9,
        candidates=[],
        untrained_classes=[],
        scores=scores,
        seconds=0.1,
    )
    return RunRecord(
        settings=SETTINGS,
        labels=["Angry", "Happy"],
        left_out=[{"key": "savee-JE-a01", "reason": "31.0 s long, over 30 s"}],
        folds=[fold],
        layers=[LayerRecord(fold="fold1", layer=3, is_chosen=True, validation_ua=0.5, scores=scores_of(0.5))],
        summary={score: ScoreSummary(mean=0.5, std=0.0) for score in ("ua", "wa", "macro_f1", "weighted_f1")},
        timings={},
        machine={},
        versions={},
        created="2026-01-01T00:00:00+00:00",
    )


def make_predictions() -> list[FoldPredictions]:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]], dtype=np.float32)
    keys, paths = ["savee-JE-a01", "savee-JE-h01"], ["JE_a01.wav", "JE_h01.wav"]
    return [
        FoldPredictions(
            fold="fold1",
            seed=0,
            keys=keys,
            speakers=["JE", "JE"],
            genders=["male", "male"],
            languages=["eng", "eng"],
            sentences=["a01", None],
            paths=paths,
            references=np.array([0, 1]),
            probabilities=probabilities,
        )
    ]


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = make_record()
    written = write_run(tmp_path, record, make_predictions())
    assert (
        read_record(tmp_path) == written == dataclasses.replace(record, predictions_sha256=written.predictions_sha256)
    )
    rows = pq.read_table(tmp_path / "predictions.parquet").to_pylist()
    assert rows[1] == {
        "key": "savee-JE-h01",
        "speaker": "JE",
        "gender": "male",
        "language": "eng",
        "sentence": None,
        "path": "JE_h01.wav",
        "fold": "fold1",
        "seed": 0,
        "reference": "Happy",
        "prediction": "Happy",
        "p_Angry": pytest.approx(0.2),
        "p_Happy": pytest.approx(0.8),
    }


def test_a_run_without_its_record_is_not_finished(tmp_path: Path) -> None:
    write_run(tmp_path, make_record(), make_predictions())
    assert is_finished(tmp_path)
    broken = dataclasses.replace(make_record(), machine={"unwritable": object()})
    with pytest.raises(TypeError):
        write_run(tmp_path, broken, make_predictions())
    assert not is_finished(tmp_path)
    with pytest.raises(InputError, match="not finished"):
        read_record(tmp_path)


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text('{"schema": 2, "folds": [', encoding="utf-8")
    with pytest.raises(InputError, match=r"record\.json: not a whole record.*makes the run again"):
        read_record(tmp_path)


def test_a_record_of_another_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text(json.dumps({"schema": 99}), encoding="utf-8")
    with pytest.raises(InputError, match="schema 99"):
        read_record(tmp_path)


def test_the_folder_follows_the_settings() -> None:
    changed = dataclasses.replace(SETTINGS, probe=make_head("emobox", seeds=(1,)))
    assert SETTINGS.folder == f"savee/owner-name-emobox-{SETTINGS.digest}"
    assert changed.digest != SETTINGS.digest


def test_other_splits_are_another_run() -> None:
    """A changed validation rule changes the keys of train and validation, and so the digest that names the run."""
    partition = dataclasses.replace(SETTINGS.partition, digests={"fold1": {"test": "ab", "validation": "cd"}})
    assert dataclasses.replace(SETTINGS, partition=partition).digest != SETTINGS.digest


OLD_SETTINGS = {
    "experiment": "intra-corpus",
    "package": "0.1.0",
    "corpus": {
        "name": "savee",
        "version": "1.0.0",
        "spec_sha256": "aa",
        "audio_sha256": "bb",
        "missing": 3,
        "folds": ["fold1"],
        "all_folds": False,
    },
    "encoder": {
        "name": "owner/name",
        "identity": "owner/name@0123",
        "layer": "last",
        "context": "full",
        "mixed_precision": "bf16",
    },
    "audio": {"resampler": "soxr", "max_duration_s": None, "on_error": "skip"},
    "features": {"storage_dtype": "float16", "output_norm": True},
    "probe": {"head": "emobox", "seeds": [0], "hidden_dim": 256, "epochs": 8, "warmup_epochs": 7, "batch_size": 32}
    | {"learning_rates": [1e-3, 1e-4], "precision": "float32"},
}


def write_old(folder: Path, settings: dict[str, Any]) -> None:
    write_run(folder, make_record(), make_predictions())
    table = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    table |= {"schema": 3, "settings": settings}
    (folder / "record.json").write_text(json.dumps(table), encoding="utf-8")


def test_a_record_of_schema_3_is_read(tmp_path: Path) -> None:
    write_old(tmp_path, OLD_SETTINGS)
    settings = read_record(tmp_path).settings
    assert settings.corpora == (
        CorpusSettings(name="savee", version="1.0.0", spec_sha256="aa", audio_sha256="bb", n_absent=3),
    )
    assert (settings.partition.folds, settings.partition.all_folds) == (("fold1",), False)
    assert settings.partition.digests == {"fold1": {"test": "ab"}}
    assert settings.encoder.mixed_precision == "bf16"
    assert settings.audio.max_duration_s == float("inf")
    assert settings.features.output_norm
    assert settings.probe == make_head("emobox", epochs=8)
    assert "fold1" in run_table(read_record(tmp_path))


def test_a_cross_corpus_record_of_schema_3_is_read(tmp_path: Path) -> None:
    corpora = [{**OLD_SETTINGS["corpus"], "name": name, "missing": []} for name in ("iemocap", "savee")]
    crossed = {
        "experiment": "cross-corpus",
        "corpus": {"name": "iemocap-to-savee", "test_set": "sha256:12", "labels": "all", "test_set_chosen_by": "toy"},
        "sources": [{k: v for k, v in one.items() if k not in ("folds", "all_folds")} for one in corpora],
        "classes": {"trained": ["Angry", "Happy", "Sad"], "scored": ["Angry", "Happy"]},
    }
    write_old(tmp_path, OLD_SETTINGS | crossed)
    settings = read_record(tmp_path).settings
    assert (settings.tested, settings.partition.name) == ("savee", "iemocap-to-savee")
    assert settings.partition.trained_labels == ("Angry", "Happy", "Sad")
    assert (settings.partition.test_set, settings.partition.test_set_chosen_by) == ("sha256:12", "toy")


def test_a_table_says_what_was_left_out_and_what_the_paper_has() -> None:
    table = run_table(make_record())
    assert "savee-JE-a01 (31.0 s long, over 30 s)" in table
    assert "UA is not averaged: Sad" in table
    assert "learning rate 0.001, epoch 7" in table
    assert "microsoft/wavlm-large" in table
    assert "fold1: 3 of 4 test speakers" in table
