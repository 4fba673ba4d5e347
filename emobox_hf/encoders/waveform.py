"""Models that put a stack of convolutions on the waveform: wav2vec 2.0, HuBERT, WavLM, data2vec and their like.

A clip must give the same frames alone and in a padded batch. An attention mask alone does not do it:

- `feat_extract_norm="group"` (the base models) normalises each channel over time, padding included. Here over the clip.
- Positional convolutions see padding as sound wherever something stands between the zeroed padding and them: the lower
  convolutions of data2vec's stack, the batch norm of some HuBERT models. Here padding is zeroed before each of them,
  as beyond the end of a clip that is alone.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from emobox_hf.encoders.backbone import Backbone, Waveform, choose_layer, tap_layer
from emobox_hf.encoders.identity import EncoderIdentity
from emobox_hf.encoders.windows import SAMPLE_RATE_HZ

# The architectures checked to be of this kind; tests hold each to "alone equals batch".
WAVEFORM_TYPES = frozenset({"wav2vec2", "hubert", "wavlm", "data2vec-audio", "unispeech", "unispeech-sat"})


@dataclass
class _Padding:
    """The true lengths of the rows under way; None while no row is padded, so that the model then runs as it came."""

    after_first_convolution: list[int] | None = None
    is_frame: torch.Tensor | None = None  # bool (batch, 1, time)


class _ClipGroupNorm(nn.Module):
    """A group norm over the valid part of each row, (batch, channels, time) -> the same; zeros behind it."""

    def __init__(self, norm: nn.GroupNorm, padding: _Padding) -> None:
        super().__init__()
        self.norm = norm
        self._padding = padding

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        lengths = self._padding.after_first_convolution
        if lengths is None:
            as_it_came: torch.Tensor = self.norm(hidden)
            return as_it_came
        # Row by row through the same function as for a clip alone; a masked mean and variance would round otherwise.
        rows: list[torch.Tensor] = [self.norm(hidden[i : i + 1, :, :length]) for i, length in enumerate(lengths)]
        result = rows[0].new_zeros(hidden.shape)
        for i, row in enumerate(rows):
            result[i, :, : row.shape[2]] = row[0]
        return result


def build_waveform_backbone(model: Any, extractor: Any, *, layer: int | str, identity: EncoderIdentity) -> Backbone:
    """The backbone of a model of `WAVEFORM_TYPES`; takes the model over, replacing its group norm where it has one."""
    config = model.config
    convolutions = list(zip(config.conv_kernel, config.conv_stride, strict=True))
    device, dtype = model.device, model.dtype
    chosen = choose_layer(layer, config.num_hidden_layers, identity)
    padding = _Padding()
    _respect_padding(model, padding)
    state = tap_layer(model.encoder, chosen)

    def count(n_samples: int) -> int:
        return _count_after(convolutions, n_samples)

    def run(windows: list[Waveform]) -> list[torch.Tensor]:
        # One call a window: the extractor then normalises, where it does, over exactly this sound.
        inputs = [
            torch.from_numpy(extractor(window, sampling_rate=SAMPLE_RATE_HZ, return_tensors="np")["input_values"][0])
            for window in windows
        ]
        batch = nn.utils.rnn.pad_sequence(inputs, batch_first=True).to(device, dtype)  # (batch, samples)
        n_samples, n_frames = [len(window) for window in windows], [count(len(window)) for window in windows]
        attention_mask = None
        padding.after_first_convolution = padding.is_frame = None
        if len(set(n_samples)) > 1:
            attention_mask = _is_before(n_samples, batch.shape[1], device).long()
            padding.after_first_convolution = [_count_after(convolutions[:1], n) for n in n_samples]
            padding.is_frame = _is_before(n_frames, max(n_frames), device)[:, None]
        hidden = state(model(batch, attention_mask=attention_mask).last_hidden_state)  # (batch, time, dim)
        return [row[:n] for row, n in zip(hidden, n_frames, strict=True)]

    return Backbone(
        dim=config.hidden_size,
        n_layers=config.num_hidden_layers,
        layer=chosen,
        frame_rate_hz=SAMPLE_RATE_HZ / math.prod(config.conv_stride),
        min_samples=_receptive_field(convolutions),
        count=count,
        run=run,
    )


def _respect_padding(model: Any, padding: _Padding) -> None:
    first = model.feature_extractor.conv_layers[0]
    if isinstance(getattr(first, "layer_norm", None), nn.GroupNorm):
        first.layer_norm = _ClipGroupNorm(first.layer_norm, padding)

    def zero_padding(_: nn.Module, args: tuple[torch.Tensor]) -> tuple[torch.Tensor] | None:
        return None if padding.is_frame is None else (args[0].masked_fill(~padding.is_frame, 0),)

    for module in model.encoder.pos_conv_embed.modules():
        if isinstance(module, nn.Conv1d):
            module.register_forward_pre_hook(zero_padding)


def _is_before(lengths: list[int], width: int, device: torch.device) -> torch.Tensor:
    """Bool (rows, width): whether a column lies before its row's length."""
    return torch.arange(width, device=device) < torch.tensor(lengths, device=device)[:, None]


def _count_after(convolutions: list[tuple[int, int]], n: int) -> int:
    """Length of a row of `n` after convolutions (kernel, stride) without padding."""
    for kernel, stride in convolutions:
        n = (n - kernel) // stride + 1
    return n


def _receptive_field(convolutions: list[tuple[int, int]]) -> int:
    """Samples that one frame sees: 400 for every published model of the kind."""
    field = 1
    for kernel, stride in reversed(convolutions):
        field = (field - 1) * stride + kernel
    return field
