"""Forward passes over batches, in parts where memory is short, and the copy of their outputs to the CPU."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import torch

from emobox_hf.errors import InputError, first_line
from emobox_hf.features.decoding import Clip, Waveform
from emobox_hf.features.storage import Converted, ConvertedBatch, convert_batch, split_batch
from emobox_hf.precision import StorageDtype

if TYPE_CHECKING:
    from emobox_hf.encoders.forward.backbone import Encoded

# Messages of a RuntimeError where memory is short and torch has no class of its own for it. Of cuDNN there are three: a
# status until version 8, since then an internal error, also one of allocation; and where torch has tried engine after
# engine in vain, that there is none.
_MEMORY_MESSAGES = (
    "can't allocate memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR",
    "nable to find an engine to execute this computation",
)

Pair = tuple[Clip, Waveform]
Output = TypeVar("Output")


class SupportsEncode(Protocol):
    """The methods of an encoder that extraction calls."""

    def encode(self, waveforms: Sequence[Waveform]) -> "list[Encoded]":
        """Frames and pooled vectors of each waveform, float32 (samples,) at 16 kHz."""

    def padded_s(self, duration_s: float) -> float:
        """Seconds that a clip takes up in the encoder by itself: Whisper pads each to 30 s, most others do not."""


class Passes(Generic[Output]):
    """Forward passes of a model over batches; once one did not fit in memory, they are smaller.

    Attributes:
        budget_s: Padded seconds that a pass may have; without bound until the memory sets one.
        computed_s: Padded seconds computed so far.
    """

    def __init__(
        self,
        forward: Callable[[list[Waveform]], Output],
        padded_s: Callable[[float], float] = lambda duration_s: duration_s,
    ) -> None:
        """Passes of `forward`, the output of some waveforms; a clip takes up `padded_s` of its seconds in it.

        All that takes memory on the device belongs into `forward`, the copy of its output too.
        """
        self.forward = forward
        self.padded_s = padded_s
        self.budget_s = float("inf")
        self.computed_s = 0.0

    def run(self, batch: Sequence[Pair]) -> Iterator[tuple[list[Clip], Output | InputError]]:
        """The clips of a batch, some or all at a time, with the model's output or with why it refused one clip."""
        waiting = [list(batch)] if batch else []
        while waiting:
            part = waiting.pop()
            cost_s = len(part) * max(self.padded_s(clip.duration_s) for clip, _ in part)
            if len(part) > 1 and cost_s > self.budget_s:
                waiting += _halves(part)
                continue
            outcome = self._forward(part)
            if isinstance(outcome, MemoryError):
                _give_memory_back()
            if isinstance(outcome, MemoryError) and len(part) > 1:
                self.budget_s = cost_s / 2
                waiting += _halves(part)
            elif isinstance(outcome, InputError) and len(part) > 1:
                # It refused the batch for one of its clips; alone, each of them shows whether it is the one.
                waiting += [[pair] for pair in reversed(part)]
            elif isinstance(outcome, MemoryError):
                yield [part[0][0]], InputError(_too_long(part[0][0], outcome))
            else:
                if not isinstance(outcome, InputError):
                    self.computed_s += cost_s
                yield [clip for clip, _ in part], outcome

    def _forward(self, part: Sequence[Pair]) -> Output | InputError | MemoryError:
        # An error is given back, not handled where it is caught: its traceback holds on to the tensors of the pass.
        try:
            return self.forward([waveform for _, waveform in part])
        except InputError as error:
            return error
        except MemoryError as error:
            return MemoryError(str(error))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return MemoryError(first_line(error))


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether memory was short: torch has a class for a GPU's, and only a message for the rest."""
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in _MEMORY_MESSAGES)


def _give_memory_back() -> None:
    """Free what torch keeps of a GPU's memory: blocks of a batch that did not fit are of little use to smaller ones."""
    cuda: Any = torch.cuda  # untyped in torch
    if cuda.is_initialized():
        cuda.empty_cache()


def fetch(encoded: "Sequence[Encoded]", dtype: StorageDtype) -> "Callable[[], Sequence[Encoded | Converted]]":
    """A function that waits for the encoder's output to be on the CPU; the copy is started now.

    An accelerator converts it first, see `storage.convert_batch`. From a GPU one copy a batch goes to pinned memory
    behind the forward pass, so that the next pass can be queued at once.
    """
    device = encoded[0].frames.device
    if device.type == "cpu":
        return lambda: encoded
    lengths = [len(one.frames) for one in encoded]
    batch = convert_batch(encoded, dtype)
    if device.type != "cuda":
        return lambda: split_batch(ConvertedBatch(*(tensor.cpu() for tensor in batch)), lengths)
    pinned = ConvertedBatch(*map(_to_pinned, batch))
    event: Any = torch.cuda.Event  # untyped in torch
    copied = event(blocking=True)  # a waiting thread sleeps
    copied.record(torch.cuda.current_stream(device))

    def wait() -> list[Converted]:
        copied.synchronize()
        return split_batch(pinned, lengths)

    return wait


def _to_pinned(tensor: torch.Tensor) -> torch.Tensor:
    pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return pinned.copy_(tensor, non_blocking=True)


def _halves(part: list[Pair]) -> list[list[Pair]]:
    """The second half and the first, so that the first is popped first."""
    middle = (len(part) + 1) // 2
    return [part[middle:], part[:middle]]


def _too_long(clip: Clip, error: MemoryError) -> str:
    return (
        f"{clip.duration_s:.1f} s of sound do not fit in memory even alone ({error}); leave such clips out with "
        "--max-duration-s, extract in half precision with --mixed-precision bf16, or take a device with more memory"
    )
