"""The way to batch that transformers alone offers, which the forward pass of this package has to beat.

Convolutions, on the waveform and of positions, run clip by clip, so that no clip hears another's padding; then
transformers' own blocks on the batch, padded to its longest clip, under an attention mask. In half precision the model
is cast whole.
"""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from emobox_hf.bench.clips import Waveform
from emobox_hf.bench.shapes import PlainModel
from emobox_hf.encoders.forward.backbone import Encoded
from emobox_hf.encoders.forward.linear import Linear, Target
from emobox_hf.encoders.forward.mel import build_log_mel
from emobox_hf.encoders.forward.waveform import prepare

Way = Callable[[list[Waveform]], list[Encoded]]


class Packed(nn.Module):
    """A linear layer of a model with its weight laid out once."""

    def __init__(self, linear: Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Values (..., n_out) of (..., n_in)."""
        return self.linear(values)


def pack_linears(module: nn.Module, target: Target) -> nn.Module:
    """The module, its linear layers replaced by `Packed`; those whose weights are read from outside stay."""
    for name, child in module.named_children():
        if type(child) is nn.Linear and not hasattr(module, "gru_rel_pos_linear"):
            setattr(module, name, Packed(target.linear(child)))
        else:
            pack_linears(child, target)
    return module


def pool_padded(states: Sequence[torch.Tensor], n_frames: Sequence[int]) -> torch.Tensor:
    """Mean and deviation of each hidden state (rows, time, dim) over the frames of each row: (rows, layers, 2, dim)."""
    device, is_padded = states[0].device, len(set(n_frames)) > 1
    counts = torch.tensor(n_frames, device=device)[:, None, None]
    is_frame = torch.arange(states[0].shape[1], device=device)[:, None] < counts
    pooled = []
    for state in states:
        values = state.float()
        values = values.masked_fill(~is_frame, 0) if is_padded else values
        mean = values.sum(1, keepdim=True) / counts
        deviation = values - mean
        deviation = deviation.masked_fill(~is_frame, 0) if is_padded else deviation
        pooled.append(torch.cat([mean, (deviation.square().sum(1, keepdim=True) / counts).sqrt()], dim=1))
    return torch.stack(pooled, dim=1)


def run_waveforms(model: Any, extractor: Any, waveforms: list[Waveform]) -> list[Encoded]:
    """The simple way for models on waveforms."""
    dtype, device, encoder = model.dtype, model.device, model.encoder
    rows = []
    for waveform in waveforms:
        local = model.feature_extractor(prepare(extractor, waveform)[None].to(device, dtype)).transpose(1, 2)
        projected = model.feature_projection(local)
        row = projected[0] if isinstance(projected, tuple) else projected
        rows.append((row + encoder.pos_conv_embed(row))[0])  # (time, dim)
    n_frames = [len(row) for row in rows]
    hidden = nn.utils.rnn.pad_sequence(rows, batch_first=True)  # (rows, time, dim)
    is_frame = torch.arange(hidden.shape[1], device=device) < torch.tensor(n_frames, device=device)[:, None]
    is_wavlm = model.config.model_type == "wavlm"
    mask = is_frame if is_wavlm else is_frame[:, None, None]
    options = {"attention_mask": mask if len(set(n_frames)) > 1 else None}
    stable = getattr(model.config, "do_stable_layer_norm", False)
    hidden = hidden if stable else encoder.layer_norm(hidden)
    states, bias = [hidden], None
    for index, layer in enumerate(encoder.layers):
        if is_wavlm:
            hidden, bias = layer(hidden, **options, position_bias=bias, index=index)
        else:
            hidden = layer(hidden, **options)
        states.append(hidden)
    if stable:
        states[-1] = encoder.layer_norm(hidden)
    return split(states, n_frames)


def run_whisper(model: Any, log_mel: Any, waveforms: list[Waveform]) -> list[Encoded]:
    """The simple way for Whisper, whose windows are padded anyway."""
    features = log_mel([torch.from_numpy(waveform) for waveform in waveforms], 480_000).transpose(1, 2).to(model.dtype)
    output = model(features, output_hidden_states=True)
    states = [*output.hidden_states[:-1], output.last_hidden_state]
    n_frames = [len(waveform) // 320 for waveform in waveforms]
    return split([state[:, : max(n_frames)] for state in states], n_frames)


def split(states: Sequence[torch.Tensor], n_frames: Sequence[int]) -> list[Encoded]:
    """What each clip gives, of hidden states (rows, time, dim)."""
    last, pooled = states[-1].float(), pool_padded(states, n_frames)
    return [Encoded(last[row, :n], pooled[row]) for row, n in enumerate(n_frames)]


def make_simple(plain: PlainModel, dtype: torch.dtype, *, packed: bool) -> Way:
    """The simple way to encode with a model; if packed, oneDNN lays out the weights of its linear layers once."""
    model = copy.deepcopy(plain.model).to(dtype)
    if packed:
        pack_linears(model, Target(model.device, dtype))
    if plain.identity.model_type == "whisper":
        return partial(run_whisper, model, build_log_mel(plain.extractor, model.device, plain.identity))
    return partial(run_waveforms, model, plain.extractor)
