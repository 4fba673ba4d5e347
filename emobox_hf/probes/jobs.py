"""Jobs, inputs and results of training probes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

WEIGHTED = "weighted"
"""The name of the learned weighted sum of all layers, where a layer has its number."""
Indices = NDArray[np.int64]
Learned = Mapping[str, NDArray[Any]]
"""What a head has learned, by names of its own, see its `predict`; all that it needs to predict."""


class Split(NamedTuple):
    """The three parts of a fold as indices of utterances, int64 (n,) each."""

    train: Indices
    validation: Indices
    test: Indices


class FrameInputs(NamedTuple):
    """Frames (total_frames, dim) of all utterances; utterance i owns the rows `offsets[i]` to `offsets[i + 1]`."""

    frames: "torch.Tensor"
    offsets: "NDArray[np.int64] | torch.Tensor"


class VectorInputs(NamedTuple):
    """Mean over the frames of each utterance in each layer, float32 (n, layers, dim); the layers' numbers."""

    vectors: "torch.Tensor"
    layers: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Job:
    """One probe to train: a fold and a seed; all candidates of the settings belong to it."""

    fold: str
    train: Indices
    validation: Indices
    test: Indices
    seed: int


@dataclass(frozen=True)
class Candidate:
    """A setting that validation chooses from, and its scores on the validation part; the test part is unknown here.

    Attributes:
        choice: `{"learning_rate": …, "epoch": …}` with the best epoch counted from 1, or `{"c": …}`.
        validation_ua: UA on the validation part at that choice, from 0 to 1.
        validation_loss: Mean cross-entropy there. For the `linear` head, over the utterances whose class training has,
            and None if there are none; it is chosen by UA alone.
        last_validation_ua: UA after the last epoch; None for the `linear` head.
        last_validation_loss: Mean cross-entropy after the last epoch; None for the `linear` head.
        is_converged: Whether the solver ended within its iterations; None for the `emobox` head.
    """

    choice: dict[str, float]
    validation_ua: float
    validation_loss: float | None = None
    last_validation_ua: float | None = None
    last_validation_loss: float | None = None
    is_converged: bool | None = None


@dataclass(frozen=True)
class Curve:
    """What a training looked like from its validation part.

    Attributes:
        name: The candidate, such as `learning_rate 0.001`.
        ua: UA after each epoch, 0 to 1.
        loss: Mean cross-entropy after each epoch.
    """

    name: str
    ua: tuple[float, ...]
    loss: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """A trained probe: what validation chose, and the probabilities of the test part.

    Attributes:
        fold: The job's fold.
        seed: The job's seed.
        chosen: The choice of the candidate that validation preferred; of the `linear` head on one of several layers,
            also `{"layer": …}`, the layer's name.
        validation_ua: Its UA there, from 0 to 1.
        candidates: All candidates, in the order of the settings.
        test_probabilities: float32 (n_test, n_classes), rows in the order of the job's `test`.
        untrained_classes: Classes that the test part has and the training part lacks. They cannot be learned; the
            `linear` head gives them probability 0.
        seconds: Wall time of the job; of several that were trained as one, their wall time divided by their number.
        temperature: What the validation part asks for, see `scores.calibration.fit_temperature`; of the `linear` head,
            fitted before any refit.
        layer_weights: What a learned weighted sum gives to each layer, adding up to 1; None where there is no sum.
        learned: What the test part was predicted with; None where it is not kept, as of layers that are not scored.
        curves: One a candidate, of a head that is trained in epochs.
    """

    fold: str
    seed: int
    chosen: dict[str, float]
    validation_ua: float
    candidates: tuple[Candidate, ...]
    test_probabilities: NDArray[np.float32]
    untrained_classes: tuple[int, ...]
    seconds: float
    temperature: float = 1.0
    layer_weights: tuple[float, ...] | None = None
    learned: Learned | None = None
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True)
class Probed:
    """The probe of one fold and seed that is scored, beside those of all layers.

    Attributes:
        result: The probe that is scored: of several layers, the one that validation prefers.
        layers: Each layer's probe by the layer's number, and `weighted`; empty where one layer was asked for.
    """

    result: ProbeResult
    layers: Mapping[int | str, ProbeResult]


@dataclass(frozen=True, eq=False)
class LayerProbes:
    """Probes of one job of the `linear` head on the layers of an encoder.

    Attributes:
        by_layer: One result a layer, in the order given.
        best: Index of the layer that validation prefers: the best UA, then the lower loss of the model that was
            validated, before any refit, then the earlier layer.
        weighted: The probe on the learned weighted sum of the layers; None with a single layer.
    """

    by_layer: tuple[ProbeResult, ...]
    best: int
    weighted: ProbeResult | None

    def choose_layer(self) -> Probed:
        """The probe of the layer that validation prefers, beside those of all layers where there are several.

        Learned of the others are dropped, but for those of the weighted sum.
        """
        layers: dict[int | str, ProbeResult] = {}
        if len(self.by_layer) > 1:
            best = self.by_layer[self.best]
            kept = [one if one is best else replace(one, learned=None) for one in self.by_layer]
            layers = {int(one.chosen["layer"]): one for one in kept}
            if self.weighted is not None:
                layers[WEIGHTED] = self.weighted
        return Probed(self.by_layer[self.best], layers)


def list_jobs(splits: Mapping[str, Split], seeds: Sequence[int]) -> list[Job]:
    """One job for each fold and seed, folds in the order given.

    Processes that share the work take `jobs[rank::world_size]`; no job knows of another, so the results are the same.
    """
    return [
        Job(fold, split.train, split.validation, split.test, seed) for fold, split in splits.items() for seed in seeds
    ]
