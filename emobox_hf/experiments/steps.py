"""The steps of a planned run: features, probes, record; every process of a launch takes each alike."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from emobox_hf.corpora.folds import Partition
from emobox_hf.corpora.traits import list_sentences
from emobox_hf.errors import InputError
from emobox_hf.experiments.environment import describe_machine, describe_versions, now
from emobox_hf.experiments.extraction import Features, extract_features, set_aside_damaged
from emobox_hf.experiments.plan import Plan
from emobox_hf.experiments.probing import read_inputs, train_jobs
from emobox_hf.experiments.scoring import keep_scored, record_fold, record_layers
from emobox_hf.features import DamagedShardError
from emobox_hf.features.key import FEATURE_FORMAT
from emobox_hf.probes.jobs import WEIGHTED, FrameInputs, Job, Probed, Split, VectorInputs
from emobox_hf.results import FoldPredictions, KeptProbe, ProbeFile, RunRecord, summarize

if TYPE_CHECKING:
    from accelerate import Accelerator

MOST_EXTRACTIONS = 4  # of one run: damage that comes back is the disk's, not an accident


def extract_run(plan: Plan, accelerator: "Accelerator") -> list[Features]:
    """Features of each of the run's corpora, see `extraction.extract_features`."""
    return [extract_features(plan, source, accelerator) for source in plan.sources]


def read_run(
    plan: Plan, features: Sequence[Features], accelerator: "Accelerator"
) -> tuple[Sequence[Features], FrameInputs | VectorInputs]:
    """The features, and what the head reads of them; damaged shards are set aside and extracted again.

    Every process reads everything, so they agree on whether to go on; whatever one of them finds is set aside.

    Raises:
        InputError: What was written is damaged again and again.
    """
    from accelerate.utils import gather_object

    for round_ in range(MOST_EXTRACTIONS):
        if round_:
            features = extract_run(plan, accelerator)
        inputs = None
        try:
            inputs = read_inputs(features, plan.settings.probe)
        except DamagedShardError:
            for one in features:
                set_aside_damaged(one.store)
        if all(gather_object([inputs is not None])) and inputs is not None:
            return features, inputs
    raise InputError(
        f"{plan.request.places.features_dir}: features were damaged right after they were written, "
        f"{MOST_EXTRACTIONS} times in a row. Check this disk, or keep features on another: --features FOLDER"
    )


def train_run(
    plan: Plan, features: Sequence[Features], inputs: FrameInputs | VectorInputs, accelerator: "Accelerator"
) -> list[Probed]:
    """Probes of all folds and seeds, see `probing.train_jobs`."""
    keys = [key for one in features for key in one.keys]
    emotion_of = {u.key: u.emotion for one in features for u in one.source.manifest.utterances}
    classes = plan.settings.partition.trained_labels
    labels = np.array([classes.index(emotion_of[key]) for key in keys], dtype=np.int64)
    row_of = {key: row for row, key in enumerate(keys)}
    jobs = [Job(fold, *_index(part, row_of), seed) for (fold, seed), part in plan.partitions.items()]
    return train_jobs(inputs, labels, len(classes), jobs, plan.settings.probe, accelerator)


def score_run(
    plan: Plan, features: Sequence[Features], probed: Sequence[Probed], accelerator: "Accelerator", *, seconds: float
) -> tuple[RunRecord, list[FoldPredictions]]:
    """The record of a run and its predictions; `seconds` is what training took."""
    left_out = {key: reason for one in features for key, reason in one.filled.left_out.items()}
    scored = plan.settings.partition.scored_labels
    sentences = list_sentences([u for source in plan.sources for u in plan.utterances(source)])
    folds, layers, predictions = [], [], []
    by_layer: dict[str, list[FoldPredictions]] = {}
    for one in probed:
        result, part = one.result, plan.partitions[one.result.fold, one.result.seed]
        test = [u for u in part.splits["test"] if u.key not in left_out]
        references = np.array([scored.index(u.emotion) for u in test], dtype=np.int64)
        speakers = [u.speaker for u in test]
        predicted = FoldPredictions(
            fold=result.fold,
            seed=result.seed,
            keys=[u.key for u in test],
            speakers=speakers,
            genders=[u.gender for u in test],
            languages=[u.language for u in test],
            sentences=[sentences[u.key] for u in test],
            paths=[u.path for u in test],
            references=references,
            probabilities=keep_scored(plan, result),
        )
        predictions.append(predicted)
        for layer, other in one.layers.items():
            of_layer = replace(predicted, probabilities=keep_scored(plan, other))
            by_layer.setdefault(str(layer), []).append(of_layer)
        folds.append(record_fold(plan, part, result, references, speakers, left_out=left_out))
        layers += record_layers(plan, one, references, speakers)
    record = RunRecord(
        settings=plan.settings,
        labels=list(scored),
        left_out=[{"key": key, "reason": reason} for key, reason in left_out.items()],
        folds=folds,
        layers=layers,
        summary=summarize(predictions),
        layer_summary={layer: summarize(some) for layer, some in by_layer.items()},
        timings={
            "extract_s": sum(one.filled.wall_s for one in features),
            "audio_s": sum(one.filled.audio_s for one in features),
            "probe_s": seconds,
        },
        machine=describe_machine(accelerator) | {"asked_precision": plan.request.encoder.mixed_precision},
        versions=describe_versions(),
        created=now(),
    )
    return record, predictions


def keep_probes(plan: Plan, probed: Sequence[Probed]) -> ProbeFile | None:
    """What the probes learned, to be written beside the record; None where it is not to be kept."""
    if not plan.request.places.save_probe:
        return None
    kept = []
    for one in probed:
        scored = [("", one.result), *((WEIGHTED, found) for name, found in one.layers.items() if name == WEIGHTED)]
        for layer, result in scored:
            learned = result.learned
            assert learned is not None
            kept.append(
                KeptProbe(
                    fold=result.fold, seed=result.seed, layer=layer, temperature=result.temperature, learned=learned
                )
            )
    channels: dict[int, int] = {}
    for source in reversed(plan.sources):
        channels |= source.spec.channels
    return ProbeFile(
        settings=plan.settings,
        labels=plan.settings.partition.trained_labels,
        channels=channels,
        feature_format=FEATURE_FORMAT,
        probes=kept,
    )


def _index(part: Partition, row_of: Mapping[str, int]) -> Split:
    parts = (
        np.array([row_of[u.key] for u in part.splits[name] if u.key in row_of], dtype=np.int64)
        for name in ("train", "validation", "test")
    )
    return Split(*parts)
