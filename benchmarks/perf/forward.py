"""What the forward pass of this package gains over transformers' own blocks, in the same precision and on the same job.

    python benchmarks/perf/forward.py [--shapes wav2vec2-base wavlm-base] [--precisions no bf16] [--rounds 3]

The simple way is `emobox_hf/bench/simple_way.py`: convolutions clip by clip, then transformers' own blocks on the batch
under an attention mask (SDPA where they have it). Both ways take the same batches of noise of 0.6 to 12 s as extraction
forms them, and give the same: the frames of each clip, and mean and deviation of every hidden state. They run in turn;
a ratio is the median of the rounds, with the lowest and the highest. Middle way: the simple one with the weights of its
linear layers laid out once by oneDNN, as here, and nothing else changed.

Deviations are from transformers' model in float32 on each clip alone: root mean square, over that of the frames.
"""

import argparse
import math
import time
from statistics import median
from typing import Any

import torch

from emobox_hf.bench.clips import CORPUS_CLIPS, Waveform, choose_clips, draw_durations, sum_s
from emobox_hf.bench.shapes import make_shape
from emobox_hf.bench.simple_way import Way, make_simple
from emobox_hf.encoders.encoder import PRECISIONS
from emobox_hf.features.batching import make_batches

CPU = torch.device("cpu")
SHAPES = ("wav2vec2-base", "hubert-large", "wavlm-base", "data2vec-base", "whisper-tiny", "whisper-base")


def deviate(way: Way, batches: list[list[Waveform]], expected: list[list[torch.Tensor]]) -> float:
    """Root mean square of what differs from the expected frames, over theirs."""
    wrong = total = 0.0
    for batch, frames in zip(batches, expected, strict=True):
        for one, other in zip(way(batch), frames, strict=True):
            wrong += float((one.frames - other).double().square().sum())
            total += float(other.double().square().sum())
    return math.sqrt(wrong / total)


def measure(way: Way, batches: list[list[Waveform]]) -> float:
    """Seconds for all batches."""
    started = time.perf_counter()
    for batch in batches:
        way(batch)
    return time.perf_counter() - started


def compare(name: str, precision: Any, *, rounds: int, audio_s: float) -> None:
    """Print a line for a shape in a precision."""
    plain = make_shape(name)
    encoder = plain.build(device=CPU, precision=precision)
    clips, _ = choose_clips(draw_durations(CORPUS_CLIPS), encoder.padded_s, batch_s=encoder.batch_s, audio_s=audio_s)
    indices = make_batches([encoder.padded_s(clip.duration_s) for clip in clips], batch_s=encoder.batch_s)
    batches = [[clips[i].read() for i in batch] for batch in indices]
    dtype = PRECISIONS[precision]
    ways: dict[str, Way] = {
        "simple": make_simple(plain, dtype, packed=False),
        "middle": make_simple(plain, dtype, packed=True),
        "ours": encoder.encode,
    }
    single = make_simple(plain, torch.float32, packed=False)
    few = batches[:: max(1, len(batches) // 4)]
    expected = [[single([waveform])[0].frames for waveform in batch] for batch in few]
    deviations = {way: deviate(run, few, expected) for way, run in ways.items()}  # a warm-up, too
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            seconds[way].append(measure(run, batches))

    def show(way: str, base: str) -> str:
        ratios = [b / a for a, b in zip(seconds[way], seconds[base], strict=True)]
        return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"

    rates = ", ".join(f"{way} {sum_s(clips) / median(s):.1f}" for way, s in seconds.items())
    print(
        f"{name}, {precision}: ours / simple {show('ours', 'simple')}, middle / simple {show('middle', 'simple')}, "
        f"ours / middle {show('ours', 'middle')}; audio s/s: {rates}; deviation, %: "
        + ", ".join(f"{way} {100 * value:.2g}" for way, value in deviations.items()),
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=SHAPES)
    parser.add_argument("--precisions", nargs="+", choices=("no", "bf16"), default=("no", "bf16"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--audio-s", type=float, default=60)
    arguments = parser.parse_args()
    with torch.inference_mode():
        for name in arguments.shapes:
            for precision in arguments.precisions:
                compare(name, precision, rounds=arguments.rounds, audio_s=arguments.audio_s)


if __name__ == "__main__":
    main()
