"""What probes are trained on: frames, labels and their checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch

from emobox_hf.errors import InputError, first_five
from emobox_hf.probes.jobs import Indices, Job


@dataclass(frozen=True, eq=False)
class ProbeData:
    """Labelled ragged frames of n utterances; rows `offsets[i]` to `offsets[i + 1]` are utterance i.

    Attributes:
        frames: (total_frames, dim), floating point; float16 stays so and is widened batch by batch.
        offsets: int64 (n + 1,), rising from 0 to total_frames.
        labels: int64 (n,), from 0 to n_classes - 1.
        n_classes: Number of classes, whether or not each occurs.
    """

    frames: torch.Tensor
    offsets: Indices
    labels: Indices
    n_classes: int


def check_data(frames: torch.Tensor, offsets: object, labels: object, n_classes: int) -> ProbeData:
    """Frames, offsets and labels as ProbeData, after they were checked.

    Raises:
        InputError: Shapes or dtypes do not fit, an utterance has no frames, or a label is out of range.
    """
    bounds, classes = _integers("offsets", offsets), check_labels(labels, n_classes)
    if frames.ndim != 2 or not frames.is_floating_point():
        raise InputError(f"frames are floating point (frames, dim), not {frames.dtype} {tuple(frames.shape)}")
    if len(bounds) != len(classes) + 1 or bounds[0] != 0 or bounds[-1] != len(frames):
        raise InputError(
            f"offsets of {len(classes)} labelled utterances run from 0 to {len(frames)} in {len(classes) + 1} numbers; "
            f"found {len(bounds)} numbers from {bounds[:1]} to {bounds[-1:]}"
        )
    if len(empty := np.flatnonzero(np.diff(bounds) <= 0)):
        raise InputError(f"each utterance needs a frame, but these have none: {first_five(empty)}")
    return ProbeData(frames, bounds, classes, n_classes)


def check_labels(labels: object, n_classes: int) -> Indices:
    """The labels as int64 (n,), after they were checked.

    Raises:
        InputError: They are not whole numbers in one row, or one is out of range.
    """
    classes = _integers("labels", labels)
    if len(outside := np.flatnonzero((classes < 0) | (classes >= n_classes))):
        raise InputError(
            f"labels lie from 0 to {n_classes - 1}, but these utterances have others: "
            + first_five(f"{item} ({classes[item]})" for item in outside)
        )
    return classes


def check_jobs(jobs: Sequence[Job], labels: Indices) -> None:
    """Refuse jobs that cannot be trained or would leak.

    Raises:
        InputError: A part is empty, points outside the data or shares an utterance with another part, or the training
            part has a single class.
    """
    for job in jobs:
        parts = {name: _integers(name, getattr(job, name)) for name in ("train", "validation", "test")}
        for name, items in parts.items():
            if not len(items):
                raise InputError(f"fold {job.fold} has no utterance in {name}; every part needs one")
            if items.min() < 0 or items.max() >= len(labels):
                raise InputError(
                    f"fold {job.fold}: indices in {name} lie from 0 to {len(labels) - 1}, found "
                    f"{items.min()} to {items.max()}"
                )
        for (one, first), (other, second) in combinations(parts.items(), 2):
            if len(shared := np.intersect1d(first, second)):
                raise InputError(
                    f"fold {job.fold}: {one} and {other} share utterances {first_five(shared)}; remove them from one"
                )
        if len(found := np.unique(labels[parts["train"]])) < 2:
            raise InputError(f"fold {job.fold}: train needs two classes or more, found only {found[0]}")


def untrained_classes(labels: Indices, job: Job) -> tuple[int, ...]:
    """Classes of the test part that the training part lacks."""
    return tuple(np.setdiff1d(labels[job.test], labels[job.train]).tolist())


def _integers(name: str, values: object) -> Indices:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise InputError(f"{name} are whole numbers in one row, not {array.dtype} {array.shape}")
    return array.astype(np.int64, copy=False)
