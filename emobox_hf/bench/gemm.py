"""How many operations a second a machine does in products of matrices: what an encoder can at best come near to."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import torch

from emobox_hf.encoders.forward.linear import Target

# Frames of a batch, width, width of the feed-forward layer: of base and large models, and of Whisper's largest.
ENCODER_SHAPES = {"cpu": ((800, 768, 3072), (800, 1024, 4096)), "cuda": ((24_000, 1024, 4096), (24_000, 1280, 5120))}
SQUARE = {"cpu": 2048, "cuda": 8192}


@dataclass(frozen=True)
class Gemm:
    """How fast one product of matrices is, (m, k) by (k, n).

    Attributes:
        dtype: Of the matrices.
        m: Rows.
        k: What is summed over.
        n: Columns.
        tflops: 10^12 operations a second, 2 m k n to a product, by the wall clock.
    """

    dtype: str
    m: int
    k: int
    n: int
    tflops: float


Product = tuple[int, int, int]


def list_products(device: torch.device, shapes: Iterable[Product] = ()) -> list[Product]:
    """Sizes (m, k, n) to measure: of the feed-forward layers of `shapes`, else `ENCODER_SHAPES`, and a square one."""
    kind = device.type if device.type in SQUARE else "cuda"
    of_encoders = tuple(shapes) or ENCODER_SHAPES[kind]
    products = [(m, k, n) for m, dim, width in of_encoders for k, n in ((dim, width), (width, dim))]
    return [*products, (SQUARE[kind],) * 3]


def measure_gemm(
    device: torch.device, dtype: torch.dtype, products: Iterable[Product], *, seconds: float
) -> list[Gemm]:
    """The rate of each product, repeated for `seconds` at least.

    On a CPU each is done as torch does it and with the weight laid out by oneDNN, and the faster one counts.
    """
    found = []
    for m, k, n in products:
        one = torch.randn(m, k, device=device).to(dtype)
        other = torch.randn(n, k, device=device).to(dtype)
        linear, result = Target(device, dtype).pack(other, None), torch.empty(m, n, device=device, dtype=dtype)
        ways: list[Callable[[], object]] = [partial(torch.mm, one, other.t(), out=result)]
        ways += [partial(linear, one)] if linear.is_packed else []
        with torch.inference_mode():
            spent = min(seconds_per_call(way, device, at_least_s=seconds / len(ways)) for way in ways)
        found.append(Gemm(str(dtype).removeprefix("torch."), m, k, n, 2 * m * k * n / spent / 1e12))
    return found


def fastest(products: Iterable[Gemm]) -> Gemm:
    """The fastest of some products."""
    return max(products, key=lambda product: product.tflops)


def seconds_per_call(call: Callable[[], object], device: torch.device, *, at_least_s: float) -> float:
    """Mean wall time of a call, repeated for so many seconds at least, after one that does not count."""
    call()
    synchronize(device)
    n = 1
    while True:
        started = time.perf_counter()
        for _ in range(n):
            call()
        synchronize(device)
        spent = time.perf_counter() - started
        if spent >= at_least_s:
            return spent / n
        n = max(2 * n, math.ceil(1.1 * n * at_least_s / max(spent, 1e-6)))


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done all that was started."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
