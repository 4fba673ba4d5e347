"""What the three kinds of models share: a `Backbone` that encodes windows, what it gives, and the choice of a layer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from emobox_hf.encoders.forward.layout import Layout
from emobox_hf.encoders.forward.windows import WINDOW_SAMPLES
from emobox_hf.encoders.known.identity import EncoderIdentity
from emobox_hf.errors import InputError

Waveform = np.ndarray[Any, np.dtype[np.float32]]


class Encoded(NamedTuple):
    """What an encoder gives of a clip, on its device.

    Attributes:
        frames: float32 (time, dim), the valid frames of the chosen layer.
        pooled: float32 (layers, 2, dim), mean and population standard deviation over the valid frames of every hidden
            state from 0 to the chosen one, whose are last.
    """

    frames: torch.Tensor
    pooled: torch.Tensor


@dataclass(frozen=True)
class Backbone:
    """A loaded model as two functions of windows, with the numbers that describe it.

    Attributes:
        device: where it runs, and where what it gives lies.
        dim: width of a frame; 0 where it is that of what `run` is given.
        n_layers: number of blocks; hidden states 0 to `n_layers` exist.
        layer: the hidden state whose frames `run` gives.
        frame_rate_hz: frames a second of sound.
        min_samples: the shortest window that gives a frame.
        count: samples of a window -> its number of valid frames.
        run: windows, float32 (samples,) -> what each gives.
        batch_s: seconds, once padded, that a batch holds unless the caller says otherwise. A function of the kind of
            model and device alone, since processes that share a corpus must agree on the batches.
        window_samples: the longest window.
        pads_windows: whether every window is padded to `window_samples`, so a short clip costs as much as a long one.
        counts_are_exact: whether `count` is exact or an estimate.
    """

    device: torch.device
    dim: int
    n_layers: int
    layer: int
    frame_rate_hz: float
    min_samples: int
    count: Callable[[int], int]
    run: Callable[[list[Waveform]], list[Encoded]]
    batch_s: float
    window_samples: int = WINDOW_SAMPLES
    pads_windows: bool = False
    counts_are_exact: bool = True


def choose_layer(layer: int | str, n_layers: int, identity: EncoderIdentity) -> int:
    """The number of a hidden state, 0 to `n_layers`; `last` is `n_layers`.

    Raises:
        InputError: the model has no such layer.
    """
    if layer == "last":
        return n_layers
    if not isinstance(layer, int) or not 0 <= layer <= n_layers:
        raise InputError(
            f"{identity.name} has no layer {layer!r}: give 'last' or 0 to {n_layers}, where 0 is the input of the "
            f"first block and {n_layers} the same as 'last'"
        )
    return layer


def unpack(frames: torch.Tensor, pooled: torch.Tensor, layout: Layout, n_frames: Sequence[int]) -> list[Encoded]:
    """What each clip gives, in the order of the clips; the frames of all lie in one tensor, of which each has a view.

    Args:
        frames: (valid frames, dim) of all rows.
        pooled: (rows, layers, 2, dim).
        layout: how the rows are laid out.
        n_frames: valid frames of each clip.
    """
    lengths = [n_frames[clip] for clip in layout.order]
    rows = zip(layout.order, torch.split(frames, lengths), pooled.unbind(), strict=True)
    of_clip = {clip: Encoded(*row) for clip, *row in rows}
    return [of_clip[clip] for clip in range(len(n_frames))]
