"""The `emobox` head: a two-layer probe on frames, trained with Adam; validation chooses epoch and learning rate."""

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from emobox_hf.errors import InputError
from emobox_hf.probes.data import ProbeData
from emobox_hf.probes.jobs import Candidate, Indices, Job
from emobox_hf.probes.settings import ProbeSettings, scale_learning_rate
from emobox_hf.scores import compute_scores


class Weights(NamedTuple):
    """Weights of one head: (hidden, dim), (hidden,), (classes, hidden), (classes,)."""

    frame: torch.Tensor
    frame_bias: torch.Tensor
    utterance: torch.Tensor
    utterance_bias: torch.Tensor


class Validation(NamedTuple):
    """UA from 0 to 1 and mean cross-entropy of the validation part after an epoch."""

    ua: float
    loss: float


class Trained(NamedTuple):
    """One learning rate's outcome: its record, and the validation and weights of its best epoch."""

    candidate: Candidate
    validation: Validation
    weights: Weights


def draw_weights(dim: int, hidden_dim: int, n_classes: int, generator: torch.Generator) -> Weights:
    """First weights, each layer uniform within 1 / sqrt(inputs): the rule of torch's Linear, which EmoBox uses."""

    def uniform(*shape: int, inputs: int) -> torch.Tensor:
        bound = 1 / math.sqrt(inputs)
        return torch.empty(shape).uniform_(-bound, bound, generator=generator)

    return Weights(
        uniform(hidden_dim, dim, inputs=dim),
        uniform(hidden_dim, inputs=dim),
        uniform(n_classes, hidden_dim, inputs=hidden_dim),
        uniform(n_classes, inputs=hidden_dim),
    )


def forward(weights: Weights, frames: torch.Tensor, average: torch.Tensor) -> torch.Tensor:
    """Logits float32 (items, classes) of ragged frames (frames, dim) and their averaging matrix (items, frames).

    The frame layer runs in the dtype of the frames; means and logits are float32 always.
    """
    hidden = functional.linear(frames, weights.frame.to(frames.dtype), weights.frame_bias.to(frames.dtype)).relu()
    pooled = average @ hidden.to(torch.float32)  # (items, frames) @ (frames, hidden)
    logits: torch.Tensor = functional.linear(pooled, weights.utterance, weights.utterance_bias)
    return logits


def train_emobox(
    data: ProbeData, job: Job, settings: ProbeSettings, *, dtype: torch.dtype, tick: Callable[[], object]
) -> tuple[list[Candidate], Candidate, NDArray[np.float32]]:
    """Candidates (one a learning rate), the one chosen, and its test probabilities float32 (n_test, n_classes).

    All learning rates start from the same weights and see the same batches. The choice looks at the validation part
    alone: within a learning rate the epoch with the best UA, then the lower loss, then the earlier epoch; between
    learning rates the best UA, then the lower loss, then the earlier one in the settings. The test part is read once,
    by the chosen weights. `tick` is called after every epoch and may raise to end the training.
    """
    trained = [_train(data, job, settings, rate, dtype=dtype, tick=tick) for rate in settings.learning_rates]
    best = trained[best_of([one.validation for one in trained])]
    logits = predict(best.weights, data, job.test, batch_size=settings.batch_size, dtype=dtype)
    return [one.candidate for one in trained], best.candidate, logits.softmax(dim=1).cpu().numpy()


@torch.no_grad()
def predict(weights: Weights, data: ProbeData, items: Indices, *, batch_size: int, dtype: torch.dtype) -> torch.Tensor:
    """Logits float32 (items, classes)."""
    batches = (items[start : start + batch_size] for start in range(0, len(items), batch_size))
    return torch.cat([forward(weights, *data.batch(batch, dtype=dtype)) for batch in batches])


def _train(
    data: ProbeData,
    job: Job,
    settings: ProbeSettings,
    learning_rate: float,
    *,
    dtype: torch.dtype,
    tick: Callable[[], object],
) -> Trained:
    """The best epoch at one learning rate."""
    initial = draw_weights(data.frames.shape[1], settings.hidden_dim, data.n_classes, _generator(job, "weights"))
    weights = Weights(*(tensor.to(data.frames.device).requires_grad_() for tensor in initial))
    optimizer = torch.optim.Adam(weights, lr=learning_rate)
    best_weights = weights
    generator = _generator(job, "batches")
    history: list[Validation] = []
    for epoch in range(settings.epochs):
        scale = scale_learning_rate(epoch, epochs=settings.epochs, warmup_epochs=settings.warmup_epochs)
        optimizer.param_groups[0]["lr"] = learning_rate * scale
        order = job.train[torch.randperm(len(job.train), generator=generator).numpy()]
        for start in range(0, len(order), settings.batch_size):
            items = order[start : start + settings.batch_size]
            loss = functional.cross_entropy(forward(weights, *data.batch(items, dtype=dtype)), data.targets(items))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        history.append(_validate(weights, data, job, batch_size=settings.batch_size, dtype=dtype))
        if best_of(history) == epoch:
            best_weights = Weights(*(tensor.detach().clone() for tensor in weights))
        tick()
    best, last = best_of(history), history[-1]
    candidate = Candidate(
        {"learning_rate": learning_rate, "epoch": best + 1},
        validation_ua=history[best].ua,
        validation_loss=history[best].loss,
        last_validation_ua=last.ua,
        last_validation_loss=last.loss,
    )
    return Trained(candidate, history[best], best_weights)


def best_of(validations: Sequence[Validation]) -> int:
    """Index of the best UA; of several the one with the lowest loss, then the first."""
    return max(range(len(validations)), key=lambda index: (validations[index].ua, -validations[index].loss))


def _validate(weights: Weights, data: ProbeData, job: Job, *, batch_size: int, dtype: torch.dtype) -> Validation:
    logits = predict(weights, data, job.validation, batch_size=batch_size, dtype=dtype)
    loss = float(functional.cross_entropy(logits, data.targets(job.validation)))
    if not math.isfinite(loss):
        raise InputError(
            f"fold {job.fold}: the validation loss is not finite; check the frames for values that are not, and the "
            "learning rates for ones that are too high"
        )
    predictions = logits.argmax(dim=1).cpu().numpy()
    return Validation(compute_scores(data.labels[job.validation], predictions, data.n_classes).ua, loss)


def _generator(job: Job, purpose: str) -> torch.Generator:
    """A source of chance for one purpose of one job: SHA-256 of seed, fold and purpose, so jobs can run anywhere."""
    digest = hashlib.sha256(f"{job.seed}\n{job.fold}\n{purpose}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
