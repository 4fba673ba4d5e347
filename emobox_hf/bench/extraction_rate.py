"""Extraction beside the loop one would write: audio seconds a second, operations a second, their share of the peak."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from emobox_hf.bench.clips import CORPUS_CLIPS, choose_clips, draw_durations, sum_s
from emobox_hf.bench.flops import count_flops
from emobox_hf.bench.shapes import PlainModel
from emobox_hf.bench.timed_extraction import Sample, TimedExtraction, run_loop, run_ours
from emobox_hf.errors import InputError
from emobox_hf.features import Clip
from emobox_hf.precision import Precision
from emobox_hf.sampling import SAMPLE_RATE_HZ
from emobox_hf.text import show_number

EMOBOX_CLIPS, EMOBOX_H = 262_020, 294.0  # all 32 corpora, arXiv 2406.07162


@dataclass(frozen=True)
class Extraction:
    """How fast an encoder extracts in one precision; medians over the rounds.

    Attributes:
        precision: Of the forward pass, in accelerate's words.
        batch_s: Padded seconds that a batch may have.
        padding: Share of the seconds in the batches of a corpus that is no sound, from 0 to 1. An encoder that pads
            every clip to a window computes that as well.
        busy_fraction: Share of the time in which a forward pass is under way; on a GPU by its own clock, with the gaps
            between the kernels of a pass.
        audio_s_per_s: Seconds of sound a second, from file to shard.
        clips_per_s: Clips a second.
        times_loop: How many times as fast as the loop of the same round.
        tflops: 10^12 operations a second, as counted by `flops`; None for a model that cannot be counted.
        fraction_of_peak: Of the product of matrices measured right before it.
        forward_fraction_of_peak: The same of the forward passes alone.
        pass_memory_mb: What the largest pass took on a GPU besides weights; None on a CPU.
        all_corpora_min: Minutes for the 262,020 utterances, 294 h, of all 32 corpora at this rate.
    """

    precision: str
    batch_s: float
    padding: float
    busy_fraction: float
    audio_s_per_s: float
    clips_per_s: float
    times_loop: float
    tflops: float | None
    fraction_of_peak: float | None
    forward_fraction_of_peak: float | None
    pass_memory_mb: float | None
    all_corpora_min: float


@dataclass(frozen=True)
class EncoderRates:
    """How fast an encoder extracts: by the plain loop, and by this package in each precision.

    Attributes:
        name: Its shape, folder or id.
        is_random: Whether its weights were drawn.
        dim: Width of a frame.
        n_layers: Blocks.
        n_clips: Clips that an extraction encoded.
        audio_s: Their seconds.
        n_rounds: How often each was measured.
        gflop_per_audio_s: 10^9 operations to a second of their sound; None for a model that cannot be counted.
        loop_audio_s_per_s: Seconds of sound a second in the loop.
        loop_clips_per_s: Clips a second in the loop.
        extractions: One a precision.
    """

    name: str
    is_random: bool
    dim: int
    n_layers: int
    n_clips: int
    audio_s: float
    n_rounds: int
    gflop_per_audio_s: float | None
    loop_audio_s_per_s: float
    loop_clips_per_s: float
    extractions: tuple[Extraction, ...]


@dataclass(frozen=True)
class Workload:
    """What an extraction encodes: clips, their seconds, operations if they can be counted, whether each is padded."""

    n_clips: int
    audio_s: float
    flops: int | None
    pads_windows: bool


def measure_encoder(
    plain: PlainModel,
    device: torch.device,
    precisions: Sequence[Precision],
    sample: Sample,
    say: Callable[[str], object],
) -> EncoderRates:
    """Rates of an encoder by the plain loop and by this package in every precision, in turn for so many rounds."""
    encoders = {precision: plain.build(device=device, precision=precision) for precision in precisions}
    one = next(iter(encoders.values()))
    clips, padding = choose_clips(
        draw_durations(CORPUS_CLIPS), one.padded_s, batch_s=one.batch_s, audio_s=sample.audio_s
    )
    sample.recordings.write(clips)
    by_length = sorted(clips, key=lambda clip: clip.duration_s)
    some = by_length[:: -(-len(clips) // sample.loop_clips)]
    warm_up = [clip.read() for clip in by_length[-1:]]
    run_loop(plain, warm_up, device)
    for encoder in encoders.values():
        encoder.encode(warm_up)
    loops: list[float] = []
    passes: dict[Precision, list[TimedExtraction]] = {precision: [] for precision in precisions}
    for number in range(sample.rounds):
        where = f"{plain.name}, round {number + 1} of {sample.rounds}"
        loops.append(run_loop(plain, [clip.read() for clip in some], device))
        say(f"{where}, loop: {show_number(sum_s(some) / loops[-1])} audio s/s")
        for precision, encoder in encoders.items():
            passes[precision].append(run_ours(plain, encoder, precision, clips, sample))
            say(f"{where}, {precision}: {show_number(sum_s(clips) / passes[precision][-1].wall_s)} audio s/s")
    work = Workload(len(clips), sum_s(clips), count_all(plain.model, clips), one.backbone.pads_windows)
    # A clip costs the same whatever its length where each is padded, and as much as it is long elsewhere.
    share = len(some) / work.n_clips if work.pads_windows else sum_s(some) / work.audio_s
    loops = [seconds / share for seconds in loops]
    return EncoderRates(
        name=plain.name,
        is_random=plain.is_random,
        dim=one.dim,
        n_layers=one.n_layers,
        n_clips=work.n_clips,
        audio_s=work.audio_s,
        n_rounds=sample.rounds,
        gflop_per_audio_s=None if work.flops is None else work.flops / work.audio_s / 1e9,
        loop_audio_s_per_s=work.audio_s / median(loops),
        loop_clips_per_s=work.n_clips / median(loops),
        extractions=tuple(
            summarize_rounds(precision, encoders[precision].batch_s, padding, work, done, loops)
            for precision, done in passes.items()
        ),
    )


def summarize_rounds(
    precision: str,
    batch_s: float,
    padding: float,
    work: Workload,
    done: Sequence[TimedExtraction],
    loops: Sequence[float],
) -> Extraction:
    """Rates of one precision, medians over the rounds; `loops` are the seconds of the loop for all of the work."""
    wall_s, flops = median(one.wall_s for one in done), work.flops
    return Extraction(
        precision=precision,
        batch_s=batch_s,
        padding=padding,
        busy_fraction=median(one.forward_s / one.wall_s for one in done),
        audio_s_per_s=work.audio_s / wall_s,
        clips_per_s=work.n_clips / wall_s,
        times_loop=median(loop / one.wall_s for loop, one in zip(loops, done, strict=True)),
        tflops=None if flops is None else flops / wall_s / 1e12,
        fraction_of_peak=None if flops is None else median(flops / one.wall_s / one.peak for one in done),
        forward_fraction_of_peak=None if flops is None else median(flops / one.forward_s / one.peak for one in done),
        pass_memory_mb=done[-1].memory_mb,
        all_corpora_min=project_min(work.audio_s / wall_s, work.n_clips / wall_s, pads_windows=work.pads_windows),
    )


def count_all(model: Any, clips: Sequence[Clip]) -> int | None:
    """Floating-point operations for all clips; None for a model whose operations cannot be counted."""
    try:
        return sum(count_flops(model, round(clip.duration_s * SAMPLE_RATE_HZ)) for clip in clips)
    except InputError:
        return None


def project_min(audio_s_per_s: float, clips_per_s: float, *, pads_windows: bool) -> float:
    """Minutes for all corpora of EmoBox at these rates.

    >>> round(project_min(294.0, 1.0, pads_windows=False), 1)
    60.0
    >>> round(project_min(1.0, 4367.0, pads_windows=True), 1)
    1.0
    """
    return EMOBOX_CLIPS / clips_per_s / 60 if pads_windows else EMOBOX_H * 60 / audio_s_per_s
