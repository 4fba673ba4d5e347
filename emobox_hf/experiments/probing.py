"""Features of one corpus or several to trained probes, shared over the processes of a launch."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from emobox_hf.experiments.extraction import Features
from emobox_hf.features.ragged import concatenate
from emobox_hf.probes import FrameInputs, Head, Job, Probed, VectorInputs

if TYPE_CHECKING:
    from accelerate import Accelerator


def train_jobs(
    inputs: FrameInputs | VectorInputs,
    labels: NDArray[np.int64],
    n_classes: int,
    jobs: Sequence[Job],
    head: Head,
    accelerator: "Accelerator",
) -> list[Probed]:
    """Train and apply the probes of all folds and seeds, shared over all processes; every process gets all of them.

    Args:
        inputs: What the head reads, of all corpora; utterances are counted through all of them.
        labels: Class of each utterance, int64 (n,).
        n_classes: Number of classes.
        jobs: A probe for each fold and seed.
        head: What is trained.
        accelerator: Of the launch.

    Raises:
        InputError: A part is empty, or the data do not fit the settings.
    """
    from accelerate.utils import gather_object

    rank, world = accelerator.process_index, accelerator.num_processes
    device = accelerator.device
    mine = head.train(inputs, labels, n_classes, jobs[rank::world], device=device, progress=accelerator.is_main_process)
    shared = gather_object(list(zip(range(rank, len(jobs), world), mine, strict=True)))
    return [probed for _, probed in sorted(shared, key=lambda pair: pair[0])]


def read_inputs(features: Sequence[Features], head: Head) -> FrameInputs | VectorInputs:
    """What a head reads, from the stores of the corpora.

    Raises:
        DamagedShardError: What is stored changed since it was written.
    """
    return READERS[head.reads](features)


def _read_frames(features: Sequence[Features]) -> FrameInputs:
    ragged = concatenate([one.read_frames() for one in features])
    return FrameInputs(ragged.frames, ragged.offsets)


def _read_vectors(features: Sequence[Features]) -> VectorInputs:
    vectors, layers = zip(*(one.read_vectors() for one in features), strict=True)
    return VectorInputs(torch.cat(vectors), layers[0])


READERS: Mapping[str, Callable[[Sequence[Features]], FrameInputs | VectorInputs]] = {
    "frames": _read_frames,
    "vectors": _read_vectors,
}
"""How what a head reads is got from the store, by `Head.reads`."""
