"""How long the parts of a bench will take, from the rate of one small product of matrices in each number format.

It tells seconds from minutes, no more: a processor without instructions for bfloat16 computes it many times slower.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from emobox_hf.bench.clips import MEAN_S
from emobox_hf.bench.flops import count_flops
from emobox_hf.bench.gemm import ENCODER_SHAPES, Product, measure_gemm
from emobox_hf.errors import InputError
from emobox_hf.sampling import SAMPLE_RATE_HZ
from emobox_hf.text import show_seconds

SHARE = 0.6
"""Of the rate of a product that an encoder or a probe reaches, about."""
STORED_CLIPS_S = 250.0
"""Clips of a store that are written and read in a second, about."""
ASK = "--slow"
_SMALL: Product = (400, 768, 3072)  # 1.9 GFLOP: seconds where bfloat16 is emulated


@dataclass(frozen=True)
class Skipped:
    """What was not measured, since it would have taken so many seconds.

    >>> describe_skipped([Skipped("probes in bfloat16", 600.0), Skipped("wavlm-large", 200.4)])
    'skipped: probes in bfloat16 (about 10 min), wavlm-large (about 3 min 20 s); --slow measures them too'
    """

    what: str
    seconds: float


def describe_skipped(skipped: Sequence[Skipped]) -> str:
    """A line that says what was skipped, and how to ask for it; empty if nothing was."""
    if not skipped:
        return ""
    named = ", ".join(f"{one.what} (about {show_seconds(one.seconds)})" for one in skipped)
    return f"skipped: {named}; {ASK} measures {'it' if len(skipped) == 1 else 'them'} too"


def measure_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second in the first product, which is small on a CPU."""
    m, dim, width = _SMALL if device.type == "cpu" else ENCODER_SHAPES["cuda"][0]
    (product,) = measure_gemm(device, dtype, [(m, dim, width)], seconds=0.1)
    return 1e12 * product.tflops


def estimate_products(products: Sequence[Product], rate: float, *, seconds: float) -> float:
    """Seconds to measure some products, each repeated for `seconds` at least, after once for warming up."""
    calls_s = [2 * m * k * n / rate for m, k, n in products]
    return sum(call_s + max(call_s, 2.5 * seconds) for call_s in calls_s)


def estimate_pass(config: Any, rate: float, *, audio_s: float) -> float:
    """Seconds that an encoder takes for clips of so many seconds together; 0 where its operations cannot be counted."""
    try:
        a_clip = count_flops(config, round(MEAN_S * SAMPLE_RATE_HZ))
    except InputError:
        return 0.0
    return audio_s / MEAN_S * a_clip / (SHARE * rate)


def estimate_probes(n_operations: float, rate: float) -> float:
    """Seconds to train probes."""
    return n_operations / (SHARE * rate)


def show_total(seconds: float) -> str:
    """The length of a bench, for people: in whole minutes where it has some.

    >>> show_total(8.4), show_total(190.0)
    ('about 8 s in all', 'about 4 min in all')
    """
    return f"about {show_seconds(seconds if seconds < 60 else 60 * math.ceil(seconds / 60))} in all"
