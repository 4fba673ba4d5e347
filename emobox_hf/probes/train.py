"""Training of many probes on frames: jobs side by side on a CPU's cores, stacked into one computation on a GPU."""

import time
from collections.abc import Sequence
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray

from emobox_hf.precision import ProbePrecision
from emobox_hf.probes.batches import BatchSource, free_memory, longest_batch, make_batch_source
from emobox_hf.probes.data import check_data, check_jobs, untrained_classes
from emobox_hf.probes.emobox import predict_frames, train_stack
from emobox_hf.probes.heads import EmoboxHead
from emobox_hf.probes.jobs import Job, Learned, ProbeResult
from emobox_hf.probes.workers import Tick, run_units

Integers = NDArray[np.int64] | torch.Tensor
DTYPES = {name: getattr(torch, name) for name in get_args(ProbePrecision)}
MOST_STACKED = 64
"""Jobs in a stack on an accelerator at most; by then launches cost nothing beside the work."""
STACK_SHARE = 0.5
"""What a stack's batches may take up of the memory that is free on a CUDA device."""


def train_probes(
    frames: torch.Tensor,
    offsets: Integers,
    labels: Integers,
    n_classes: int,
    jobs: Sequence[Job],
    settings: EmoboxHead,
    *,
    device: str | torch.device = "cpu",
    n_threads: int | None = None,
    progress: bool = False,
) -> list[ProbeResult]:
    """Trained `emobox` probes, applied to their test parts: one result for each of `jobs`, in their order.

    All learning rates of a job are trained as one. On a CPU a job is computed on one core and draws from its own seeds,
    so neither `n_threads`, nor the number of processes that share the jobs, nor `OMP_NUM_THREADS` changes a bit of its
    result; while the call runs, torch uses one core an operation in this whole process. On an accelerator as many jobs
    as fit are trained as one; a job's neighbours then change its result by rounding alone.

    Args:
        frames: (total_frames, dim), floating point. float16 is widened batch by batch, so memory does not double.
        offsets: int64 (n + 1,); utterance i owns the rows `offsets[i]` to `offsets[i + 1]`.
        labels: int64 (n,), from 0 to n_classes - 1.
        n_classes: Number of classes, whether or not each occurs.
        jobs: What to train.
        settings: How.
        device: Where to compute; frames are moved there whole, or streamed to a CUDA device that cannot hold them.
        n_threads: Jobs side by side on a CPU; without it, the cores this process may use, divided by
            `$LOCAL_WORLD_SIZE`.
        progress: Show how far the work is, see `emobox_hf.progress`.

    Raises:
        InputError: The arrays do not fit each other, an utterance has no frames, a label is out of range, or a job has
            an empty part, shares utterances between parts or trains on a single class.
    """
    data = check_data(frames, offsets, labels, n_classes)
    check_jobs(jobs, data.labels)
    if not jobs:
        return []
    source = make_batch_source(data, torch.device(device), DTYPES[settings.precision])

    def work(stack: Sequence[Job], tick: Tick) -> list[ProbeResult]:
        started = time.perf_counter()
        trained = train_stack(source, stack, settings, tick=tick)
        seconds = (time.perf_counter() - started) / len(stack)
        return [
            ProbeResult(
                fold=job.fold,
                seed=job.seed,
                chosen=one.chosen.choice,
                validation_ua=one.chosen.validation_ua,
                candidates=tuple(one.candidates),
                test_probabilities=one.test_probabilities,
                untrained_classes=untrained_classes(data.labels, job),
                seconds=seconds,
                temperature=one.temperature,
                learned=one.learned,
                curves=one.curves,
            )
            for job, one in zip(stack, trained, strict=True)
        ]

    size = _stack_size(source, settings)
    stacks = [jobs[start : start + size] for start in range(0, len(jobs), size)]
    total = len(jobs) * settings.epochs
    outcomes = run_units(work, stacks, device=source.device, n_threads=n_threads, total=total, progress=progress)
    return [result for outcome in outcomes for result in outcome]


def apply_probes(
    frames: torch.Tensor,
    offsets: Integers,
    learned: Sequence[Learned],
    settings: EmoboxHead,
    *,
    device: str | torch.device = "cpu",
) -> NDArray[np.float32]:
    """Probabilities float32 (probes, n, classes) that trained probes give each utterance.

    On a CPU the utterances of a test part, in its order, get to the bit what training gave them; others' neighbours in
    a batch change theirs by rounding alone.

    Raises:
        InputError: The arrays do not fit each other, or an utterance has no frames.
    """
    n_classes = len(learned[0]["utterance_bias"])
    data = check_data(frames, offsets, np.zeros(len(offsets) - 1, dtype=np.int64), n_classes)
    source = make_batch_source(data, torch.device(device), DTYPES[settings.precision])

    def work(one: Learned, tick: Tick) -> NDArray[np.float32]:
        return predict_frames(source, one, settings, tick=tick)

    n = len(learned)
    return np.stack(run_units(work, learned, device=source.device, n_threads=None, total=n, progress=False))


def _stack_size(source: BatchSource, settings: EmoboxHead) -> int:
    """How many jobs to train as one. A CPU's cores are kept busy by one job each, without any padding."""
    if source.device.type == "cpu":
        return 1
    if source.device.type != "cuda":
        return MOST_STACKED
    width = len(settings.learning_rates) * settings.hidden_dim
    # Frames as gathered and as converted; hidden frames in both precisions, and their gradients.
    per_frame = 8 * source.data.frames.shape[1] + 16 * width
    per_job = longest_batch(source, settings.batch_size) * per_frame
    return max(1, min(MOST_STACKED, int(STACK_SHARE * free_memory(source.device)) // per_job))
