"""The time that one extraction takes, and that a loop takes as one would write it.

The loop is EmoBox's: plain transformers in float32, one clip at a time, its feature extractor and the copy to the CPU
included; but under `no_grad`, which EmoBox's lacks, so that it is as fast as such a loop can be, and it stores nothing.
Ours goes the whole way from a WAV file to a shard on the disk.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from emobox_hf.bench.clips import Recordings, Waveform
from emobox_hf.bench.gemm import fastest, list_products, measure_gemm
from emobox_hf.bench.shapes import PlainModel
from emobox_hf.bench.store_rate import noise_key
from emobox_hf.encoders.encoder import PRECISIONS, Encoder
from emobox_hf.encoders.forward.backbone import Encoded
from emobox_hf.features import Clip, FeatureStore, extract
from emobox_hf.precision import Precision
from emobox_hf.sampling import SAMPLE_RATE_HZ


@dataclass(frozen=True)
class Sample:
    """How much sound an encoder is measured with, how often, and from which files, see `BenchRequest`."""

    audio_s: float
    loop_clips: int
    rounds: int
    gemm_s: float
    scratch: Path | None
    recordings: Recordings


@dataclass(frozen=True)
class TimedExtraction:
    """What one extraction took: seconds from clip to shard, those in forward passes; the machine's peak before it.

    `peak` is in operations a second; `memory_mb` as `Extraction.pass_memory_mb`.
    """

    wall_s: float
    forward_s: float
    peak: float
    memory_mb: float | None


class Clocked:
    """An encoder whose forward passes are timed, on a GPU by its own clock and without waiting for it."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.device = encoder.backbone.device
        self._spans: list[tuple[Any, Any]] = []

    def padded_s(self, duration_s: float) -> float:
        """Seconds that a clip takes up in the encoder."""
        return self.encoder.padded_s(duration_s)

    def encode(self, waveforms: Sequence[Waveform]) -> list[Encoded]:
        """What the encoder gives, timed."""
        before = self._mark()
        encoded = self.encoder.encode(waveforms)
        self._spans.append((before, self._mark()))
        return encoded

    def seconds(self) -> float:
        """Seconds of all forward passes so far."""
        if self.device.type != "cuda":
            return float(sum(after - before for before, after in self._spans))
        torch.cuda.synchronize(self.device)
        return float(sum(before.elapsed_time(after) for before, after in self._spans)) / 1000

    def _mark(self) -> Any:
        if self.device.type != "cuda":
            return time.perf_counter()
        event: Any = torch.cuda.Event
        mark = event(enable_timing=True)
        mark.record(torch.cuda.current_stream(self.device))
        return mark


def run_loop(plain: PlainModel, waveforms: Sequence[Waveform], device: torch.device) -> float:
    """Seconds that a plain loop takes to bring the last hidden state of each waveform to the CPU."""
    started = time.perf_counter()
    with torch.no_grad():
        for waveform in waveforms:
            inputs = plain.extractor(waveform, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")
            given = inputs.get("input_values", inputs.get("input_features"))
            plain.model(given.to(device)).last_hidden_state[0].cpu()
    return time.perf_counter() - started


def run_ours(
    plain: PlainModel, encoder: Encoder, precision: Precision, clips: Sequence[Clip], sample: Sample
) -> TimedExtraction:
    """What one extraction into a new store took, and the machine's peak, measured right before."""
    device, config = encoder.backbone.device, plain.model.config
    width = getattr(config, "intermediate_size", None) or getattr(config, "encoder_ffn_dim", None) or 4 * encoder.dim
    shape = (max(1, round(encoder.batch_s * encoder.frame_rate_hz)), encoder.dim, int(width))
    products = measure_gemm(device, PRECISIONS[precision], list_products(device, [shape]), seconds=sample.gemm_s)
    clocked, held = Clocked(encoder), 0
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        held = torch.cuda.memory_allocated(device)
    with tempfile.TemporaryDirectory(prefix="emobox-bench-", dir=sample.scratch) as root:
        store = FeatureStore.open(Path(root), noise_key(plain.name, plain.identity.key, precision))
        report = extract(clips, clocked, store, batch_s=encoder.batch_s, decoders=sample.recordings.decoders)
    memory_mb = (torch.cuda.max_memory_allocated(device) - held) / 2**20 if device.type == "cuda" else None
    return TimedExtraction(report.wall_s, clocked.seconds(), 1e12 * fastest(products).tflops, memory_mb)
