"""Where the time of forward passes on a CPU goes, and what torch.compile would change.

    python benchmarks/perf/passes.py [--shapes wav2vec2-base whisper-tiny] [--precision bf16]

Prints, for batches of noise of 0.6 to 12 s as extraction forms them, the share of the peak when each is encoded again
and again with nothing beside it, and the time by kind of operation, from torch's profiler. Then the feed-forward half
of a block: as here, with weights laid out by oneDNN, and by torch.compile.
"""

import argparse
import time
from collections import Counter
from functools import partial
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812
from torch.profiler import ProfilerActivity, profile

from emobox_hf.bench.clips import CORPUS_CLIPS, choose_clips, draw_durations
from emobox_hf.bench.extraction_rate import count_all
from emobox_hf.bench.gemm import fastest, list_products, measure_gemm, seconds_per_call
from emobox_hf.bench.shapes import make_shape
from emobox_hf.encoders.encoder import PRECISIONS, Encoder
from emobox_hf.encoders.forward.linear import Target, chain
from emobox_hf.features.batching import make_batches

CPU = torch.device("cpu")
KINDS = {
    "products": ("mkldnn::_linear_pointwise", "aten::bmm", "aten::mm", "aten::baddbmm", "aten::addmm"),
    "softmax": ("aten::exp_", "aten::_softmax", "aten::sum", "aten::div", "aten::linalg_vector_norm"),
    "GELU": ("aten::gelu",),
    "copies": ("aten::copy_", "aten::cat", "aten::index_select"),
    "norms": ("aten::native_layer_norm", "aten::native_group_norm"),
}


def share_times(encoder: Encoder, batches: list[list[Any]]) -> dict[str, float]:
    """Percent of the operators' time by kind."""
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        for batch in batches:
            encoder.encode(batch)
    kind_of = {name: kind for kind, names in KINDS.items() for name in names}
    spent = Counter[str]()
    for row in profiled.key_averages():
        spent[kind_of.get(row.key, "other")] += row.self_cpu_time_total
    return {kind: 100 * us / spent.total() for kind, us in spent.most_common()}


def show_passes(name: str, precision: Any) -> None:
    """One encoder."""
    plain = make_shape(name)
    encoder = plain.build(device=CPU, precision=precision)
    clips, _ = choose_clips(draw_durations(CORPUS_CLIPS), encoder.padded_s, batch_s=encoder.batch_s, audio_s=160)
    indices = make_batches([encoder.padded_s(clip.duration_s) for clip in clips], batch_s=encoder.batch_s)
    batches = [[clips[i].read() for i in batch] for batch in indices]
    spent = sum(seconds_per_call(partial(encoder.encode, batch), CPU, at_least_s=1.0) for batch in batches)
    peak = 1e12 * fastest(measure_gemm(CPU, PRECISIONS[precision], list_products(CPU, []), seconds=0.3)).tflops
    flops = count_all(plain.model, clips)
    print(f"{name}, {precision}: {100 * flops / spent / peak:.0f} % of the peak" if flops else name)
    print("  " + ", ".join(f"{kind} {share:.1f} %" for kind, share in share_times(encoder, batches).items()))


def show_compile(precision: Any, frames: int = 800, dim: int = 768) -> None:
    """The feed-forward half of a block of the base models, as here and compiled."""
    up, down = torch.nn.Linear(dim, 4 * dim), torch.nn.Linear(4 * dim, dim)
    target = Target(CPU, PRECISIONS[precision])
    ours = chain(target.linear(up, activation=F.gelu), target.linear(down))
    up, down = up.to(target.dtype), down.to(target.dtype)
    compiled = torch.compile(lambda values: down(F.gelu(up(values))), dynamic=True)
    values = torch.randn(frames, dim, dtype=target.dtype)
    started = time.perf_counter()
    compiled(values)
    first_s = time.perf_counter() - started
    ours_ms, compiled_ms = (1000 * seconds_per_call(partial(f, values), CPU, at_least_s=1.0) for f in (ours, compiled))
    print(f"feed-forward of {frames} frames, {dim} wide, {precision}: ours {ours_ms:.1f} ms")
    print(f"  torch.compile {compiled_ms:.1f} ms, and {first_s:.0f} s for the first call")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=["wav2vec2-base", "whisper-tiny"])
    parser.add_argument("--precision", choices=("no", "bf16"), default="bf16")
    arguments = parser.parse_args()
    with torch.inference_mode():
        for name in arguments.shapes:
            show_passes(name, arguments.precision)
        for precision in ("no", "bf16"):
            show_compile(precision)


if __name__ == "__main__":
    main()
