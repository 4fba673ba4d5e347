"""Features of one corpus or several to trained probes, shared over the processes of a launch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from emobox_hf.experiments.extraction import Features
from emobox_hf.features.ragged import concatenate
from emobox_hf.probes.jobs import Job, LayerProbes, ProbeResult, Split, list_jobs
from emobox_hf.probes.linear import train_linear_probes
from emobox_hf.probes.settings import ProbeSettings
from emobox_hf.probes.train import train_probes

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True)
class Probed:
    """One fold and seed.

    Attributes:
        result: The probe that is scored: of several layers, the one that validation prefers.
        layers: Each layer's probe by the layer's number, and `weighted`; empty where one layer was asked for.
    """

    result: ProbeResult
    layers: Mapping[int | str, ProbeResult]


def train_folds(
    features: Sequence[Features],
    labels: NDArray[np.int64],
    n_classes: int,
    splits: Mapping[str, Split],
    probe: ProbeSettings,
    accelerator: "Accelerator",
) -> list[Probed]:
    """Train and apply the probes of all folds and seeds, shared over all processes; every process gets all of them.

    Args:
        features: Of the corpora; utterances are counted through all of them.
        labels: Class of each utterance, int64 (n,).
        n_classes: Number of classes.
        splits: Fold -> indices of its parts.
        probe: The settings.
        accelerator: Of the launch.

    Raises:
        InputError: A part is empty, or the data do not fit the settings.
    """
    from accelerate.utils import gather_object

    jobs = list_jobs(splits, probe)
    rank, world = accelerator.process_index, accelerator.num_processes
    options = {"device": accelerator.device, "progress": accelerator.is_main_process}
    mine = _train(features, labels, n_classes, jobs[rank::world], probe, options)
    shared = gather_object(list(zip(range(rank, len(jobs), world), mine, strict=True)))
    return [probed for _, probed in sorted(shared, key=lambda pair: pair[0])]


def _train(
    features: Sequence[Features],
    labels: NDArray[np.int64],
    n_classes: int,
    jobs: Sequence[Job],
    probe: ProbeSettings,
    options: dict[str, Any],
) -> list[Probed]:
    if probe.head == "emobox":
        frames = concatenate([one.read_frames() for one in features])
        results = train_probes(frames.frames, frames.offsets, labels, n_classes, jobs, probe, **options)
        return [Probed(result, {}) for result in results]
    vectors, layers = zip(*(one.read_vectors() for one in features), strict=True)
    by_job = train_linear_probes(torch.cat(vectors), labels, n_classes, layers[0], jobs, probe, **options)
    return [_choose_layer(one) for one in by_job]


def _choose_layer(probes: LayerProbes) -> Probed:
    layers: dict[int | str, ProbeResult] = {}
    if len(probes.by_layer) > 1:
        layers = {int(one.chosen["layer"]): one for one in probes.by_layer}
        if probes.weighted is not None:
            layers["weighted"] = probes.weighted
    return Probed(probes.by_layer[probes.best], layers)
