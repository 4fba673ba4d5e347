"""Weights of a loaded model as the forward pass wants them: cast once, on the device, several joined to one product.

In half precision the matrix products are in half, with what lies between them: activations, the norms among the
convolutions on a waveform, the scores of attention. In float32 are the sum that runs through the blocks, the norms of
the blocks and statistics. That is near to autocast, without its casts of weights at every call; and on a CPU norms and
sums are no slower for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

Function = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Linear:
    """A linear layer and what stands behind it: (..., n_in) of any dtype -> (..., n_out) in its own.

    Attributes:
        weight: (n_out, n_in), or the same laid out by oneDNN, see `Target.pack`.
        bias: (n_out,), or None.
        dtype: of the product.
        activation: None for none.
        is_packed: whether oneDNN has laid out the weight.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    dtype: torch.dtype
    activation: Function | None = None
    is_packed: bool = False

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Values (..., n_out) of (..., n_in), in the dtype of the product."""
        values = values.to(self.dtype)
        if self.is_packed:
            product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(values, self.weight, self.bias, "none", [], "")
        else:
            product = F.linear(values, self.weight, self.bias)
        return product if self.activation is None else self.activation(product)


@dataclass(frozen=True)
class Norm:
    """A layer norm over the last dimension: (..., dim) of any dtype -> float32 of the same shape."""

    weight: torch.Tensor | None
    bias: torch.Tensor | None
    dim: int
    eps: float

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Values of zero mean and unit variance over the last dimension, times weight plus bias: float32."""
        return F.layer_norm(values.float(), (self.dim,), self.weight, self.bias, self.eps)


@dataclass(frozen=True)
class Target:
    """Where the weights go, and the dtype of matrix products."""

    device: torch.device
    dtype: torch.dtype

    @property
    def is_cpu(self) -> bool:
        """Whether to work on pieces that stay in a cache, not on all at once."""
        return self.device.type == "cpu"

    def for_products(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor for matrix products."""
        return tensor.detach().to(self.device, self.dtype).contiguous()

    def in_float32(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor in float32."""
        return tensor.detach().to(self.device, torch.float32).contiguous()

    def linear(self, *modules: Any, scale: float = 1.0, activation: Function | None = None) -> Linear:
        """The `nn.Linear`s as one, their outputs side by side and multiplied by `scale`, and an activation."""
        weights = [module.weight.detach() for module in modules]
        biases = [m.weight.new_zeros(m.out_features) if m.bias is None else m.bias.detach() for m in modules]
        bias = None if all(m.bias is None for m in modules) else torch.cat(biases) * scale
        return self.pack(torch.cat(weights) * scale, bias, activation)

    def pack(self, weight: torch.Tensor, bias: torch.Tensor | None, activation: Function | None = None) -> Linear:
        """The linear layer of a weight and a bias of any dtype; on a CPU laid out once as oneDNN would at every call.

        That is what torch.compile does with constant weights: 5 % faster in bfloat16, and in float32 on a processor of
        AMD 40 % faster than MKL, which torch takes otherwise. torch does not document the functions for it: without
        them the weight stays as it is.
        """
        weight, bias = self.for_products(weight), None if bias is None else self.for_products(bias)
        if not (self.is_cpu and _can_pack(self.dtype)):
            return Linear(weight, bias, self.dtype, activation)
        return Linear(torch.ops.mkldnn._reorder_linear_weight(weight), bias, self.dtype, activation, is_packed=True)

    def norm(self, module: Any) -> Norm:
        """An `nn.LayerNorm`, in float32."""
        weight, bias = (None if part is None else self.in_float32(part) for part in (module.weight, module.bias))
        return Norm(weight, bias, module.normalized_shape[-1], module.eps)


def _can_pack(dtype: torch.dtype) -> bool:
    """Whether this torch has oneDNN's two functions, and this processor the dtype."""
    mkldnn: Any = torch.backends.mkldnn  # untyped in torch
    names = ("_is_mkldnn_bf16_supported", "_reorder_linear_weight", "_linear_pointwise")
    if not (mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in names)):
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()))


def chain(first: Function, second: Function) -> Function:
    """One behind the other."""
    return lambda values: second(first(values))
