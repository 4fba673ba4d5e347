"""Finished runs, written by hand: small enough for every number in a table to be known."""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emobox_hf.corpora.spec import list_corpora, load_spec
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
    ScoreSummary,
    read_record,
    summarize,
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
    labels: Sequence[str] | None = None,
    tested: Sequence[tuple[str, str | None, str, str]] = (("a", "s1", "Angry", "Angry"),),
    missing: Sequence[str] = (),
    left_out: Sequence[dict[str, str]] = (),
    verdict: str = "independent",
    absent: Sequence[str] = (),
    digests: dict[str, str] | None = None,
    support: Sequence[int] | None = None,
    seeds: Sequence[int] = (0,),
    temperature: float | None = None,
    n_train: int = 8,
    by_seed: dict[int, Sequence[tuple[str, str | None, str, str]]] | None = None,
    fold_of: dict[str, str] | None = None,
    sentences: dict[str, str] | None = None,
    is_summed: bool = False,
    created: str = "2026-01-01T00:00:00+00:00",
) -> Run:
    """A run of these scores, one table of UA by layer a fold, one row of key, speaker, reference, prediction a test.

    With `is_summed` the summary is that of the predictions, which are in the first fold unless `fold_of` says else.
    """
    if labels is None:
        used = {name for _, _, *names in tested for name in names}
        known = load_spec(corpus).emotions if corpus in list_corpora() and not pair else ()
        labels = known if used <= set(known) else LABELS
    scores: dict[str, Any] = dict.fromkeys(SCORES, ua) | {"wa": wa, "recall": {}, "absent": list(absent)}
    scores["confusion_matrix"] = np.diag(support or [2] * len(labels)).tolist()
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
        corpora=tuple(CorpusSettings(name=name, missing=tuple(missing)) for name in names),
        partition=partition,
        encoder=EncoderSettings(name=encoder, identity=identity, layer=layer),
        probe=make_head(head, **head_options or {}),
    )
    rows = []
    for seed in seeds:
        of_seed = (by_seed or {}).get(seed, tested)
        for fold in dict.fromkeys((fold_of or {}).get(key, folds[0]) for key, *_ in of_seed):
            some = [row for row in of_seed if (fold_of or {}).get(row[0], folds[0]) == fold]
            rows.append(predict(fold, seed, some, labels, sentences or {}))
    n_test = Counter({(one.fold, one.seed): len(one.keys) for one in rows})
    record = RunRecord(
        settings=settings,
        labels=list(labels),
        left_out=list(left_out),
        folds=[
            FoldRecord(
                fold=fold,
                source="by hand",
                validation="by hash",
                audit={"verdict": verdict, "shared_speakers": 0, "test_speakers": 1},
                seed=seed,
                n_train=n_train,
                n_validation=2,
                n_test=n_test[fold, seed],
                digests=digests or {},
                chosen={},
                validation_ua=0.5,
                candidates=[],
                untrained_classes=[],
                scores=scores,
                seconds=0.1,
                calibration={} if temperature is None else {"temperature": temperature, "ece": 0.1, "nll": 1.0},
            )
            for fold in folds
            for seed in seeds
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
        summary={score: ScoreSummary(mean=wa if score == "wa" else ua) for score in SCORES},
        timings={},
        machine={},
        versions={},
        created=created,
    )
    folder = root / settings.folder
    if is_summed:
        record = dataclasses.replace(record, summary=summarize(rows))
    write_run(folder, record, rows)
    return Run(folder, read_record(folder))


def predict(
    fold: str,
    seed: int,
    tested: Sequence[tuple[str, str | None, str, str]],
    labels: Sequence[str],
    sentences: dict[str, str],
) -> FoldPredictions:
    """Predictions of rows of key, speaker, reference, prediction; the predicted class has a probability of 0.8."""
    keys, speakers, references, predictions = zip(*tested, strict=True)
    columns = [list(labels).index(name) for name in predictions]
    sure = (0.2 / (len(labels) - 1) + (0.8 - 0.2 / (len(labels) - 1)) * np.eye(len(labels))[columns]).astype(np.float32)
    return FoldPredictions(
        fold=fold,
        seed=seed,
        keys=keys,
        speakers=speakers,
        genders=[None] * len(keys),
        languages=[None] * len(keys),
        sentences=[sentences.get(key) for key in keys],
        paths=[f"{key}.wav" for key in keys],
        references=np.array([list(labels).index(name) for name in references]),
        probabilities=sure,
    )


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
