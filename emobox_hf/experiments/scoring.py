"""Probes to what a record holds of them."""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emobox_hf.corpora.audit import audit_partition, summarize_audit
from emobox_hf.corpora.folds import Partition
from emobox_hf.experiments.plan import Plan
from emobox_hf.probes.jobs import Probed, ProbeResult
from emobox_hf.results import FoldRecord, LayerRecord
from emobox_hf.scores import Scores, apply_temperature, compute_scores


def keep_scored(plan: Plan, result: ProbeResult) -> NDArray[np.float32]:
    """Test probabilities of the labels that are scored, float32 (n_test, labels), each row adding up to 1."""
    labels = plan.settings.partition
    columns = [labels.trained_labels.index(name) for name in labels.scored_labels]
    kept = result.test_probabilities[:, columns]
    if len(columns) == len(labels.trained_labels):
        return kept
    return np.asarray(kept / np.maximum(kept.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny), dtype=np.float32)


def record_fold(
    plan: Plan,
    part: Partition,
    result: ProbeResult,
    references: NDArray[np.int64],
    speakers: Sequence[str | None],
    *,
    left_out: Collection[str],
) -> FoldRecord:
    """What a record says of one fold and seed.

    Args:
        plan: The run.
        part: The fold.
        result: The probe that is scored.
        references: Labels of the test part without `left_out`, as numbers.
        speakers: Who speaks its utterances.
        left_out: Keys of utterances without features.
    """
    scores, labels = _score(plan, result, references, speakers), plan.settings.partition
    sizes = {name: sum(u.key not in left_out for u in split) for name, split in part.splits.items()}
    return FoldRecord(
        fold=result.fold,
        source=part.source,
        validation=part.validation,
        audit=_audit(plan, part),
        seed=result.seed,
        n_train=sizes["train"],
        n_validation=sizes["validation"],
        n_test=sizes["test"],
        digests=part.digests,
        chosen=dict(result.chosen),
        validation_ua=result.validation_ua,
        candidates=[dataclasses.asdict(candidate) for candidate in result.candidates],
        untrained_classes=[labels.trained_labels[index] for index in result.untrained_classes],
        scores={
            **scores.values,
            "recall": dict(zip(labels.scored_labels, scores.recall, strict=True)),
            "confusion_matrix": [list(row) for row in scores.confusion_matrix],
            "absent": [labels.scored_labels[index] for index in scores.absent_classes],
        },
        seconds=result.seconds,
        calibration=_calibrate(keep_scored(plan, result), result.temperature, references),
    )


def record_layers(
    plan: Plan, probed: Probed, references: NDArray[np.int64], speakers: Sequence[str | None]
) -> list[LayerRecord]:
    """A line for each layer that was probed; none where one layer was asked for."""
    records = []
    for layer, result in probed.layers.items():
        scores = _score(plan, result, references, speakers)
        records.append(
            LayerRecord(
                fold=result.fold,
                seed=result.seed,
                layer=layer,
                is_chosen=result is probed.result,
                validation_ua=result.validation_ua,
                scores=dict(scores.values),
                weights=None if result.layer_weights is None else list(result.layer_weights),
            )
        )
    return records


def _score(plan: Plan, result: ProbeResult, references: NDArray[np.int64], speakers: Sequence[str | None]) -> Scores:
    probabilities = keep_scored(plan, result)
    return compute_scores(
        references,
        probabilities.argmax(axis=1),
        probabilities.shape[1],
        speakers=speakers if all(speakers) else None,
        probabilities=probabilities,
    )


def _audit(plan: Plan, part: Partition) -> dict[str, Any]:
    """The audit's verdict; corpora that were recorded by themselves share no speaker."""
    if len(plan.sources) == 1:
        return summarize_audit(audit_partition(part, plan.sources[0].spec))
    speakers = {u.speaker for u in part.splits["test"]} - {None}
    return {"verdict": "independent", "reason": "another corpus", "test_speakers": len(speakers), "shared_speakers": 0}


def _calibrate(
    probabilities: NDArray[np.float32], temperature: float, references: NDArray[np.int64]
) -> dict[str, float]:
    """The temperature that validation asks for, and what sureness scores with it."""
    mended = apply_temperature(probabilities, temperature)
    scores = compute_scores(references, mended.argmax(axis=1), mended.shape[1], probabilities=mended).values
    return {"temperature": temperature, "nll": scores["nll"], "ece": scores["ece"]}
