"""Positional convolutions: what is added to frames so that they know what stands around them.

They run over each row with zeros before and behind it, so no frame of another row and no padding has a part in it.
"""

from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from emobox_hf.encoders.forward.layout import Groups, PaddedRows, join, views
from emobox_hf.encoders.forward.linear import Function, Norm, Target

# Windows that a CPU lays out at once: 5 MB for the base models.
_WINDOWS = 400


@dataclass(frozen=True)
class GroupedConvolution:
    """A convolution in groups of channels that keeps the number of frames: (rows, time, dim) -> the same shape.

    Attributes:
        weight: (dim, dim / groups, kernel); if split (groups, kernel * dim / groups, dim / groups).
        is_split: Whether it is a product for each group, on a CPU twice as fast as the convolution of all.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    kernel: int
    n_groups: int
    is_split: bool

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """The convolution of frames (rows, time, dim), zeros around them: the same shape, in the weight's dtype."""
        # An even kernel gives a frame too many, which models drop behind the last.
        before, behind = self.kernel // 2, self.kernel - 1 - self.kernel // 2
        frames = frames.to(self.weight.dtype)
        if not self.is_split:
            padded = F.pad(frames.transpose(1, 2), (before, behind))
            return F.conv1d(padded, self.weight, self.bias, groups=self.n_groups).transpose(1, 2)
        rows, time, dim = frames.shape
        width = dim // self.n_groups
        grouped = frames.view(rows, time, self.n_groups, width).permute(2, 0, 1, 3)
        padded = F.pad(grouped, (0, 0, before, behind)).contiguous()  # (groups, rows, padded time, width)
        result = frames.new_empty(self.n_groups, rows, time, width)
        n_rows, step = max(1, _WINDOWS // time), min(time, _WINDOWS)
        places = product(range(self.n_groups), range(0, rows, n_rows), range(0, time, step))
        for group, row, start in places:
            part = result[group, row : row + n_rows, start : start + step]  # (rows, time, width), contiguous
            source = padded[group, row : row + n_rows, start:]
            windows = source.as_strided(
                (*part.shape[:2], self.kernel * width), (*source.stride()[:2], 1), source.storage_offset()
            )
            torch.mm(windows.flatten(0, 1), self.weight[group], out=part.view(-1, width))
        return result.permute(1, 2, 0, 3).reshape(rows, time, dim) + self.bias


@dataclass(frozen=True)
class PositionLayer:
    """A convolution with what stands before and behind it: float32 (rows, time, dim) -> the same."""

    affine: tuple[torch.Tensor, torch.Tensor] | None  # factor and term of a batch norm before the convolution
    convolution: GroupedConvolution
    norm: Norm | None
    activation: Function

    def __call__(self, frames: torch.Tensor, is_padding: torch.Tensor | None = None) -> torch.Tensor:
        """Affine map, convolution, norm and activation of frames (rows, time, dim): float32, the same shape.

        The convolution sees zeros where bool (rows, time, 1) says padding.
        """
        if self.affine is not None:
            frames = frames * self.affine[0] + self.affine[1]
        if is_padding is not None:
            frames = frames.masked_fill(is_padding, 0)
        hidden = self.convolution(frames).float()
        return self.activation(hidden if self.norm is None else self.norm(hidden))


@dataclass(frozen=True)
class Positions:
    """Frames (frames, dim) laid out in groups -> what is added to them, float32."""

    layers: tuple[PositionLayer, ...]

    def __call__(self, frames: torch.Tensor, groups: Groups, padded: PaddedRows | None = None) -> torch.Tensor:
        """Positional embeddings (frames, dim) of frames laid out in groups, float32; if padded, of all at once."""
        if padded is not None:
            return self._add_at_once(frames, padded)
        added = []
        for group in views(frames, groups):
            for layer in self.layers:
                group = layer(group)
            added.append(group.reshape(-1, frames.shape[1]))
        return join(added)

    def _add_at_once(self, frames: torch.Tensor, padded: PaddedRows) -> torch.Tensor:
        rows = frames[padded.queries]  # (rows, time, dim)
        is_padding = None if padded.is_key is None else ~padded.is_key[:, 0, 0, :, None]
        for layer in self.layers:
            rows = layer(rows, is_padding)
        return rows.flatten(0, 1).index_select(0, padded.back)


def build_positions(embedding: Any, target: Target) -> Positions:
    """From the `pos_conv_embed` of a model: one layer, or data2vec's several."""
    return Positions(tuple(_build_layer(layer, target) for layer in getattr(embedding, "layers", [embedding])))


def _build_layer(layer: Any, target: Target) -> PositionLayer:
    conv, norm, batch_norm = layer.conv, getattr(layer, "layer_norm", None), getattr(layer, "batch_norm", None)
    weight = conv.weight.detach()  # its weight norm worked out: (dim, dim / groups, kernel)
    if target.is_cpu:
        weight = weight.view(conv.groups, -1, *weight.shape[1:]).permute(0, 3, 2, 1).flatten(1, 2)
    convolution = GroupedConvolution(
        target.for_products(weight), target.for_products(conv.bias), conv.kernel_size[0], conv.groups, target.is_cpu
    )
    affine = None
    if batch_norm is not None:
        factor = batch_norm.weight / (batch_norm.running_var + batch_norm.eps).sqrt()
        affine = target.in_float32(factor), target.in_float32(batch_norm.bias - batch_norm.running_mean * factor)
    return PositionLayer(
        affine, convolution, None if norm is None else target.norm(norm), getattr(layer, "activation", F.gelu)
    )
