"""What the forward pass of this package gains over transformers' own blocks, in the same precision and on the same job.

    python benchmarks/perf/forward.py [--shapes wav2vec2-base wavlm-base] [--precisions no bf16] [--rounds 3]

The simple way: the convolutions on the waveform and those of positions clip by clip, so that no clip hears another's
padding; then transformers' own blocks on the batch, padded to its longest clip, under an attention mask (SDPA), in
half precision as a model cast whole. Both ways take the same batches of noise of 0.6 to 12 s as extraction forms them,
and give the same: the frames of each clip, and mean and deviation of every hidden state. They run in turn; a ratio is
the median of the rounds, with the lowest and the highest. Middle way: the simple one with the weights of its linear
layers laid out once by oneDNN, as here, and nothing else changed.

Deviations are from transformers' model in float32 on each clip alone: root mean square, over that of the frames.
"""

import argparse
import copy
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import nn

from emobox_hf.bench.clips import CORPUS_CLIPS, Waveform, choose_clips, draw_durations, sum_s
from emobox_hf.bench.shapes import PlainModel, make_shape
from emobox_hf.encoders.encoder import PRECISIONS
from emobox_hf.encoders.forward.backbone import Encoded
from emobox_hf.encoders.forward.linear import Linear, Target
from emobox_hf.encoders.forward.mel import build_log_mel
from emobox_hf.encoders.forward.waveform import prepare
from emobox_hf.features.batching import make_batches

CPU = torch.device("cpu")
Way = Callable[[list[Waveform]], list[Encoded]]
SHAPES = ("wav2vec2-base", "hubert-large", "wavlm-base", "data2vec-base", "whisper-tiny", "whisper-base")


class Packed(nn.Module):
    """A linear layer of a model with its weight laid out once."""

    def __init__(self, linear: Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Values (..., n_out) of (..., n_in)."""
        return self.linear(values)


def pack_linears(module: nn.Module, target: Target) -> nn.Module:
    """The module, its linear layers replaced by `Packed`; those whose weights are read from outside stay."""
    for name, child in module.named_children():
        if type(child) is nn.Linear and not hasattr(module, "gru_rel_pos_linear"):
            setattr(module, name, Packed(target.linear(child)))
        else:
            pack_linears(child, target)
    return module


def pool_padded(states: Sequence[torch.Tensor], n_frames: Sequence[int]) -> torch.Tensor:
    """Mean and deviation of each hidden state (rows, time, dim) over the frames of each row: (rows, layers, 2, dim)."""
    device, is_padded = states[0].device, len(set(n_frames)) > 1
    counts = torch.tensor(n_frames, device=device)[:, None, None]
    is_frame = torch.arange(states[0].shape[1], device=device)[:, None] < counts
    pooled = []
    for state in states:
        values = state.float()
        values = values.masked_fill(~is_frame, 0) if is_padded else values
        mean = values.sum(1, keepdim=True) / counts
        deviation = values - mean
        deviation = deviation.masked_fill(~is_frame, 0) if is_padded else deviation
        pooled.append(torch.cat([mean, (deviation.square().sum(1, keepdim=True) / counts).sqrt()], dim=1))
    return torch.stack(pooled, dim=1)


def run_waveforms(model: Any, extractor: Any, waveforms: list[Waveform]) -> list[Encoded]:
    """The simple way for models on waveforms."""
    dtype, device, encoder = model.dtype, model.device, model.encoder
    rows = []
    for waveform in waveforms:
        local = model.feature_extractor(prepare(extractor, waveform)[None].to(device, dtype)).transpose(1, 2)
        projected = model.feature_projection(local)
        row = projected[0] if isinstance(projected, tuple) else projected
        rows.append((row + encoder.pos_conv_embed(row))[0])  # (time, dim)
    n_frames = [len(row) for row in rows]
    hidden = nn.utils.rnn.pad_sequence(rows, batch_first=True)  # (rows, time, dim)
    is_frame = torch.arange(hidden.shape[1], device=device) < torch.tensor(n_frames, device=device)[:, None]
    is_wavlm = model.config.model_type == "wavlm"
    mask = is_frame if is_wavlm else is_frame[:, None, None]
    options = {"attention_mask": mask if len(set(n_frames)) > 1 else None}
    stable = getattr(model.config, "do_stable_layer_norm", False)
    hidden = hidden if stable else encoder.layer_norm(hidden)
    states, bias = [hidden], None
    for index, layer in enumerate(encoder.layers):
        if is_wavlm:
            hidden, bias = layer(hidden, **options, position_bias=bias, index=index)
        else:
            hidden = layer(hidden, **options)
        states.append(hidden)
    if stable:
        states[-1] = encoder.layer_norm(hidden)
    return split(states, n_frames)


def run_whisper(model: Any, log_mel: Any, waveforms: list[Waveform]) -> list[Encoded]:
    """The simple way for Whisper, whose windows are padded anyway."""
    features = log_mel([torch.from_numpy(waveform) for waveform in waveforms], 480_000).transpose(1, 2).to(model.dtype)
    output = model(features, output_hidden_states=True)
    states = [*output.hidden_states[:-1], output.last_hidden_state]
    n_frames = [len(waveform) // 320 for waveform in waveforms]
    return split([state[:, : max(n_frames)] for state in states], n_frames)


def split(states: Sequence[torch.Tensor], n_frames: Sequence[int]) -> list[Encoded]:
    """What each clip gives, of hidden states (rows, time, dim)."""
    last, pooled = states[-1].float(), pool_padded(states, n_frames)
    return [Encoded(last[row, :n], pooled[row]) for row, n in enumerate(n_frames)]


def make_simple(plain: PlainModel, dtype: torch.dtype, *, packed: bool) -> Way:
    """The simple way, or the middle one."""
    model = copy.deepcopy(plain.model).to(dtype)
    if packed:
        pack_linears(model, Target(model.device, dtype))
    if plain.identity.model_type == "whisper":
        return partial(run_whisper, model, build_log_mel(plain.extractor, model.device, plain.identity))
    return partial(run_waveforms, model, plain.extractor)


class Timing(NamedTuple):
    """Seconds for all batches, and the relative deviation of the frames from float32."""

    seconds: list[float]
    deviation: float


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
