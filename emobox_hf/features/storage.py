"""Features of one utterance as they are stored: in half precision, or as int8 with a scale for each dimension."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch

from emobox_hf.errors import InputError
from emobox_hf.precision import StorageDtype

if TYPE_CHECKING:
    from emobox_hf.encoders.forward.backbone import Encoded

FRAMES_DTYPES: dict[StorageDtype, torch.dtype] = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "int8": torch.int8,
}
READ_DTYPES: dict[StorageDtype, torch.dtype] = {**FRAMES_DTYPES, "int8": torch.float16}
"""Of what is read, and of pooled vectors and scales on disk: an int8 and its scale hold no more than float16 does."""


class Stored(NamedTuple):
    """One utterance as it is kept, on the CPU.

    Attributes:
        frames: (time, dim) in the storage dtype.
        pooled: (layers, 2, dim), mean and standard deviation over time of every hidden state, in the storage dtype;
            float16 beside int8 frames.
        scales: float16 (2, dim) beside int8 frames, middle and step of each dimension; else None.
    """

    frames: torch.Tensor
    pooled: torch.Tensor
    scales: torch.Tensor | None


class Converted(NamedTuple):
    """One utterance as an accelerator converts it, where it also looks for numbers that cannot be stored.

    Attributes:
        frames: (time, dim) in the dtype that features are read in; float32 where int8 is stored.
        pooled: (layers, 2, dim) in the dtype that features are read in.
        frames_reach: The largest magnitude before the conversion; not finite where a number is not.
        pooled_reach: The same of `pooled`.
    """

    frames: torch.Tensor
    pooled: torch.Tensor
    frames_reach: float
    pooled_reach: float


class ConvertedBatch(NamedTuple):
    """The utterances of a batch one behind another, on the device, see `Converted`.

    Attributes:
        frames: (all frames, dim).
        pooled: (utterances, layers, 2, dim).
        frames_reach: float32 (all frames,).
        pooled_reach: float32 (utterances,).
    """

    frames: torch.Tensor
    pooled: torch.Tensor
    frames_reach: torch.Tensor
    pooled_reach: torch.Tensor


def convert_batch(encoded: "Sequence[Encoded]", dtype: StorageDtype) -> ConvertedBatch:
    """What an encoder gave, converted where it lies: half the bytes have to come back, and none is looked at again."""
    frames, pooled = torch.cat([one.frames for one in encoded]), torch.stack([one.pooled for one in encoded])
    return ConvertedBatch(
        frames if dtype == "int8" else frames.to(READ_DTYPES[dtype]),
        pooled.to(READ_DTYPES[dtype]),
        frames.abs().amax(dim=1),  # of a row with nan, nan
        pooled.abs().amax(dim=(1, 2, 3)),
    )


def split_batch(batch: ConvertedBatch, lengths: Sequence[int]) -> list[Converted]:
    """The utterances of a batch that is on the CPU, of so many frames each."""
    reaches = [float(part.max()) for part in torch.split(batch.frames_reach, list(lengths))]
    rows = zip(torch.split(batch.frames, list(lengths)), batch.pooled, reaches, batch.pooled_reach, strict=True)
    return [Converted(frames, pooled, reach, float(other)) for frames, pooled, reach, other in rows]


def to_storage(key: str, encoded: "Encoded | Converted", dtype: StorageDtype) -> Stored:
    """The frames and the pooled vectors of utterance `key` as they are stored, copies of what was given.

    Raises:
        InputError: There is no frame, a value is not finite, or one is too large for the storage dtype.
    """
    frames, pooled = encoded.frames.detach(), encoded.pooled.detach()
    if frames.ndim != 2 or len(frames) == 0:
        raise InputError(f"utterance {key}: expected frames (time, dim) with time above 0, found {tuple(frames.shape)}")
    if pooled.ndim != 3 or pooled.shape[1:] != (2, frames.shape[1]):
        raise InputError(
            f"utterance {key}: expected pooled vectors (layers, 2, {frames.shape[1]}), found {tuple(pooled.shape)}"
        )
    if isinstance(encoded, Converted):
        _check_reach(key, "pooled vectors", encoded.pooled_reach, dtype)
        _check_reach(key, "frames", encoded.frames_reach, dtype)
        stored_pooled, stored_frames = pooled.clone(), frames.clone()
    else:
        stored_pooled = _convert(key, "pooled vectors", pooled, dtype)
        stored_frames = _convert(key, "frames", frames, dtype)
    if dtype != "int8":
        return Stored(stored_frames, stored_pooled, None)
    quantized, scales = quantize(frames.cpu())
    return Stored(quantized, stored_pooled, scales)


def from_storage(stored: Stored) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames (time, dim) and pooled vectors float32 (layers, 2, dim) as the store gives them back."""
    frames = stored.frames if stored.scales is None else dequantize(stored.frames, stored.scales)
    return frames, stored.pooled.to(torch.float32)


def _convert(key: str, what: str, given: torch.Tensor, dtype: StorageDtype) -> torch.Tensor:
    """A copy on the CPU in the dtype in which features are read; refused if a value does not fit."""
    # Always a copy: what was given may be a view of a whole padded batch, and would keep it in memory.
    converted = torch.empty(given.shape, dtype=READ_DTYPES[dtype]).copy_(given)
    # The extremes of numbers are finite if all are; to find them takes a tenth of the time of a look at each.
    if not math.isfinite(sum(map(float, converted.aminmax()))):
        _check_reach(key, what, float(given.abs().max()), dtype)
    return converted


def _check_reach(key: str, what: str, reach: float, dtype: StorageDtype) -> None:
    """Refuse numbers up to a magnitude that is not finite, or is not once it is stored."""
    if math.isfinite(float(torch.tensor(reach).to(READ_DTYPES[dtype]))):
        return
    if math.isfinite(reach):
        raise InputError(
            f"utterance {key}: {what} reach {reach:.4g}, more than {dtype} holds; store them as float32 or bfloat16"
        )
    raise InputError(
        f"utterance {key}: the encoder gave {what} that are not finite; check its audio, and compute with precision "
        "'no' or 'bf16' and store as float32 or bfloat16 if half precision overflowed"
    )


def quantize(frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames (time, dim) as int8 (time, dim) and float16 (2, dim), the middle and the step of each dimension.

    Each dimension of an utterance has a middle and a step of its own. The dimensions of an encoder differ by orders of
    magnitude, and some hardly move around a large value: a scale a frame would leave the small ones nothing.
    """
    low, high = frames.to(torch.float32).aminmax(dim=0)
    scales = torch.stack([(low + high) / 2, (high - low) / 254]).to(torch.float16)
    middle, step = scales.to(torch.float32)
    # A step too small for float16 is 0: such a dimension is its middle.
    steps = torch.where(step > 0, (frames - middle) / step, 0.0)
    return steps.round().clamp(-127, 127).to(torch.int8), scales


def dequantize(quantized: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """Frames float16 (time, dim) from what `quantize` gives; each value is within half a step of the original."""
    middle, step = scales.to(torch.float32)
    return torch.addcmul(middle, quantized.to(torch.float32), step).to(torch.float16)
