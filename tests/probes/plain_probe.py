"""The `emobox` head as one would write it for one probe: padded batches, an explicit mask, nn.Linear, torch's Adam."""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from emobox_hf.probes import EmoboxHead, Job, scale_learning_rate
from emobox_hf.scores import compute_scores


class PlainHead(nn.Module):
    def __init__(self, first_weights: list[torch.Tensor]) -> None:
        super().__init__()
        frame, frame_bias, utterance, bias = first_weights
        self.frame, self.utterance = nn.Linear(*frame.shape[::-1]), nn.Linear(*utterance.shape[::-1])
        state = {"frame.weight": frame, "frame.bias": frame_bias, "utterance.weight": utterance, "utterance.bias": bias}
        self.load_state_dict(state)

    def forward(self, utterances: list[torch.Tensor]) -> torch.Tensor:
        longest = max(map(len, utterances))
        padded = torch.full((len(utterances), longest, utterances[0].shape[1]), 7.0)  # padding that a leak would show
        mask = torch.zeros(len(utterances), longest)
        for row, frames in enumerate(utterances):
            padded[row, : len(frames)] = frames
            mask[row, : len(frames)] = 1
        hidden = self.frame(padded).relu()
        return self.utterance((hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True))


class PlainResult(NamedTuple):
    """UA and loss after each epoch, and the test probabilities (n_test, classes) of each epoch's weights."""

    history: list[tuple[float, float]]
    probabilities: list[np.ndarray]

    @property
    def best(self) -> int:
        return max(range(len(self.history)), key=lambda epoch: (self.history[epoch][0], -self.history[epoch][1]))


def train_plain(
    utterances: list[torch.Tensor],
    labels: np.ndarray,
    n_classes: int,
    job: Job,
    settings: EmoboxHead,
    learning_rate: float,
    *,
    first_weights: list[torch.Tensor],
    chance: torch.Generator,
) -> PlainResult:
    head = PlainHead(first_weights)
    optimizer = torch.optim.Adam(head.parameters(), lr=learning_rate)
    targets = torch.from_numpy(labels)
    result = PlainResult([], [])
    for epoch in range(settings.epochs):
        scale = scale_learning_rate(epoch, epochs=settings.epochs, warmup_epochs=settings.warmup_epochs)
        optimizer.param_groups[0]["lr"] = learning_rate * scale
        order = job.train[torch.randperm(len(job.train), generator=chance).numpy()]
        for start in range(0, len(order), settings.batch_size):
            items = order[start : start + settings.batch_size]
            loss = functional.cross_entropy(head([utterances[i] for i in items]), targets[items])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            logits = head([utterances[i] for i in job.validation])
            ua = compute_scores(labels[job.validation], logits.argmax(1).numpy(), n_classes).ua
            result.history.append((ua, float(functional.cross_entropy(logits, targets[job.validation]))))
            result.probabilities.append(head([utterances[i] for i in job.test]).softmax(1).numpy())
    return result
