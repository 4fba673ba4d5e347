"""The settings of a probe; the defaults are EmoBox's."""

from dataclasses import dataclass
from typing import Literal, get_args

from emobox_hf.errors import InputError

Head = Literal["emobox", "linear"]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """How probes are trained; everything a score depends on besides the frames, the labels and the splits.

    Defaults of the `emobox` head are the paper's (arXiv 2406.07162, experimental setup: Adam, 100 epochs of which 10
    warm up, learning rate 1e-3 or 1e-4) and, where it is silent, those of its released settings files (hidden size
    256, batches of 32, last partial batch kept, Adam without weight decay). The `linear` head is not the paper's.

    Attributes:
        head: "emobox": Linear(dim, hidden_dim) -> ReLU -> mean over the frames -> Linear(hidden_dim, classes), on
            frames. "linear": multinomial logistic regression on mean-pooled frames.
        seeds: Seeds of the `emobox` head's first weights and batches. The `linear` head draws nothing.
        hidden_dim: Width of the `emobox` head.
        epochs: Passes over the training part.
        warmup_epochs: Epochs of rising learning rate, see `scale_learning_rate`.
        batch_size: Utterances in a batch.
        learning_rates: Candidates; validation chooses.
        precision: In what the `emobox` head's frame layer is computed; means, logits and weights are float32 always.
        regularisation: Candidates for the `linear` head's C, scikit-learn's inverse strength of the L2 penalty on the
            sum (not mean) of the losses; validation chooses.
        standardize: Bring each dimension of the `linear` head's input to mean 0 and variance 1 on the training part.
        refit: Fit the `linear` head once more on train and validation together with the chosen C, standardisation
            included. The `emobox` head is never refitted: its epoch was chosen for the weights it has.
        max_iterations: Steps of the `linear` head's solvers at most, for each C. Ten are usual on a layer; on the
            weighted sum of layers no more than `weighted.MOST_STEPS` are taken.
    """

    head: Head = "emobox"
    seeds: tuple[int, ...] = (0,)
    hidden_dim: int = 256
    epochs: int = 100
    warmup_epochs: int = 10
    batch_size: int = 32
    learning_rates: tuple[float, ...] = (1e-3, 1e-4)
    precision: Precision = "float32"
    regularisation: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1)
    standardize: bool = True
    refit: bool = True
    max_iterations: int = 2000

    def __post_init__(self) -> None:
        """Refuse settings that no probe can be trained with."""
        if self.head not in get_args(Head):
            raise InputError(f"head is one of {', '.join(get_args(Head))}, not {self.head!r}")
        if self.precision not in get_args(Precision):
            raise InputError(f"precision is one of {', '.join(get_args(Precision))}, not {self.precision!r}")
        for name in ("hidden_dim", "epochs", "batch_size", "max_iterations"):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"{name} is a whole number from 1, not {value}")
        if not 0 <= self.warmup_epochs < self.epochs:
            raise InputError(f"warmup_epochs lies from 0 to below epochs ({self.epochs}), not at {self.warmup_epochs}")
        for name in ("learning_rates", "regularisation"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values) or not all(value > 0 for value in values):
                raise InputError(f"{name} are different numbers above 0, at least one; found {values}")
        is_valid = all(0 <= seed < 2**63 for seed in self.seeds)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or not is_valid:
            raise InputError(f"seeds are different whole numbers from 0 to 2**63 - 1, at least one; found {self.seeds}")


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
