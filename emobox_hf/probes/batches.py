"""Batches for several jobs at once, their frames end to end, from the device's memory or streamed to it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from emobox_hf.probes.data import ProbeData
from emobox_hf.probes.jobs import Indices

MOST_OF_FREE_MEMORY = 0.5
"""Frames that take up more than this share of what is free on an accelerator are streamed to it."""


class Batch(NamedTuple):
    """The utterances (items) of one step of each job, their frames end to end; shorter jobs are padded at the end.

    Attributes:
        frames: (jobs, frames, dim). Padding repeats some frame of the job: `owner` says which it is, never the value.
        owner: int64 (jobs, frames), the item a frame belongs to; `items` where it is padding.
        lengths: int64 (jobs, items), frames of each item; 0 where a job has fewer items.
        targets: int64 (jobs, items), labels; 0 where a job has fewer items.
    """

    frames: torch.Tensor
    owner: torch.Tensor
    lengths: torch.Tensor
    targets: torch.Tensor

    def averages(self) -> torch.Tensor:
        """Averaging matrices float32 (jobs, items, frames): their product with frames is the mean of each item.

        Rows of items that a job lacks are 0.

        A product of matrices adds up in a fixed order on every device, which a scatter does not.
        """
        item = torch.arange(self.lengths.shape[1], device=self.owner.device)
        return (self.owner[:, None] == item[:, None]) / self.lengths.clamp(min=1)[:, :, None].to(torch.float32)


def list_batches(parts: Sequence[Indices], batch_size: int) -> Indices:
    """Indices of utterances int64 (steps, jobs, batch_size), batch by batch in the order given; -1 fills up."""
    steps = max(-(-len(part) // batch_size) for part in parts)
    items = np.full((len(parts), steps * batch_size), -1)
    for row, part in zip(items, parts, strict=True):
        row[: len(part)] = part
    return items.reshape(len(parts), steps, batch_size).swapaxes(0, 1)


@dataclass(frozen=True, eq=False)
class BatchSource:
    """Labelled frames, and on which device and in which dtype their batches are needed.

    Attributes:
        data: Its frames lie on `device`, or in memory if they are streamed to it.
        device: Of the batches.
        dtype: Of their frames.
    """

    data: ProbeData
    device: torch.device
    dtype: torch.dtype

    @cached_property
    def lengths(self) -> Indices:
        """Frames of each utterance, int64 (n,)."""
        return np.diff(self.data.offsets)

    def read(self, items: Indices) -> Iterator[Batch]:
        """The batches of `items` (steps, jobs, batch_size), one a step; a step is as long as its longest job."""
        is_item = items >= 0
        plan = np.stack([self.data.offsets[:-1][items], self.lengths[items], self.data.labels[items]]) * is_item
        starts, lengths, targets = torch.from_numpy(plan).to(self.data.frames.device)  # all steps in one copy
        n_frames = plan[1].sum(axis=2).max(axis=1)
        steps = zip(starts, lengths, targets, n_frames.tolist(), strict=True)
        gathered: Iterator[Batch] = (self._gather(*step) for step in steps)
        if self.data.frames.device != self.device:
            gathered = _stream(gathered, self.device)
        return (batch._replace(frames=_convert(batch.frames, self.dtype)) for batch in gathered)

    def _gather(self, starts: torch.Tensor, lengths: torch.Tensor, targets: torch.Tensor, n_frames: int) -> Batch:
        """A batch from first rows, lengths and labels of its items, (jobs, items), without waiting for the device."""
        n_jobs, n_items = lengths.shape
        ends = lengths.cumsum(dim=1)
        position = torch.arange(n_frames, device=lengths.device).repeat(n_jobs, 1)  # (jobs, frames)
        owner = torch.searchsorted(ends, position, right=True)
        row = position + (starts - ends + lengths).gather(1, owner.clamp(max=n_items - 1))
        row = torch.where(owner < n_items, row, starts[:, :1])
        frames = self.data.frames.index_select(0, row.flatten()).view(*row.shape, -1)  # (jobs, frames, dim)
        return Batch(frames, owner, lengths, targets)


def make_batch_source(data: ProbeData, device: torch.device, dtype: torch.dtype) -> BatchSource:
    """A source of batches on `device`; all frames are moved there if they fit, else they are streamed."""
    if device.type == "cpu":
        return BatchSource(data, data.frames.device, dtype)  # the same as `device`, which may be called cpu:0
    # Frames of half precision stay so; bfloat16 takes as much room as float16 and spares a conversion each step.
    resident = dtype if dtype.itemsize <= data.frames.dtype.itemsize else data.frames.dtype
    size = data.frames.numel() * resident.itemsize
    if device.type == "cuda" and size > MOST_OF_FREE_MEMORY * free_memory(device):
        return BatchSource(data, device, dtype)
    frames = data.frames.to(device).to(resident)
    return BatchSource(ProbeData(frames, data.offsets, data.labels, data.n_classes), frames.device, dtype)


def free_memory(device: torch.device) -> int:
    """Bytes that are free on a CUDA device, once torch has given back what it keeps of earlier work."""
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    return free


def longest_batch(source: BatchSource, batch_size: int) -> int:
    """Frames of the longest batch that can occur."""
    longest: NDArray[np.int64] = np.sort(source.lengths)[-batch_size:]
    return int(longest.sum())


def _convert(frames: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Frames in `dtype`; on a CPU by way of float32, which is three times as fast from float16 to bfloat16."""
    return frames.to(torch.float32).to(dtype) if frames.device.type == "cpu" else frames.to(dtype)


def _stream(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """The batches on a CUDA device; the next one is gathered and copied while this one is computed with."""
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def fetch() -> tuple[Batch, torch.cuda.Event] | None:
        if (batch := next(batches, None)) is None:
            return None
        with torch.cuda.stream(stream):
            moved = Batch(*(tensor.pin_memory().to(device, non_blocking=True) for tensor in batch))
            return moved, stream.record_event()

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(fetch)
        while (found := coming.result()) is not None:
            coming = pool.submit(fetch)
            batch, is_copied = found
            current = torch.cuda.current_stream(device)
            current.wait_event(is_copied)
            for tensor in batch:
                tensor.record_stream(current)
            yield batch
