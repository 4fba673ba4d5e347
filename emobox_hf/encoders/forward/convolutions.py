"""The convolutions on the waveform, time before channels, each a matrix product over windows of what is below it.

The group norm of the base models, over the time of each channel, stands behind a first convolution that is linear in
the waveform: its mean and variance follow from those of ten samples in a row. So it becomes part of the weights of that
convolution, other ones for each clip, and no pass over what it gives is needed.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from emobox_hf.encoders.forward.layout import join
from emobox_hf.encoders.forward.linear import Function, Linear, Target, chain

Shapes = tuple[tuple[int, int], ...]  # (kernel, stride) of each convolution

# Frames that a CPU takes through all convolutions at once: what they give then stays in its cache.
_PIECE = 96


@dataclass(frozen=True)
class Convolution:
    """A convolution without padding, and what stands behind it: (rows, time, n_in) -> (rows, time, n_out)."""

    linear: Linear  # from kernel * n_in to n_out, with the activation where there is no norm
    kernel: int
    stride: int
    normed: Function | None  # a norm with the activation behind it

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Frames (rows, time, n_out) of values (rows, time, n_in)."""
        hidden = multiply_windows(values.to(self.linear.dtype), self.kernel, self.stride, self.linear)
        return hidden if self.normed is None else self.normed(hidden)

    def fit(self, _: torch.Tensor, __: torch.Tensor) -> Function:
        """The function to apply to a batch of waveforms: the convolution itself, which depends on none of them."""
        return self


@dataclass(frozen=True)
class GroupNormed:
    """The first convolution with the group norm behind it."""

    weight: torch.Tensor  # float32 (channels, kernel)
    gain: torch.Tensor  # float32 (channels,)
    offset: torch.Tensor
    eps: float
    kernel: int
    stride: int
    activation: Function
    dtype: torch.dtype

    def fit(self, waveforms: torch.Tensor, n_samples: torch.Tensor) -> Function:
        """Convolution, norm and activation for some waveforms: those or pieces of them -> (rows, time, channels).

        Args:
            waveforms: float32 (rows, samples, 1), zero behind their ends.
            n_samples: (rows,).
        """
        # In float64: a filter may pass a millionth of the power, and that is what its variance is made of.
        windows = cut(waveforms, self.kernel, self.stride).double()  # (rows, windows, kernel)
        n_windows = (n_samples - self.kernel) // self.stride + 1
        if len(windows) > 1:
            windows *= (torch.arange(windows.shape[1], device=windows.device) < n_windows[:, None])[..., None]
        n = n_windows.double()[:, None, None]
        mean = windows.sum(1, keepdim=True) / n  # (rows, 1, kernel)
        covariance = windows.transpose(1, 2) @ windows / n - mean.transpose(1, 2) @ mean  # (rows, kernel, kernel)
        filters = self.weight.double().t()  # (kernel, channels)
        variance = ((covariance @ filters) * filters).sum(1, keepdim=True).clamp_min(0)  # (rows, 1, channels)
        factor = self.gain / (variance + self.eps).sqrt()
        weight, bias = (filters * factor).to(self.dtype), (self.offset - mean @ filters * factor).to(self.dtype)

        def convolve(pieces: torch.Tensor) -> torch.Tensor:
            return self.activation(torch.baddbmm(bias, cut(pieces.to(self.dtype), self.kernel, self.stride), weight))

        return convolve


@dataclass(frozen=True)
class FrontEnd:
    """Waveforms -> what the convolutions give at the valid frames."""

    first: GroupNormed | Convolution
    others: tuple[Convolution, ...]
    strides: Shapes

    def count(self, n_samples: int) -> int:
        """Frames of a waveform."""
        return count_after(self.strides, n_samples)

    @property
    def field(self) -> int:
        """Samples that one frame sees: 400 for every published model of the kind."""
        return find_field(self.strides)

    @property
    def hop(self) -> int:
        """Samples between two frames: 320 for every published model of the kind."""
        return math.prod(stride for _, stride in self.strides)

    def run_padded(self, waveforms: torch.Tensor, n_samples: torch.Tensor) -> torch.Tensor:
        """All rows at once: float32 (rows, samples), lengths (rows,) -> (rows, time, channels), as a GPU likes it."""
        waveforms = waveforms[..., None]
        return self._run(self.first.fit(waveforms, n_samples), waveforms)

    def run_piecewise(self, waveform: torch.Tensor) -> torch.Tensor:
        """One row, some frames at a time: float32 (samples,) -> (time, channels), as the cache of a CPU likes it."""
        first = self.first.fit(waveform[None, :, None], torch.tensor([len(waveform)]))
        n_frames, hop = self.count(len(waveform)), self.hop
        pieces = []
        for start in range(0, n_frames, _PIECE):
            stop = min(start + _PIECE, n_frames)
            samples = waveform[start * hop : (stop - 1) * hop + self.field]
            pieces.append(self._run(first, samples[None, :, None])[0])
        return join(pieces)

    def _run(self, first: Function, waveforms: torch.Tensor) -> torch.Tensor:
        hidden = first(waveforms)
        for convolution in self.others:
            hidden = convolution(hidden)
        return hidden


def build_front_end(layers: Any, target: Target) -> FrontEnd:
    """From the `feature_extractor.conv_layers` of a model."""
    is_grouped = isinstance(getattr(layers[0], "layer_norm", None), torch.nn.GroupNorm)
    first = _build_group_normed(layers[0], target) if is_grouped else _build_convolution(layers[0], target)
    others = tuple(_build_convolution(layer, target) for layer in layers[1:])
    return FrontEnd(first, others, tuple((layer.conv.kernel_size[0], layer.conv.stride[0]) for layer in layers))


def _build_convolution(layer: Any, target: Target) -> Convolution:
    conv, norm, activation = layer.conv, getattr(layer, "layer_norm", None), getattr(layer, "activation", F.gelu)
    if norm is None:
        return Convolution(flatten_kernel(conv, target, activation), conv.kernel_size[0], conv.stride[0], None)
    weight, bias = target.for_products(norm.weight), target.for_products(norm.bias)
    normed = chain(lambda values: F.layer_norm(values, weight.shape, weight, bias, norm.eps), activation)
    return Convolution(flatten_kernel(conv, target), conv.kernel_size[0], conv.stride[0], normed)


def _build_group_normed(layer: Any, target: Target) -> GroupNormed:
    conv, norm = layer.conv, layer.layer_norm  # a bias of the convolution would be taken out by the norm
    return GroupNormed(
        target.in_float32(conv.weight[:, 0]),
        target.in_float32(norm.weight),
        target.in_float32(norm.bias),
        norm.eps,
        conv.kernel_size[0],
        conv.stride[0],
        layer.activation,
        target.dtype,
    )


def flatten_kernel(conv: Any, target: Target, activation: Function | None = None) -> Linear:
    """An `nn.Conv1d` as a linear layer of windows (time, n_in), with an activation behind it."""
    return target.pack(conv.weight.detach().permute(0, 2, 1).flatten(1), conv.bias, activation)


def cut(values: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """Windows of a contiguous (rows, time, channels): a view (rows, windows, kernel * channels)."""
    rows, time, channels = values.shape
    n_windows = (time - kernel) // stride + 1
    return values.as_strided(
        (rows, n_windows, kernel * channels), (time * channels, stride * channels, 1), values.storage_offset()
    )


def multiply_windows(values: torch.Tensor, kernel: int, stride: int, linear: Linear) -> torch.Tensor:
    """A convolution without padding, its kernel flattened: (rows, time, n_in) -> (rows, time, n_out)."""
    windows = cut(values, kernel, stride)
    # Two dimensions are one product whatever the strides; three may become a product a row, the bias apart.
    hidden = linear(windows.reshape(-1, windows.shape[2]).contiguous())
    return hidden.view(*windows.shape[:2], -1)


def count_after(shapes: Shapes, n: int) -> int:
    """Length of a row of `n` after convolutions without padding."""
    for kernel, stride in shapes:
        n = (n - kernel) // stride + 1
    return n


def find_field(shapes: Shapes) -> int:
    """What one place of the last convolution sees of the row below the first.

    >>> find_field(((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2)))
    400
    """
    field = 1
    for kernel, stride in reversed(shapes):
        field = (field - 1) * stride + kernel
    return field
