"""Finished runs, written by hand: small enough for every number in a table to be known."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emobox_hf.probes.heads import make_head
from emobox_hf.report.collect import Run
from emobox_hf.results import (
    CorpusSettings,
    EncoderSettings,
    FoldPredictions,
    FoldRecord,
    LayerRecord,
    PartitionSettings,
    RunRecord,
    RunSettings,
    read_record,
    write_run,
)

LABELS = ["Angry", "Happy", "Neutral"]
SCORES = ("ua", "wa", "macro_f1", "weighted_f1")


def write(
    root: Path,
    *,
    corpus: str = "polish",
    encoder: str = "wavlm-base",
    identity: str = "microsoft/wavlm-base@1234567890",
    ua: float = 0.5,
    wa: float = 0.25,
    folds: Sequence[str] = ("fold1", "fold2"),
    all_folds: bool = True,
    head: str = "linear",
    head_options: dict[str, Any] | None = None,
    layer: str = "last",
    by_layer: Sequence[dict[int | str, float]] = (),
    chosen: Sequence[int | str] = (),
    pair: tuple[Sequence[str], str] | None = None,
    test_set: str = "balanced",
    chosen_by: str = "",
    labels: Sequence[str] = LABELS,
    tested: Sequence[tuple[str, str | None, str, str]] = (("a", "s1", "Angry", "Angry"),),
    created: str = "2026-01-01T00:00:00+00:00",
) -> Run:
    """A run of these scores, one table of UA by layer a fold, one row of key, speaker, reference, prediction a test."""
    scores: dict[str, Any] = dict.fromkeys(SCORES, ua) | {"wa": wa, "recall": {}, "absent": []}
    scores["confusion_matrix"] = np.diag([2] * len(labels)).tolist()
    names = [*pair[0], pair[1]] if pair else [corpus]
    partition = PartitionSettings(
        name=f"{'+'.join(pair[0])}-to-{pair[1]}" if pair else corpus,
        folds=tuple(folds),
        all_folds=all_folds,
        trained_labels=tuple(labels),
        scored_labels=tuple(labels),
        labels="shared" if pair else "",
        test_set=test_set if pair else "",
        test_set_chosen_by=chosen_by,
    )
    settings = RunSettings(
        experiment="cross-corpus" if pair else "intra-corpus",
        package="0.1.0",
        corpora=tuple(CorpusSettings(name=name) for name in names),
        partition=partition,
        encoder=EncoderSettings(name=encoder, identity=identity, layer=layer),
        probe=make_head(head, **head_options or {}),
    )
    record = RunRecord(
        settings=settings,
        labels=list(labels),
        left_out=[],
        folds=[
            FoldRecord(
                fold=fold,
                source="by hand",
                validation="by hash",
                audit={"verdict": "independent", "shared_speakers": 0, "test_speakers": 1},
                seed=0,
                n_train=8,
                n_validation=2,
                n_test=2,
                digests={},
                chosen={},
                validation_ua=0.5,
                candidates=[],
                untrained_classes=[],
                scores=scores,
                seconds=0.1,
            )
            for fold in folds
        ],
        layers=[
            LayerRecord(
                fold=fold,
                layer=number,
                is_chosen=number == best,
                validation_ua=0.5,
                scores=dict.fromkeys(SCORES, value),
            )
            for fold, table, best in zip(folds, by_layer, chosen, strict=False)
            for number, value in table.items()
        ],
        summary={score: {"mean": wa if score == "wa" else ua, "std": None} for score in SCORES},
        timings={},
        machine={},
        versions={},
        created=created,
    )
    keys, speakers, references, predictions = zip(*tested, strict=True)
    columns = [list(labels).index(name) for name in predictions]
    probabilities = (0.1 + 0.7 * np.eye(len(labels))[columns]).astype(np.float32)
    numbers = np.array([list(labels).index(name) for name in references])
    rows = FoldPredictions(folds[0], 0, keys, speakers, [f"{key}.wav" for key in keys], numbers, probabilities)
    folder = root / settings.folder
    write_run(folder, record, [rows])
    return Run(folder, read_record(folder))


@pytest.fixture
def make_run(tmp_path: Path) -> Any:
    """`write` into a folder of the test's own, each run later than the one before."""
    minutes = itertools.count()

    def make(**options: Any) -> Run:
        return write(tmp_path / "runs", **{"created": f"2026-01-01T00:{next(minutes):02}:00+00:00"} | options)

    return make


@pytest.fixture(scope="session")
def write_toy_run() -> Any:
    """`write`, for fixtures that several tests share."""
    return write
