"""What torch may choose on a GPU while an encoder runs, and what it has there for rows of many lengths."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

_ATTENTION = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


def _find_varlen() -> Any:
    """Torch's attention of variable length; None of a torch that lacks it, or whose takes no factor on the scores."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return varlen_attn if "scale" in inspect.signature(varlen_attn).parameters else None


VARLEN = _find_varlen()
"""Flash attention within rows of any length that stand one behind another, (frames, heads, width); None without it."""


@contextmanager
def steady_kernels(device: torch.device) -> Iterator[None]:
    """Within, attention on CUDA never goes to cuDNN and float32 is never TF32; afterwards all is as it was.

    torch prefers cuDNN's attention on some GPUs, which makes a plan for each new shape; a batch of speech has a new one
    each time, and a plan takes longer than a pass. TF32, on by default in convolutions, keeps ten bits of a factor.
    """
    if device.type != "cuda":
        yield
        return
    switches = _tf32_switches()
    before = [getattr(owner, name) for owner, name, _ in switches]
    try:
        for owner, name, off in switches:
            setattr(owner, name, off)
        with sdpa_kernel(_ATTENTION):
            yield
    finally:
        for (owner, name, _), value in zip(switches, before, strict=True):
            setattr(owner, name, value)


def products_in_tf32() -> bool:
    """Whether products of float32 matrices on CUDA are computed in TF32 outside of `steady_kernels`."""
    owner, name, _ = _tf32_switches()[0]
    return getattr(owner, name) in (True, "tf32")


def _tf32_switches() -> tuple[tuple[Any, str, Any], ...]:
    """Where torch keeps whether products and convolutions may use TF32: owner, name, and the value that forbids it."""
    backends: Any = torch.backends  # untyped in torch
    if hasattr(backends.cudnn, "conv"):
        return (backends.cuda.matmul, "fp32_precision", "ieee"), (backends.cudnn.conv, "fp32_precision", "ieee")
    return (backends.cuda.matmul, "allow_tf32", False), (backends.cudnn, "allow_tf32", False)  # before torch 2.9
