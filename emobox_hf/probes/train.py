"""Training of many probes: each job on one core, several jobs side by side."""

import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from emobox_hf.errors import InputError
from emobox_hf.probes.data import ProbeData, check_data, check_jobs, untrained_classes
from emobox_hf.probes.emobox import train_emobox
from emobox_hf.probes.jobs import Candidate, Job, ProbeResult
from emobox_hf.probes.linear import train_linear
from emobox_hf.probes.settings import ProbeSettings

Integers = NDArray[np.int64] | torch.Tensor
Trained = tuple[list[Candidate], Candidate, NDArray[np.float32]]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def train_probes(
    frames: torch.Tensor,
    offsets: Integers,
    labels: Integers,
    n_classes: int,
    jobs: Sequence[Job],
    settings: ProbeSettings,
    *,
    device: str | torch.device = "cpu",
    precision: Literal["float32", "bfloat16"] = "float32",
    n_threads: int | None = None,
    progress: bool = False,
) -> list[ProbeResult]:
    """Train and apply the probes of `jobs`; one result for each, in their order.

    A job's result depends on nothing but the job: it computes on one core and draws from its own seeds, so neither
    `n_threads`, nor the number of processes that share the jobs, nor `OMP_NUM_THREADS` changes a bit of it. While the
    call runs, torch and BLAS use one core an operation in this whole process.

    Args:
        frames: (total_frames, dim), floating point. float16 is widened batch by batch, so memory does not double.
        offsets: int64 (n + 1,); utterance i owns the rows `offsets[i]` to `offsets[i + 1]`.
        labels: int64 (n,), from 0 to n_classes - 1.
        n_classes: Number of classes, whether or not each occurs.
        jobs: What to train.
        settings: How.
        device: Where the `emobox` head computes; frames are moved there whole. The `linear` head computes on the CPU.
        precision: dtype of the `emobox` head's frame layer; means, logits and weights are float32 always.
        n_threads: Jobs side by side on the CPU; without it, the cores this process may use, divided by
            `$LOCAL_WORLD_SIZE`. On a GPU jobs run one after the other.
        progress: Show a bar, on a terminal alone.

    Raises:
        InputError: The arrays do not fit each other, an utterance has no frames, a label is out of range, or a job has
            an empty part, shares utterances between parts or trains on a single class.
    """
    if precision not in DTYPES:
        raise InputError(f"precision is one of {', '.join(DTYPES)}, not {precision!r}")
    data = check_data(frames, offsets, labels, n_classes)
    check_jobs(jobs, data)
    is_cpu = settings.head == "linear" or torch.device(device).type == "cpu"
    is_hidden = not (progress and sys.stderr.isatty())
    total = len(jobs) * _steps_of_a_job(settings)
    is_over = threading.Event()
    with _one_core_each(), tqdm(desc="probe", total=total, unit=" steps", disable=is_hidden) as bar:

        def tick() -> None:
            if is_over.is_set():
                raise CancelledError
            bar.update()

        train = _trainer(data, settings, device=device, dtype=DTYPES[precision], tick=tick)
        pool = ThreadPoolExecutor((n_threads or _cores()) if is_cpu else 1)
        try:
            return list(pool.map(lambda job: _run(train, data, job), jobs))
        finally:
            # After an error or Ctrl-C the jobs that run end with their next step, and no more are started.
            is_over.set()
            pool.shutdown(cancel_futures=True)


def _steps_of_a_job(settings: ProbeSettings) -> int:
    """Epochs of all learning rates, or fits of all candidates for C."""
    if settings.head == "linear":
        return len(settings.regularisation)
    return len(settings.learning_rates) * settings.epochs


def _trainer(
    data: ProbeData,
    settings: ProbeSettings,
    *,
    device: str | torch.device,
    dtype: torch.dtype,
    tick: Callable[[], None],
) -> Callable[[Job], Trained]:
    if settings.head == "linear":
        vectors = data.pooled()
        return lambda job: train_linear(vectors, data.labels, data.n_classes, job, settings, tick=tick)
    here = ProbeData(data.frames.to(device), data.offsets, data.labels, data.n_classes)
    return lambda job: train_emobox(here, job, settings, dtype=dtype, tick=tick)


def _run(train: Callable[[Job], Trained], data: ProbeData, job: Job) -> ProbeResult:
    started = time.perf_counter()
    candidates, chosen, probabilities = train(job)
    return ProbeResult(
        fold=job.fold,
        seed=job.seed,
        chosen=chosen.choice,
        validation_ua=chosen.validation_ua,
        candidates=tuple(candidates),
        test_probabilities=probabilities,
        untrained_classes=untrained_classes(data, job),
        seconds=time.perf_counter() - started,
    )


@contextmanager
def _one_core_each() -> Iterator[None]:
    """Within, every thread computes alone: a sum shared between cores is added up in another order, and differs.

    torch hands its number to each thread that computes for the first time, so the pool's new threads inherit it.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1), warnings.catch_warnings():
            # Candidates say themselves whether they converged. Filters are shared by all threads: set once, here.
            warnings.simplefilter("ignore", ConvergenceWarning)
            yield
    finally:
        torch.set_num_threads(before)


def _cores() -> int:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, allowed // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
