"""The main experiment: a frozen encoder probed on the folds of one corpus.

`plan.plan_run` decides everything without loading a model; `extract_features`, `train_folds` and `score_run` do it.
Every process of a launch calls each of them with the same arguments.
"""

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emobox_hf.corpora.audit import audit_partition, summarize_audit
from emobox_hf.corpora.folds import Partition
from emobox_hf.errors import InputError
from emobox_hf.experiments.environment import describe_machine, describe_versions, now
from emobox_hf.experiments.plan import Plan
from emobox_hf.results import FoldPredictions, FoldRecord, RunRecord
from emobox_hf.scores import SCORES, compute_scores, mean_over_folds

if TYPE_CHECKING:  # torch comes with these; what is typed here does without until it is called
    from accelerate import Accelerator

    from emobox_hf.experiments.clips import Autocast
    from emobox_hf.features import FeatureKey, RaggedFrames
    from emobox_hf.probes.jobs import ProbeResult


@dataclass(frozen=True)
class Extraction:
    """The frames of a run's utterances, `keys[i]` to row i, and what came with getting them."""

    keys: list[str]
    frames: "RaggedFrames"
    left_out: dict[str, str]
    audio_s: float
    seconds: float


def extract_features(plan: Plan, accelerator: "Accelerator") -> Extraction:
    """Encode what the store lacks, shared over all processes, and read the frames of the run.

    Raises:
        InputError: On every process, if any of them met a clip that cannot be encoded and `on_error` is `stop`.
    """
    from accelerate.utils import gather_object

    from emobox_hf.experiments.clips import list_clips
    from emobox_hf.features import FeatureStore, extract, normalize_utterances

    started = time.perf_counter()
    request = plan.request
    store = FeatureStore.open(request.features, _feature_key(plan))
    stored = store.keys()
    clips, left_out = list_clips(plan.manifest, plan.utterances, request)
    failure, report = None, None
    if any(clip.key not in stored for clip in clips):
        try:
            encoder = load_for(plan, accelerator)
            report = extract(
                clips,
                encoder,
                store,
                batch_s=request.batch_s or encoder.encoder.batch_s,
                on_error=request.on_error,
                rank=accelerator.process_index,
                world_size=accelerator.num_processes,
                progress=True,
            )
        except InputError as error:
            failure = str(error)
    outcomes = gather_object([(failure, {clip.key: clip.reason for clip in report.left_out} if report else {})])
    if failures := [failure for failure, _ in outcomes if failure]:
        raise InputError(failures[0])
    for _, reasons in outcomes:
        left_out |= reasons
    keys = [u.key for u in plan.utterances if u.key not in left_out]
    if not keys:
        key, reason = next(iter(left_out.items()))
        raise InputError(
            f"all {len(left_out)} utterances of {request.corpus} were left out; the first is {key}: {reason}"
        )
    frames = store.read(keys)
    return Extraction(
        keys=keys,
        frames=normalize_utterances(frames) if request.output_norm else frames,
        left_out=dict(sorted(left_out.items())),
        audio_s=sum(gather_object([report.audio_s if report else 0.0])),
        seconds=time.perf_counter() - started,
    )


def train_folds(plan: Plan, extraction: Extraction, accelerator: "Accelerator") -> list["ProbeResult"]:
    """Train and apply the probes of all folds and seeds, shared over all processes; all get all results.

    Raises:
        InputError: A split is empty once clips are left out, or the data do not fit the settings.
    """
    from accelerate.utils import gather_object

    from emobox_hf.probes.jobs import list_jobs
    from emobox_hf.probes.train import train_probes

    jobs = list_jobs({part.config: _index(part, extraction.keys) for part in plan.partitions}, plan.probe)
    classes = plan.manifest.spec.emotions
    emotion_of = {u.key: classes.index(u.emotion) for u in plan.manifest.utterances}
    rank, world = accelerator.process_index, accelerator.num_processes
    mine = train_probes(
        extraction.frames.frames,
        extraction.frames.offsets,
        np.array([emotion_of[key] for key in extraction.keys]),
        len(classes),
        jobs[rank::world],
        plan.probe,
        device=accelerator.device,
        progress=accelerator.is_main_process,
    )
    shared = gather_object(list(zip(range(rank, len(jobs), world), mine, strict=True)))
    return [result for _, result in sorted(shared, key=lambda pair: pair[0])]


def score_run(
    plan: Plan, extraction: Extraction, results: Sequence["ProbeResult"], accelerator: "Accelerator", *, seconds: float
) -> tuple[RunRecord, list[FoldPredictions]]:
    """The record of a run and its predictions; `seconds` is what training took."""
    classes = plan.manifest.spec.emotions
    by_fold = {part.config: part for part in plan.partitions}
    folds, predictions = [], []
    for result in results:
        part = by_fold[result.fold]
        test = [u for u in part.splits["test"] if u.key not in extraction.left_out]
        references = np.array([classes.index(u.emotion) for u in test], dtype=np.int64)
        predictions.append(
            FoldPredictions(result.fold, result.seed, [u.key for u in test], references, result.test_probabilities)
        )
        folds.append(_record_fold(plan, part, extraction, result, references))
    record = RunRecord(
        settings=plan.settings,
        labels=list(classes),
        left_out=[{"key": key, "reason": reason} for key, reason in extraction.left_out.items()],
        folds=folds,
        summary=_summarize(folds),
        timings={"extract_s": extraction.seconds, "audio_s": extraction.audio_s, "probe_s": seconds},
        machine=describe_machine(accelerator),
        versions=describe_versions(),
        created=now(),
    )
    return record, predictions


def load_for(plan: Plan, accelerator: "Accelerator") -> "Autocast":
    """The plan's encoder on this process's device, under the launch's autocast."""
    from emobox_hf.encoders.encoder import load_encoder
    from emobox_hf.experiments.clips import Autocast

    layer = plan.request.layer
    if layer != "last" and not layer.lstrip("-").isdigit():
        raise InputError(f"layer is 'last' or a whole number, not {layer!r}")
    encoder = load_encoder(
        plan.identity,
        device=accelerator.device,
        layer="last" if layer == "last" else int(layer),
        context=plan.request.context,
    )
    return Autocast(encoder, accelerator)


def _feature_key(plan: Plan) -> "FeatureKey":
    from emobox_hf.features import FeatureKey

    settings = plan.settings
    return FeatureKey(
        corpus=settings["corpus"]["name"],
        corpus_digest=settings["corpus"]["audio_sha256"],
        encoder=settings["encoder"]["name"],
        encoder_digest=settings["encoder"]["identity"],
        layer=settings["encoder"]["layer"],
        context=settings["encoder"]["context"],
        resampler=settings["audio"]["resampler"],
        precision=settings["encoder"]["mixed_precision"],
        storage_dtype=settings["features"]["storage_dtype"],
    )


def _index(part: Partition, keys: Sequence[str]) -> Any:
    from emobox_hf.probes.jobs import Split

    row_of = {key: row for row, key in enumerate(keys)}
    parts = []
    for name in ("train", "validation", "test"):
        parts.append(np.array([row_of[u.key] for u in part.splits[name] if u.key in row_of], dtype=np.int64))
    return Split(*parts)


def _record_fold(
    plan: Plan, part: Partition, extraction: Extraction, result: "ProbeResult", references: Any
) -> FoldRecord:
    classes = plan.manifest.spec.emotions
    scores = compute_scores(references, result.test_probabilities.argmax(axis=1), len(classes))
    sizes = {name: sum(u.key not in extraction.left_out for u in split) for name, split in part.splits.items()}
    return FoldRecord(
        fold=result.fold,
        source=part.source,
        validation=part.validation,
        audit=summarize_audit(audit_partition(part, plan.manifest.spec)),
        seed=result.seed,
        n_train=sizes["train"],
        n_validation=sizes["validation"],
        n_test=sizes["test"],
        digests=part.digests,
        chosen=dict(result.chosen),
        validation_ua=result.validation_ua,
        candidates=[dataclasses.asdict(candidate) for candidate in result.candidates],
        untrained_classes=[classes[index] for index in result.untrained_classes],
        scores={
            **{name: getattr(scores, name) for name in SCORES},
            "recall": dict(zip(classes, scores.recall, strict=True)),
            "confusion_matrix": [list(row) for row in scores.confusion_matrix],
            "absent": [classes[index] for index in scores.absent_classes],
        },
        seconds=result.seconds,
    )


def _summarize(folds: Sequence[FoldRecord]) -> dict[str, dict[str, float | None]]:
    """Mean and sample standard deviation over folds, a fold's seeds averaged first."""
    names = list(dict.fromkeys(fold.fold for fold in folds))
    summary = {}
    for score in SCORES:
        values = [float(np.mean([f.scores[score] for f in folds if f.fold == name])) for name in names]
        mean, deviation = mean_over_folds(values)
        summary[score] = {"mean": mean, "std": deviation}
    return summary
