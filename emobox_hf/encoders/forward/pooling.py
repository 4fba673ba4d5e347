"""Mean and standard deviation of rows of frames, in float32, on the device."""

from collections.abc import Sequence

import torch

from emobox_hf.encoders.forward.layout import Groups, join, send, views


def pool(frames: torch.Tensor, groups: Groups, lengths: torch.Tensor | None = None) -> torch.Tensor:
    """Mean and population standard deviation over the frames of each row: (frames, dim) -> float32 (rows, 2, dim).

    With lengths, int64 (rows,), all groups are pooled at once.
    """
    frames = frames.float()
    if lengths is not None:
        return pool_segments(frames, lengths)
    return join([_pool_group(group) for group in views(frames, groups)])


def _pool_group(group: torch.Tensor) -> torch.Tensor:
    mean = group.mean(1, keepdim=True)  # (rows, 1, dim)
    variance = (group - mean).square_().mean(1, keepdim=True)
    return torch.cat([mean, variance.sqrt_()], dim=1)


def pool_segments(frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """`pool` with a fixed number of kernels, whatever the number of groups."""

    def mean_of(values: torch.Tensor) -> torch.Tensor:
        # `unsafe` leaves out a check that would wait for the GPU.
        return torch.segment_reduce(values, "mean", lengths=lengths, axis=0, unsafe=True)

    mean = mean_of(frames)  # (rows, dim)
    deviation = frames - mean.repeat_interleave(lengths, 0, output_size=len(frames))
    return torch.stack([mean, mean_of(deviation.square_()).sqrt_()], dim=1)


def merge(parts: Sequence[torch.Tensor], n_frames: Sequence[int]) -> torch.Tensor:
    """Mean and standard deviation over all windows of a clip from those of each, (layers, 2, dim).

    The variance is that within the windows and that between their means, so nothing cancels.
    """
    if len(parts) == 1:
        return parts[0]
    stacked = torch.stack(list(parts))  # (windows, layers, 2, dim)
    shares = send(torch.tensor([n / sum(n_frames) for n in n_frames]), stacked.device)[:, None, None]
    means, deviations = stacked[:, :, 0], stacked[:, :, 1]  # (windows, layers, dim) each
    mean = (shares * means).sum(0)
    variance = (shares * (deviations.square() + (means - mean).square())).sum(0)
    return torch.stack([mean, variance.sqrt()], dim=1)
