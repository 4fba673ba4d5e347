"""Frames of many utterances end to end, without padding."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class RaggedFrames:
    """Frames of n utterances laid end to end; utterance i owns the rows `offsets[i]` to `offsets[i + 1]`.

    Attributes:
        frames: (total_frames, dim), in the dtype of the store or float32.
        offsets: int64 (n + 1,), rising strictly from 0 to total_frames, so every utterance has at least one frame.
    """

    frames: torch.Tensor
    offsets: torch.Tensor

    def __len__(self) -> int:
        """Number of utterances."""
        return len(self.offsets) - 1

    def utterances(self) -> tuple[torch.Tensor, ...]:
        """One (time, dim) view for each utterance."""
        return torch.split(self.frames, self.offsets.diff().tolist())

    def pooled(self) -> torch.Tensor:
        """Mean over the frames of each utterance, float32 (n, dim).

        Summed in float64: a sum of up to 4096 float16 values is then exact, so neither the number of threads nor the
        device can change a bit of the result, and the sum costs no more memory than one utterance.
        """
        means = [frames.mean(dim=0, dtype=torch.float64) for frames in self.utterances()]
        return torch.stack(means).to(torch.float32)

    def select(self, indices: Sequence[int]) -> "RaggedFrames":
        """A copy of the utterances at `indices`, in that order; an index may come twice."""
        utterances = self.utterances()
        return join_frames([utterances[index] for index in indices])


def join_frames(utterances: Sequence[torch.Tensor]) -> RaggedFrames:
    """The frames of utterances, (time, dim) each and at least one, end to end."""
    return RaggedFrames(torch.cat(list(utterances)), offsets_of([len(frames) for frames in utterances]))


def concatenate(parts: Sequence[RaggedFrames]) -> RaggedFrames:
    """The utterances of all parts, one part after the other; a single part is given back itself."""
    if len(parts) == 1:
        return parts[0]
    lengths = torch.cat([part.offsets.diff() for part in parts])
    return RaggedFrames(torch.cat([part.frames for part in parts]), offsets_of(lengths.tolist()))


def offsets_of(lengths: Sequence[int]) -> torch.Tensor:
    """Offsets int64 (n + 1,) of n consecutive stretches of the given lengths, in frames."""
    offsets = torch.zeros(len(lengths) + 1, dtype=torch.int64)
    torch.cumsum(torch.tensor(lengths, dtype=torch.int64), dim=0, out=offsets[1:])
    return offsets


EPSILON = 1e-5
"""Added to a variance before its root is taken, as torch's layer norm does."""


def normalize_utterances(ragged: RaggedFrames) -> RaggedFrames:
    """Each utterance at mean 0 and variance 1 over time and dim at once, float32.

    EmoBox's option `--output_norm`: a layer norm without weights over the whole utterance, not frame by frame.
    """
    normalized = torch.empty_like(ragged.frames, dtype=torch.float32)
    for source, target in zip(ragged.utterances(), RaggedFrames(normalized, ragged.offsets).utterances(), strict=True):
        target.copy_(torch.nn.functional.layer_norm(source.to(torch.float32), source.shape, eps=EPSILON))
    return RaggedFrames(normalized, ragged.offsets)


def normalize_pooled(pooled: torch.Tensor) -> torch.Tensor:
    """Mean vectors of normalized utterances, from pooled statistics alone: float32 (n, layers, dim).

    They are the means that `normalize_utterances` gives; each layer of an utterance is normalized by itself. Its mean
    over time and dim is the mean of the means; its variance is the mean variance within the dimensions plus the
    variance between their means.

    Args:
        pooled: float32 (n, layers, 2, dim), mean and population standard deviation over the frames.
    """
    mean, std = pooled.unbind(dim=2)  # (n, layers, dim) each
    within = std.square().mean(dim=-1, keepdim=True)
    between = mean.var(dim=-1, keepdim=True, correction=0)
    return (mean - mean.mean(dim=-1, keepdim=True)) / (within + between + EPSILON).sqrt()
