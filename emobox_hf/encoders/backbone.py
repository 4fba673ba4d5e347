"""What the three kinds of models share: a `Backbone` that encodes windows, and the choice of a layer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from emobox_hf.encoders.identity import EncoderIdentity
from emobox_hf.encoders.windows import WINDOW_SAMPLES
from emobox_hf.errors import InputError

Waveform = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Backbone:
    """A loaded model as two functions of windows, with the numbers that describe it.

    Attributes:
        dim: width of a frame.
        n_layers: number of blocks; hidden states 0 to `n_layers` exist.
        layer: the hidden state that `run` gives.
        frame_rate_hz: frames a second of sound.
        min_samples: the shortest window that gives a frame.
        count: samples of a window -> its number of valid frames.
        run: windows, float32 (samples,) -> valid frames of each, (time, dim).
        batch_s: seconds, once padded, that a batch holds unless the caller says otherwise: enough to keep a few cores
            busy, in about 2 GB for a base model. The convolutions on waveforms need far more memory a second than mel.
        window_samples: the longest window.
        pads_windows: whether every window is padded to `window_samples`, so a short clip costs as much as a long one.
        counts_are_exact: whether `count` is exact or an estimate.
    """

    dim: int
    n_layers: int
    layer: int
    frame_rate_hz: float
    min_samples: int
    count: Callable[[int], int]
    run: Callable[[list[Waveform]], list[torch.Tensor]]
    batch_s: float = 60.0
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


def tap_layer(stack: Any, layer: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """Make `stack.layers` compute no more than hidden state `layer`; gives a function last_hidden_state -> that state.

    Hidden states are counted as transformers does: 0 is the input of the first block, k the output of block k as it is
    handed to block k + 1. Only the last differs from a block's output where the model ends in a layer norm (Whisper and
    every `do_stable_layer_norm` model), so it is taken from the model itself. Asking transformers for `hidden_states`
    would keep all of them in memory, and what stands last among them has changed between its versions.
    """
    blocks: nn.ModuleList = stack.layers
    if layer == len(blocks):
        return lambda last_hidden_state: last_hidden_state
    stack.layers = blocks[: max(layer, 1)]
    caught: list[torch.Tensor] = []

    def keep_input(_: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        caught[:] = [args[0]]

    def keep_output(_: nn.Module, __: object, output: torch.Tensor | tuple[torch.Tensor, ...]) -> None:
        caught[:] = [output[0] if isinstance(output, tuple) else output]

    if layer == 0:
        blocks[0].register_forward_pre_hook(keep_input)
    else:
        blocks[layer - 1].register_forward_hook(keep_output)
    return lambda _: caught.pop()
