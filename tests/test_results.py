"""Records: written whole, named by their settings, read again."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from emobox_hf.errors import InputError
from emobox_hf.report.run_table import run_table
from emobox_hf.results import (
    FoldPredictions,
    FoldRecord,
    LayerRecord,
    RunRecord,
    digest_settings,
    is_finished,
    read_record,
    run_folder,
    write_run,
)

SETTINGS = {
    "corpus": {"name": "savee"},
    "encoder": {"name": "owner/name", "layer": "last", "context": "full", "mixed_precision": "no"},
    "probe": {"head": "emobox", "seeds": [0]},
    "features": {"output_norm": False},
    "audio": {"resampler": "soxr"},
}


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
        summary={score: {"mean": 0.5, "std": 0.0} for score in ("ua", "wa", "macro_f1", "weighted_f1")},
        timings={},
        machine={},
        versions={},
        created="2026-01-01T00:00:00+00:00",
    )


def make_predictions() -> list[FoldPredictions]:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]], dtype=np.float32)
    keys, paths = ["savee-JE-a01", "savee-JE-h01"], ["JE_a01.wav", "JE_h01.wav"]
    return [FoldPredictions("fold1", 0, keys, ["JE", "JE"], paths, np.array([0, 1]), probabilities)]


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = make_record()
    write_run(tmp_path, record, make_predictions())
    assert read_record(tmp_path) == record
    rows = pq.read_table(tmp_path / "predictions.parquet").to_pylist()
    assert rows[1] == {
        "key": "savee-JE-h01",
        "speaker": "JE",
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
    with pytest.raises(InputError, match=r"record\.json: not a whole record.*--overwrite"):
        read_record(tmp_path)


def test_a_record_of_another_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text(json.dumps({"schema": 99}), encoding="utf-8")
    with pytest.raises(InputError, match="schema 99"):
        read_record(tmp_path)


def test_the_folder_follows_the_settings() -> None:
    changed = SETTINGS | {"probe": {"head": "emobox", "seeds": [1]}}
    assert run_folder(Path("runs"), SETTINGS) == Path(f"runs/savee/owner-name-emobox-{digest_settings(SETTINGS)}")
    assert run_folder(Path("runs"), SETTINGS) != run_folder(Path("runs"), changed)
    assert digest_settings(SETTINGS) == digest_settings(json.loads(json.dumps(SETTINGS)))


def test_a_table_says_what_was_left_out_and_what_the_paper_has() -> None:
    table = run_table(make_record())
    assert "savee-JE-a01 (31.0 s long, over 30 s)" in table
    assert "UA is not averaged: Sad" in table
    assert "learning rate 0.001, epoch 7" in table
    assert "microsoft/wavlm-large" in table
    assert "fold1: 3 of 4 test speakers" in table
