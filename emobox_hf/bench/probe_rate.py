"""How fast probes of the `emobox` head train, beside the loop one would write: one probe at a time, padded batches."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from emobox_hf.probes import EmoboxHead, Job, Split, list_jobs
from emobox_hf.probes.train import DTYPES, train_probes

CLIPS, DIM, CLASSES, LAYERS, HIDDEN = 535, 768, 7, 13, 256
SEEDS, LOOP_PROBES = 3, 3


@dataclass(frozen=True, eq=False)
class DrawnData:
    """Random features of a corpus, by default of EmoDB's size.

    Attributes:
        frames: float16 (all frames, 768), 50 a second, 2.8 s a clip on average.
        offsets: int64 (n + 1,).
        labels: int64 (n,), 7 classes.
        vectors: Means of layers, float32 (n, 13, 768), with a steep spectrum.
        splits: Five folds.
    """

    frames: torch.Tensor
    offsets: torch.Tensor
    labels: NDArray[np.int64]
    vectors: torch.Tensor
    splits: dict[str, Split]


@dataclass(frozen=True)
class ProbeRates:
    """How fast probes train in one precision: 5 folds, 2 learning rates and 3 seeds, validation after every epoch.

    Attributes:
        precision: Of the frame layer.
        n_probes: Probes trained as one.
        n_steps: Steps of all of them; a step is one probe's batch of 32 utterances.
        steps_per_s: Ours, all probes as one computation.
        loop_steps_per_s: The loop, one probe after the other.
        times_loop: The first by the second.
    """

    precision: str
    n_probes: int
    n_steps: int
    steps_per_s: float
    loop_steps_per_s: float
    times_loop: float


def draw_data(n_clips: int = CLIPS) -> DrawnData:
    """Random features and labels, the same in every call."""
    rng = np.random.default_rng(0)
    lengths = np.clip(
        rng.gamma(7.3, 2.8 * 50 / 7.3, n_clips).astype(int), 60, 450
    )  # EmoDB: 1.2 to 9.0 s, deviation 1.0
    labels = rng.integers(0, CLASSES, n_clips)
    hidden = rng.standard_normal((n_clips, 120))
    hidden[:, :20] += rng.standard_normal((CLASSES, 20))[labels]
    layers = (hidden * np.arange(1, 121) ** -0.6) @ rng.standard_normal((LAYERS, 120, DIM))
    vectors = layers.swapaxes(0, 1) + 0.15 * rng.standard_normal((n_clips, LAYERS, DIM))
    frames = np.repeat(vectors[:, -1], lengths, axis=0) + rng.standard_normal((lengths.sum(), DIM))
    offsets = torch.from_numpy(np.concatenate([[0], lengths.cumsum()]))
    order, part = rng.permutation(n_clips), n_clips // 5
    rotated = [np.roll(order, part * fold) for fold in range(5)]
    n_held = part + round(0.16 * n_clips)
    splits = {f"fold{i + 1}": Split(one[n_held:], one[part:n_held], one[:part]) for i, one in enumerate(rotated)}
    return DrawnData(torch.from_numpy(frames).half(), offsets, labels, torch.from_numpy(vectors).float(), splits)


def count_operations(n_clips: int, epochs: int) -> float:
    """Operations of the frame layer in one call of `measure_precision`, the loop's included, about."""
    n_frames = 2.8 * 50 * 0.64 * n_clips  # of the training part
    a_probe = epochs * n_frames * DIM * HIDDEN * 2 * 2  # forward, and the gradient of weights
    return (5 * 2 * SEEDS + LOOP_PROBES + 1) * a_probe


def measure_precision(data: DrawnData, device: torch.device, precision: Any, *, epochs: int) -> ProbeRates:
    """Training rates by this package and by a plain loop, which trains a part of the probes, in one precision."""
    settings = EmoboxHead(seeds=tuple(range(SEEDS)), epochs=epochs, warmup_epochs=epochs // 10, precision=precision)
    jobs, dtype = list_jobs(data.splits, settings.seeds), DTYPES[settings.precision]
    n_rates = len(settings.learning_rates)
    steps = [epochs * -(-len(job.train) // settings.batch_size) for job in jobs]
    train_plain(data, jobs[0], 1e-3, 1, dtype, device)  # for what a device does the first time

    def train_some() -> None:  # as many steps as so many probes take
        train_plain(data, jobs[0], 1e-3, LOOP_PROBES * epochs, dtype, device)

    def train_all() -> None:
        train_probes(data.frames, data.offsets, data.labels, CLASSES, jobs, settings, device=device)

    rate = n_rates * sum(steps) / clock(train_all)
    loop_rate = LOOP_PROBES * steps[0] / clock(train_some)
    return ProbeRates(precision, n_rates * len(jobs), n_rates * sum(steps), rate, loop_rate, rate / loop_rate)


def clock(work: Callable[[], object]) -> float:
    """Seconds that `work` takes; all that is timed here ends by fetching results, so no device is still busy."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def train_plain(data: DrawnData, job: Job, rate: float, epochs: int, dtype: torch.dtype, device: torch.device) -> None:
    """Train one probe as one would write it: padded batches, nn.Linear, Adam; validation once an epoch."""
    clips = torch.split(data.frames.to(device, dtype), data.offsets.diff().tolist())
    targets = torch.from_numpy(data.labels).to(device)
    frame, utterance = nn.Linear(DIM, HIDDEN).to(device), nn.Linear(HIDDEN, CLASSES).to(device)
    optimizer = torch.optim.Adam([*frame.parameters(), *utterance.parameters()], lr=rate)

    def predict(items: Any) -> torch.Tensor:
        padded = nn.utils.rnn.pad_sequence([clips[i] for i in items], batch_first=True)
        lengths = torch.tensor([len(clips[i]) for i in items], device=device)
        mask = torch.arange(padded.shape[1], device=device) < lengths[:, None]
        hidden = nn.functional.linear(padded, frame.weight.to(dtype), frame.bias.to(dtype)).relu().float()
        return utterance((hidden * mask[:, :, None]).sum(1) / lengths[:, None])  # type: ignore[no-any-return]

    for _ in range(epochs):
        for items in torch.from_numpy(job.train)[torch.randperm(len(job.train))].split(32):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            nn.functional.cross_entropy(predict(items), targets[items.to(device)]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            for items in torch.from_numpy(job.validation).split(32):  # type: ignore[no-untyped-call]
                (predict(items).argmax(1) == targets[items.to(device)]).sum().item()
