"""Heads: what is trained on frozen features, each a value with its own settings. Cheap to import; loads no torch.

A new head, a regression head for instance, is a frozen dataclass here with what `Head` asks for, and an entry in
`HEADS`; its computation is a module beside this one, imported when it trains. What it learns, classes by number today,
is made in `experiments.steps`. Command line, records, runs and reports know heads by this module alone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, get_args

import numpy as np
from numpy.typing import NDArray

from emobox_hf.dataclass_reader import read_as
from emobox_hf.errors import InputError, suggest
from emobox_hf.precision import ProbePrecision
from emobox_hf.probes.jobs import FrameInputs, Job, Learned, Probed, VectorInputs

if TYPE_CHECKING:
    import torch


class Head(Protocol):
    """What every head offers, so that runs and records need not know which one it is.

    Attributes:
        name: What users call it.
        reads: `frames` of one layer, or `vectors`, the means of utterances over time, of one layer or of all.
        seeds: One probe is trained for each; by default each draws a validation part of its own, too.
        is_random: Whether training draws anything; if not, seeds that share a validation part give the same probe.
    """

    name: ClassVar[str]
    reads: ClassVar[Literal["frames", "vectors"]]
    is_random: ClassVar[bool]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the first weights and whatever else is drawn at random."""
        ...

    def settings(self) -> dict[str, Any]:
        """Everything that shapes its scores, as plain JSON, with its name under `head`."""
        ...

    @classmethod
    def from_settings(cls, table: Mapping[str, Any]) -> Self:
        """The head with the settings of a record."""
        ...

    def train(
        self,
        inputs: Any,
        labels: NDArray[np.int64],
        n_classes: int,
        jobs: Sequence[Job],
        *,
        device: "str | torch.device" = "cpu",
        progress: bool = False,
    ) -> list[Probed]:
        """Train and apply a probe for each job, in their order; `inputs` are what it reads."""
        ...

    def predict(
        self, inputs: Any, learned: Sequence[Learned], *, device: "str | torch.device" = "cpu"
    ) -> NDArray[np.float32]:
        """Probabilities float32 (probes, n, classes) of what trained probes say; `learned` is of their results."""
        ...


class _Settings:
    """A head's fields to and from plain JSON."""

    name: ClassVar[str]

    def settings(self) -> dict[str, Any]:
        """Everything that shapes its scores, as plain JSON, with its name under `head`."""
        table: dict[str, Any] = {"head": self.name, **json.loads(json.dumps(asdict(self)))}  # type: ignore[call-overload]
        return table

    @classmethod
    def from_settings(cls, table: Mapping[str, Any]) -> Self:
        """The head with the settings of a record.

        Raises:
            InputError: A setting is not the head's, or a value is none that it can be trained with.
        """
        head: Self = read_as(cls, {name: value for name, value in table.items() if name != "head"}, "probe")
        return head


@dataclass(frozen=True, kw_only=True)
class EmoboxHead(_Settings):
    """The paper's head: Linear(dim, hidden_dim) -> ReLU -> mean over the frames -> Linear(hidden_dim, classes).

    Defaults are the paper's (arXiv 2406.07162, experimental setup: Adam, 100 epochs of which 10 warm up, learning rate
    1e-3 or 1e-4) and, where it is silent, those of its released settings files (hidden size 256, batches of 32, last
    partial batch kept, Adam without weight decay).

    Attributes:
        seeds: Of the first weights and the batches.
        hidden_dim: Width of the hidden layer.
        epochs: Passes over the training part.
        warmup_epochs: Epochs of rising learning rate, see `scale_learning_rate`; a shorter training warms up for all
            epochs but its last.
        batch_size: Utterances in a batch.
        learning_rates: Candidates; validation chooses.
        precision: In what the frame layer is computed; means, logits and weights are float32 always.
    """

    name: ClassVar[str] = "emobox"
    reads: ClassVar[Literal["frames", "vectors"]] = "frames"
    is_random: ClassVar[bool] = True

    seeds: tuple[int, ...] = (0,)
    hidden_dim: int = 256
    epochs: int = 100
    warmup_epochs: int = 10
    batch_size: int = 32
    learning_rates: tuple[float, ...] = (1e-3, 1e-4)
    precision: ProbePrecision = "float32"

    def __post_init__(self) -> None:
        """Refuse settings that no probe can be trained with."""
        if self.precision not in get_args(ProbePrecision):
            raise InputError(f"precision is one of {', '.join(get_args(ProbePrecision))}, not {self.precision!r}")
        _check_counts(self, "hidden_dim", "epochs", "batch_size")
        if not 0 <= self.warmup_epochs < self.epochs:
            raise InputError(f"warmup_epochs lies from 0 to below epochs ({self.epochs}), not at {self.warmup_epochs}")
        _check_candidates(self, "learning_rates")
        _check_seeds(self.seeds)

    def train(
        self,
        inputs: FrameInputs,
        labels: NDArray[np.int64],
        n_classes: int,
        jobs: Sequence[Job],
        *,
        device: "str | torch.device" = "cpu",
        progress: bool = False,
    ) -> list[Probed]:
        """One probe a job, trained and applied on frames as `train.train_probes` says."""
        from emobox_hf.probes.train import train_probes

        results = train_probes(*inputs, labels, n_classes, jobs, self, device=device, progress=progress)
        return [Probed(result, {}) for result in results]

    def predict(
        self, inputs: FrameInputs, learned: Sequence[Learned], *, device: "str | torch.device" = "cpu"
    ) -> NDArray[np.float32]:
        """Probabilities float32 (probes, n, classes), see `train.apply_probes`."""
        from emobox_hf.probes.train import apply_probes

        return apply_probes(*inputs, learned, self, device=device)


@dataclass(frozen=True, kw_only=True)
class LinearHead(_Settings):
    """Multinomial logistic regression on mean-pooled frames, convex, of any or all layers; it is not the paper's.

    Attributes:
        seeds: Of the draws of the validation part; fitting draws nothing.
        regularisation: Candidates for C, scikit-learn's inverse strength of the L2 penalty on the sum (not mean) of the
            losses; validation chooses.
        standardize: Bring each dimension of the input to mean 0 and variance 1 on the training part.
        refit: Fit once more on train and validation together with the chosen C, standardisation included.
        max_iterations: Steps of the solvers at most, for each C. Ten are usual on a layer; on the weighted sum of
            layers no more than `weighted.MOST_STEPS` are taken.
    """

    name: ClassVar[str] = "linear"
    reads: ClassVar[Literal["frames", "vectors"]] = "vectors"
    is_random: ClassVar[bool] = False

    seeds: tuple[int, ...] = (0,)
    regularisation: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2)
    standardize: bool = True
    refit: bool = True
    max_iterations: int = 2000

    def __post_init__(self) -> None:
        """Refuse settings that no probe can be trained with."""
        _check_counts(self, "max_iterations")
        _check_candidates(self, "regularisation")
        _check_seeds(self.seeds)

    def train(
        self,
        inputs: VectorInputs,
        labels: NDArray[np.int64],
        n_classes: int,
        jobs: Sequence[Job],
        *,
        device: "str | torch.device" = "cpu",
        progress: bool = False,
    ) -> list[Probed]:
        """One probe a job, trained and applied on mean vectors as `linear.train_linear_probes` says."""
        from emobox_hf.probes.linear import train_linear_probes

        vectors, layers = inputs
        found = train_linear_probes(vectors, labels, n_classes, layers, jobs, self, device=device, progress=progress)
        return [one.choose_layer() for one in found]

    def predict(
        self, inputs: VectorInputs, learned: Sequence[Learned], *, device: "str | torch.device" = "cpu"
    ) -> NDArray[np.float32]:
        """Probabilities float32 (probes, n, classes), see `linear.apply_linear_probes`."""
        from emobox_hf.probes.linear import apply_linear_probes

        return apply_linear_probes(*inputs, learned, device=device)


HEADS: Mapping[str, type[EmoboxHead] | type[LinearHead]] = {head.name: head for head in (EmoboxHead, LinearHead)}
"""Every head by its name."""


def make_head(name: str, **options: Any) -> EmoboxHead | LinearHead:
    """The head of a name, with those of the `options` that it has; it does without those that only other heads have.

    Raises:
        InputError: There is no such head, no head has such an option, or one cannot be trained with such a value.
    """
    if name not in HEADS:
        raise InputError(f"no head {name!r}{suggest(name, HEADS)}")
    known = {field.name for kind in HEADS.values() for field in fields(kind)}
    if unknown := sorted(set(options) - known):
        raise InputError(f"no head has an option {unknown[0]!r}{suggest(unknown[0], known)}")
    kind = HEADS[name]
    own = {field.name for field in fields(kind)}
    chosen = {option: value for option, value in options.items() if option in own}
    if "warmup_epochs" in own and "epochs" in chosen:  # a short training warms up for less than its length
        usual = EmoboxHead.warmup_epochs
        chosen = {"warmup_epochs": max(0, min(usual, chosen["epochs"] - 1)), **chosen}
    return kind(**chosen)


def scale_learning_rate(epoch: int, *, epochs: int, warmup_epochs: int) -> float:
    """What the learning rate is multiplied by in `epoch`, counted from 0; it changes once an epoch.

    With E epochs of which W warm up: (e + 1) / (W + 1) while e < W, then (E - e) / (E - W). So it rises evenly to 1,
    which epoch W has, and falls evenly to 1 / (E - W) in the last epoch: no epoch is spent at rate 0. From epoch W on
    this is EmoBox's own schedule; its warm-up is e / W, but for a first epoch at the full rate, which comes from the
    scheduler being asked only after that epoch and is not repeated here.
    """
    if epoch < warmup_epochs:
        return (epoch + 1) / (warmup_epochs + 1)
    return (epochs - epoch) / (epochs - warmup_epochs)


def _check_seeds(seeds: tuple[int, ...]) -> None:
    if not seeds or len(set(seeds)) < len(seeds) or not all(0 <= seed < 2**63 for seed in seeds):
        raise InputError(f"seeds are different whole numbers from 0 to 2**63 - 1, at least one; found {seeds}")


def _check_counts(head: object, *names: str) -> None:
    for name in names:
        if (value := getattr(head, name)) < 1:
            raise InputError(f"{name} is a whole number from 1, not {value}")


def _check_candidates(head: object, name: str) -> None:
    values = getattr(head, name)
    if not values or len(set(values)) < len(values) or not all(value > 0 for value in values):
        raise InputError(f"{name} are different numbers above 0, at least one; found {values}")
