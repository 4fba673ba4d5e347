"""The `emobox` head: many two-layer probes on frames trained as one; validation chooses epoch and learning rate."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from emobox_hf.errors import InputError
from emobox_hf.probes.adam import Adam
from emobox_hf.probes.batches import Batch, BatchSource, list_batches
from emobox_hf.probes.heads import EmoboxHead, scale_learning_rate
from emobox_hf.probes.jobs import Candidate, Curve, Indices, Job, Learned
from emobox_hf.scores import fit_temperature, ua


class Weights(NamedTuple):
    """Weights of a stack of heads, one a job and learning rate, as torch's Linear lays them out.

    (jobs, rates * hidden, dim), (jobs, 1, rates * hidden), (jobs, rates, classes, hidden), (jobs, rates, 1, classes):
    the learning rates of a job see the same batches, so their frame layers are one matrix.
    """

    frame: torch.Tensor
    frame_bias: torch.Tensor
    utterance: torch.Tensor
    utterance_bias: torch.Tensor


@dataclass(frozen=True)
class WeightLayout:
    """Where each weight of a job lies in one row of parameters: layer by layer, within a layer rate by rate."""

    rates: int
    dim: int
    hidden: int
    classes: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """Parameters of each of the four weights, for one rate."""
        return self.hidden * self.dim, self.hidden, self.classes * self.hidden, self.classes

    def view(self, flat: torch.Tensor) -> Weights:
        """The weights that `flat` (jobs, parameters) holds; they share its memory."""
        ends = list(accumulate(self.rates * size for size in self.sizes))
        frame, frame_bias, utterance, bias = flat.tensor_split(ends[:-1], dim=1)
        return Weights(
            frame.view(-1, self.rates * self.hidden, self.dim),
            frame_bias[:, None],
            utterance.view(-1, self.rates, self.classes, self.hidden),
            bias.view(-1, self.rates, 1, self.classes),
        )

    def rate_of_parameters(self) -> torch.Tensor:
        """Which learning rate each parameter of a row belongs to, int64 (parameters,)."""
        rates = torch.arange(self.rates)
        return torch.cat([rates.repeat_interleave(size) for size in self.sizes])


class Validation(NamedTuple):
    """UA from 0 to 1 and mean cross-entropy of the validation part after an epoch."""

    ua: float
    loss: float


class Trained(NamedTuple):
    """A trained job: a candidate for each learning rate, what the chosen one predicts and its temperature.

    Probabilities are float32 (n_test, n_classes).
    """

    candidates: list[Candidate]
    chosen: Candidate
    test_probabilities: NDArray[np.float32]
    temperature: float
    learned: Learned
    curves: tuple[Curve, ...]


History = list[list[list[Validation]]]
"""By job, learning rate and epoch."""


def draw_weights(dim: int, hidden_dim: int, n_classes: int, generator: torch.Generator) -> list[torch.Tensor]:
    """Initial weights (hidden, dim), (hidden,), (classes, hidden), (classes,) of one head.

    Each layer is uniform within 1 / sqrt(inputs): the rule of torch's Linear, which EmoBox uses.
    """

    def uniform(*shape: int, inputs: int) -> torch.Tensor:
        bound = 1 / math.sqrt(inputs)
        return torch.empty(shape).uniform_(-bound, bound, generator=generator)

    return [
        uniform(hidden_dim, dim, inputs=dim),
        uniform(hidden_dim, inputs=dim),
        uniform(n_classes, hidden_dim, inputs=hidden_dim),
        uniform(n_classes, inputs=hidden_dim),
    ]


def generator_of(job: Job, purpose: str) -> torch.Generator:
    """A random generator for one purpose of one job, seeded with SHA-256 of seed, fold and purpose."""
    digest = hashlib.sha256(f"{job.seed}\n{job.fold}\n{purpose}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def forward(weights: Weights, batch: Batch, averages: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Hidden frames (jobs, frames, rates * hidden), their means (jobs, rates, items, hidden), logits (…, classes).

    The frame layer runs in the dtype of the frames; means and logits are float32 always.
    """
    dtype = batch.frames.dtype
    hidden = multiply(batch.frames, weights.frame.to(dtype).mT).add_(weights.frame_bias.to(dtype)).relu_()
    pooled = multiply(averages, hidden.to(torch.float32))  # (jobs, items, rates * hidden)
    n_jobs, n_rates, _, n_hidden = weights.utterance.shape
    pooled = pooled.view(n_jobs, -1, n_rates, n_hidden).transpose(1, 2)  # (jobs, rates, items, hidden)
    return hidden, pooled, pooled @ weights.utterance.mT + weights.utterance_bias


def backward(weights: Weights, batch: Batch, gradients: Weights) -> None:
    """Write the gradients of each head's mean cross-entropy over its batch into `gradients`.

    Written out, because frames need no gradient and all frames of an item have the same one: what autograd would
    multiply (frames x items x hidden) is looked up here.
    """
    hidden, pooled, logits = forward(weights, batch, batch.averages())
    is_item = batch.lengths > 0
    share = is_item / is_item.sum(dim=1, keepdim=True).clamp(min=1)  # (jobs, items)
    one_hot = functional.one_hot(batch.targets, logits.shape[-1])[:, None]  # (jobs, 1, items, classes)
    error = (logits.softmax(dim=-1) - one_hot) * share[:, None, :, None]
    gradients.utterance.copy_(error.mT @ pooled)
    gradients.utterance_bias.copy_(error.sum(dim=2, keepdim=True))
    means = (error @ weights.utterance).transpose(1, 2).flatten(2)  # (jobs, items, rates * hidden)
    rows = functional.pad(means / batch.lengths.clamp(min=1)[:, :, None], (0, 0, 0, 1))  # one row of 0 for padding
    first = torch.arange(len(rows), device=rows.device)[:, None] * rows.shape[1]
    frame_gradient = rows.to(hidden.dtype).flatten(0, 1).index_select(0, (first + batch.owner).flatten())
    frame_gradient = frame_gradient.view_as(hidden)  # (jobs, frames, rates * hidden)
    frame_gradient = torch.ops.aten.threshold_backward(frame_gradient, hidden, 0)
    gradients.frame.copy_(multiply(frame_gradient.mT, batch.frames))
    gradients.frame_bias.copy_(frame_gradient.sum(dim=1, keepdim=True, dtype=torch.float32))


def multiply(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The product of two stacks of matrices; a stack of one is multiplied as plain matrices, faster on a CPU."""
    return (one[0] @ other[0])[None] if len(one) == 1 else one @ other


@torch.no_grad()
def train_stack(
    source: BatchSource, jobs: Sequence[Job], settings: EmoboxHead, *, tick: Callable[[int], object]
) -> list[Trained]:
    """Probes of all `jobs` and learning rates, trained as one computation; each as if alone, up to rounding.

    All learning rates of a job start from the same weights and see the same batches. The choice looks at the
    validation part alone: within a learning rate the epoch with the best UA, then the lower loss, then the earlier
    epoch; between learning rates the best UA, then the lower loss, then the earlier one in the settings. The test part
    is read once, by the chosen weights. `tick` is called with the number of jobs after every epoch and may raise to
    end the training.

    Raises:
        InputError: A validation loss is not finite.
    """
    data = source.data
    layout = WeightLayout(len(settings.learning_rates), data.frames.shape[1], settings.hidden_dim, data.n_classes)
    flat = _first_weights(jobs, layout).to(source.device)
    best, gradient = flat.clone(), torch.empty_like(flat)
    weights, gradients = layout.view(flat), layout.view(gradient)
    rate_of_parameters = layout.rate_of_parameters().to(source.device)
    adam = Adam(flat, torch.tensor(settings.learning_rates).to(source.device)[rate_of_parameters])
    generators = [generator_of(job, "batches") for job in jobs]
    batch_size = settings.batch_size
    validation = list_batches([job.validation for job in jobs], batch_size)
    history: History = [[[] for _ in settings.learning_rates] for _ in jobs]
    for epoch in range(settings.epochs):
        items = list_batches(
            [_shuffle(job.train, generator) for job, generator in zip(jobs, generators, strict=True)], batch_size
        )
        scale = scale_learning_rate(epoch, epochs=settings.epochs, warmup_epochs=settings.warmup_epochs)
        steps = adam.plan(items[:, :, 0] >= 0, scale)
        for step, batch in zip(steps, source.read(items), strict=True):
            backward(weights, batch, gradients)
            adam.step(flat, gradient, step)
        is_better = _add_epoch(history, jobs, *_validate(weights, source, validation))
        best = torch.where(is_better.to(source.device)[:, rate_of_parameters], flat, best)
        tick(len(jobs))
    return _predict_test(source, jobs, settings, layout.view(best), history)


def best_validation(validations: Sequence[Validation]) -> int:
    """Index of the best UA; of several the one with the lowest loss, then the first."""
    return max(range(len(validations)), key=lambda index: (validations[index].ua, -validations[index].loss))


def _shuffle(items: Indices, generator: torch.Generator) -> Indices:
    order: Indices = items[torch.randperm(len(items), generator=generator).numpy()]
    return order


def _first_weights(jobs: Sequence[Job], layout: WeightLayout) -> torch.Tensor:
    """Initial parameters float32 (jobs, parameters); all rates of a job begin alike."""
    rows = []
    for job in jobs:
        drawn = draw_weights(layout.dim, layout.hidden, layout.classes, generator_of(job, "weights"))
        rows.append(torch.cat([tensor.flatten().repeat(layout.rates) for tensor in drawn]))
    return torch.stack(rows)


def _validate(weights: Weights, source: BatchSource, items: Indices) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """UA and mean cross-entropy of the validation parts, (jobs, rates) each; all that leaves the device in an epoch."""
    found = []
    for batch in source.read(items):
        *_, logits = forward(weights, batch, batch.averages())
        one_hot = functional.one_hot(batch.targets, logits.shape[-1]) * (batch.lengths > 0)[:, :, None]
        one_hot = one_hot[:, None].to(logits.dtype)  # (jobs, 1, items, classes)
        predicted = functional.one_hot(logits.argmax(dim=-1), logits.shape[-1]).to(logits.dtype)
        loss = -(logits.log_softmax(dim=-1) * one_hot).sum(dim=(2, 3))
        found.append(torch.cat([(one_hot.mT @ predicted).flatten(2), loss[:, :, None]], dim=2))
    sums = torch.stack(found).sum(dim=0).cpu().numpy().astype(np.float64)  # (jobs, rates, classes * classes + 1)
    n_classes = source.data.n_classes
    confusion = sums[:, :, :-1].reshape(*sums.shape[:2], n_classes, n_classes)
    return ua(confusion), sums[:, :, -1] / (items >= 0).sum(axis=(0, 2))[:, None]


def _add_epoch(
    history: History, jobs: Sequence[Job], uas: NDArray[np.float64], losses: NDArray[np.float64]
) -> torch.Tensor:
    """Whether an epoch is the best so far, bool (jobs, rates), after it was added to the history."""
    is_better = torch.zeros(uas.shape, dtype=torch.bool)
    for (index, rate), loss in np.ndenumerate(losses):
        if not math.isfinite(loss):
            raise InputError(
                f"fold {jobs[index].fold}: the validation loss is not finite; check the frames for values that are "
                "not, and the learning rates for ones that are too high"
            )
        epochs = history[index][rate]
        epochs.append(Validation(float(uas[index, rate]), float(loss)))
        is_better[index, rate] = best_validation(epochs) == len(epochs) - 1
    return is_better


def _predict_test(
    source: BatchSource, jobs: Sequence[Job], settings: EmoboxHead, best: Weights, history: History
) -> list[Trained]:
    """Each job's test part, predicted with the learning rate that validation prefers."""
    candidates = [
        [_candidate(rate, epochs) for rate, epochs in zip(settings.learning_rates, of_job, strict=True)]
        for of_job in history
    ]
    chosen = [best_validation([epochs[best_validation(epochs)] for epochs in of_job]) for of_job in history]
    rows, n_rates = torch.arange(len(jobs)), len(settings.learning_rates)
    weights = Weights(
        best.frame.reshape(len(jobs), n_rates, settings.hidden_dim, -1)[rows, chosen],
        best.frame_bias.reshape(len(jobs), n_rates, 1, settings.hidden_dim)[rows, chosen],
        best.utterance[rows, chosen][:, None],
        best.utterance_bias[rows, chosen][:, None],
    )
    seen, tested = (
        _predict(source, weights, list_batches(parts, settings.batch_size))
        for parts in ([job.validation for job in jobs], [job.test for job in jobs])
    )
    return [
        Trained(
            candidates[index],
            candidates[index][chosen[index]],
            tested[index, : len(job.test)].softmax(dim=-1).cpu().numpy(),
            fit_temperature(seen[index, : len(job.validation)].cpu().numpy(), source.data.labels[job.validation]),
            _keep(weights, index),
            tuple(map(_curve, settings.learning_rates, history[index])),
        )
        for index, job in enumerate(jobs)
    ]


def _curve(learning_rate: float, epochs: Sequence[Validation]) -> Curve:
    uas, losses = zip(*epochs, strict=True)
    return Curve(f"learning_rate {learning_rate:g}", uas, losses)


def _keep(weights: Weights, index: int) -> Learned:
    """The weights of one head of a stack, float32, as torch's Linear lays them out."""
    kept = {
        "frame": weights.frame[index],  # (hidden, dim)
        "frame_bias": weights.frame_bias[index, 0],
        "utterance": weights.utterance[index, 0],  # (classes, hidden)
        "utterance_bias": weights.utterance_bias[index, 0, 0],
    }
    return {name: tensor.cpu().numpy().copy() for name, tensor in kept.items()}


@torch.no_grad()
def predict_frames(
    source: BatchSource, learned: Learned, settings: EmoboxHead, *, tick: Callable[[int], object]
) -> NDArray[np.float32]:
    """Probabilities float32 (n, classes) of all utterances, in batches of the settings as a test part is predicted."""
    tensors = {name: torch.from_numpy(array).to(source.device) for name, array in learned.items()}
    stack = Weights(
        tensors["frame"][None],
        tensors["frame_bias"][None, None],
        tensors["utterance"][None, None],
        tensors["utterance_bias"][None, None, None],
    )
    n = len(source.data.labels)
    logits = _predict(source, stack, list_batches([np.arange(n)], settings.batch_size))
    tick(1)
    probabilities: NDArray[np.float32] = logits[0, :n].softmax(dim=-1).cpu().numpy()
    return probabilities


def _predict(source: BatchSource, weights: Weights, items: Indices) -> torch.Tensor:
    """Logits of the items of each job, float32 (jobs, items, classes)."""
    return torch.cat([forward(weights, batch, batch.averages())[2] for batch in source.read(items)], dim=2)[:, 0]


def _candidate(learning_rate: float, epochs: Sequence[Validation]) -> Candidate:
    best, last = best_validation(epochs), epochs[-1]
    return Candidate(
        {"learning_rate": learning_rate, "epoch": best + 1},
        validation_ua=epochs[best].ua,
        validation_loss=epochs[best].loss,
        last_validation_ua=last.ua,
        last_validation_loss=last.loss,
    )
