"""What a forward pass should take on a GPU, by counting: ours beside the simple way of `forward.py`. No GPU is needed.

    python benchmarks/perf/gpu_model.py [--shapes hubert-large wavlm-large] [--batches 3] [--operations]

Both ways run batches of 480 s, as extraction forms them on a GPU, in bfloat16 on torch's meta device, where nothing is
computed. Of every operation are counted the bytes of what it reads and writes (what is broadcast once) and the
operations of its products. It takes the longest of: bytes at 2.7 TB/s, products at 680 TFLOP/s (those inside attention
at 340, in float32 and float64 at 50), and 3 microseconds. The host takes 5 microseconds to start one. A pass takes the
longer of the two sums. The constants are of an H100; the model knows no cache and no bad kernel, so it is a bound that
real passes stay above, by whichever way.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from emobox_hf.bench.clips import CORPUS_CLIPS, Waveform, draw_durations, make_clip
from emobox_hf.bench.shapes import make_shape
from emobox_hf.bench.simple_way import make_simple
from emobox_hf.encoders.forward import attention
from emobox_hf.features.batching import make_batches

BYTES_PER_S = 2.7e12
PRODUCTS_PER_S = {torch.bfloat16: 680e12, torch.float16: 680e12, torch.float32: 50e12, torch.float64: 50e12}
ATTENTION = 0.5  # of the rate of other products
KERNEL_S, HOST_S = 3e-6, 5e-6
GPU = torch.device("meta")
SHAPES = ("wav2vec2-base", "hubert-large", "wavlm-large", "data2vec-base", "whisper-base", "whisper-large-v3")
FREE = ("empty", "empty_like", "new_empty", "empty_strided", "as_strided", "unfold", "_unsafe_view", "_reshape_alias")


class Count(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Seconds of a GPU, and operations, by name."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seconds: dict[str, float] = defaultdict(float)
        self.n: Counter[str] = Counter()

    def add(self, name: str, read: Any, written: Any, flops: float, dtype: torch.dtype, rate: float = 1.0) -> None:
        """One operation."""
        tensors = {id(one): one for one in tree_leaves((read, written)) if isinstance(one, torch.Tensor)}
        n_bytes = sum(count_bytes(one) for one in tensors.values() if one.device == GPU)
        products_s = flops / (rate * PRODUCTS_PER_S[dtype]) if flops else 0.0
        self.seconds[name] += max(n_bytes / BYTES_PER_S, products_s, KERNEL_S)
        self.n[name] += 1

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count what writes something on the GPU; a view does not."""
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        written = [one for one in tree_leaves(out) if isinstance(one, torch.Tensor)]
        name = func._schema.name.split("::")[1]
        if func.is_view or name in FREE or not written or written[0].device != GPU:
            return out
        if name == "_varlen_attn":
            query, most_keys = args[0], args[6]  # rows are nearly as long as the longest
            self.add(name, args, written[0], 4 * query.numel() * most_keys, query.dtype, ATTENTION)
            return out
        count: Any = flop_registry.get(func._overloadpacket)
        flops = count(*args, **kwargs, out_val=out) if count else 0
        operands = [one for one in tree_leaves(args) if isinstance(one, torch.Tensor)]
        self.add(name, (args, kwargs), written, flops, operands[0].dtype if flops else torch.float32)
        return out


class Attention(TorchFunctionMode):
    """Takes torch's attention for the one kernel that it is on a GPU."""

    def __init__(self, count: Count) -> None:
        super().__init__()
        self.count = count

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count it; nothing else is changed."""
        kwargs = kwargs or {}
        if func is not torch.nn.functional.scaled_dot_product_attention:
            return func(*args, **kwargs)
        query, key = args[:2]
        mask = kwargs.get("attn_mask")
        out = torch.empty_like(query)
        flops = 4 * query.numel() * key.shape[2]
        self.count.add("attention", (*args[:3], mask), out, flops, query.dtype, ATTENTION)
        return out


def count_bytes(tensor: torch.Tensor) -> int:
    """Bytes of a tensor, what is broadcast counted once."""
    n = 1
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        n *= size if stride else min(size, 1)
    return n * tensor.element_size()


@contextmanager
def packed_rows(*, are_taken: bool) -> Iterator[None]:
    """Within, encoders are built as for a GPU whose attention takes packed rows, or does not."""
    with patch.object(attention, "_takes_packed", lambda *_: are_taken):
        yield


def count_passes(way: Callable[[list[Waveform]], object], batches: Sequence[list[Waveform]]) -> Count:
    """What all passes come to."""
    count = Count()
    with torch.no_grad(), count, Attention(count):
        for batch in batches:
            way(batch)
    return count


def show(name: str, n_batches: int, *, with_operations: bool) -> None:
    """A line for a shape."""
    plain = make_shape(name, device=GPU)
    plain.model.to(GPU)  # buffers, too
    with packed_rows(are_taken=False):
        padded = plain.build(device=GPU, precision="bf16")
    with packed_rows(are_taken=True):
        packed = plain.build(device=GPU, precision="bf16")
    costs_s = [packed.padded_s(duration) for duration in draw_durations(CORPUS_CLIPS)]
    durations = draw_durations(CORPUS_CLIPS)
    made = make_batches(costs_s, batch_s=480.0)
    some = [made[int((number + 0.5) * len(made) / n_batches)] for number in range(n_batches)]
    batches = [[make_clip(i, durations[i]).read() for i in batch] for batch in some]
    ways = {
        "simple": make_simple(plain, torch.bfloat16, packed=False),
        "ours, padded": padded.backbone.run,
        "ours, packed": packed.backbone.run,
    }
    counts = {way: count_passes(run, batches) for way, run in ways.items()}
    took = {way: total_ms(count, n_batches) for way, count in counts.items()}
    print(f"{name}, {sum(map(len, batches)) / n_batches:.0f} clips a batch:")
    for way, (gpu_ms, host_ms) in took.items():
        ratio = max(took["simple"]) / max(gpu_ms, host_ms)
        print(f"  {way}: {gpu_ms:.1f} ms of a GPU, {host_ms:.1f} of its host; simple / this {ratio:.2f}", flush=True)
        if with_operations:
            for operation, seconds in sorted(counts[way].seconds.items(), key=lambda item: -item[1])[:12]:
                n = counts[way].n[operation] / n_batches
                print(f"    {operation}: {1000 * seconds / n_batches:.2f} ms in {n:.0f}")


def total_ms(count: Count, n_batches: int) -> tuple[float, float]:
    """Milliseconds of a pass: of the GPU, of its host."""
    return 1000 * sum(count.seconds.values()) / n_batches, 1000 * HOST_S * sum(count.n.values()) / n_batches


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=SHAPES)
    parser.add_argument("--batches", type=int, default=3)
    parser.add_argument("--operations", action="store_true", help="the costliest operations of each way, too")
    arguments = parser.parse_args()
    for name in arguments.shapes:
        show(name, arguments.batches, with_operations=arguments.operations)


if __name__ == "__main__":
    main()
