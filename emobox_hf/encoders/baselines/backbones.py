"""What baselines compute, as the `Backbone` of an `Encoder`: on the CPU, clip by clip, so alike on every machine."""

import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emobox_hf.encoders.forward.backbone import Backbone, Encoded, Waveform
from emobox_hf.encoders.known.identity import EncoderIdentity
from emobox_hf.sampling import SAMPLE_RATE_HZ

BATCH_S = 600.0
"""Seconds of a batch. Nothing is padded; it bounds how much sound waits in memory."""

N_BANDS = 80
WINDOW, HOP = 400, 160  # samples: 25 and 10 ms
N_FFT = 512
FLOOR = 1e-10  # of a band's power: samples are in [-1, 1], and 16-bit noise lies above it
EGEMAPS_SAMPLES = 960  # 60 ms, the longest window of eGeMAPS


def build_baseline(identity: EncoderIdentity) -> Backbone:
    """The backbone of a baseline's identity."""
    return BACKBONES[identity.name]()


def one_hot(column: int | None, n_columns: int) -> NDArray[np.float32]:
    """What is read of an utterance whose trait is encoded, in place of its waveform: float32 (columns,)."""
    row = np.zeros(n_columns, dtype=np.float32)
    if column is not None:
        row[column] = 1
    return row


def _duration() -> Backbone:
    def measure(waveform: Waveform) -> torch.Tensor:
        duration_s = torch.tensor(len(waveform) / SAMPLE_RATE_HZ, dtype=torch.float64)
        return torch.stack([duration_s.log(), duration_s]).float()

    return _of_utterance(measure, dim=2)


def _trait() -> Backbone:
    """Gives the rows that it is given, see `one_hot`; the corpus decides on their width."""
    return _of_utterance(lambda row: torch.tensor(row), dim=0)


def _egemaps() -> Backbone:
    def compute(waveform: Waveform) -> torch.Tensor:
        functionals = _smile().process_signal(waveform, SAMPLE_RATE_HZ)  # a table of one row
        return torch.tensor(functionals.to_numpy()[0], dtype=torch.float32)

    return _of_utterance(compute, dim=88, min_samples=EGEMAPS_SAMPLES)


@cache
def _smile() -> Any:
    import opensmile

    levels, sets = opensmile.FeatureLevel, opensmile.FeatureSet
    return opensmile.Smile(feature_set=sets.eGeMAPSv02, feature_level=levels.Functionals)


def _log_mel() -> Backbone:
    filters, window = mel_filters(), torch.hann_window(WINDOW)

    def compute(waveform: Waveform) -> torch.Tensor:
        frames = torch.tensor(waveform).unfold(0, WINDOW, HOP) * window  # (time, samples)
        power = torch.fft.rfft(frames, N_FFT).abs().square()  # (time, frequencies)
        return torch.matmul(power, filters).clamp(min=FLOOR).log()  # (time, bands)

    def run(waveforms: list[Waveform]) -> list[Encoded]:
        return [_pool(compute(waveform)) for waveform in waveforms]

    return Backbone(
        device=torch.device("cpu"),
        dim=N_BANDS,
        n_layers=0,
        layer=0,
        frame_rate_hz=SAMPLE_RATE_HZ / HOP,
        min_samples=WINDOW,
        count=lambda n_samples: 1 + (n_samples - WINDOW) // HOP,
        run=run,
        batch_s=BATCH_S,
    )


def mel_filters() -> torch.Tensor:
    """Triangles of height 1, equally wide on HTK's mel scale from 0 to 8 kHz: float32 (frequencies, bands)."""
    highest_mel = 2595 * np.log10(1 + SAMPLE_RATE_HZ / 2 / 700)
    edges_hz = 700 * (10 ** (np.linspace(0, highest_mel, N_BANDS + 2) / 2595) - 1)
    bins_hz = np.arange(N_FFT // 2 + 1)[:, None] * SAMPLE_RATE_HZ / N_FFT
    low, centre, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising, falling = (bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)
    return torch.tensor(np.maximum(0, np.minimum(rising, falling)), dtype=torch.float32)


def _of_utterance(compute: Callable[[Waveform], torch.Tensor], *, dim: int, min_samples: int = 1) -> Backbone:
    """A backbone that gives one frame, float32 (dim,), of a whole clip however long; `dim` 0 is not known before."""

    def run(waveforms: list[Waveform]) -> list[Encoded]:
        return [_pool(compute(waveform)[None]) for waveform in waveforms]

    return Backbone(
        device=torch.device("cpu"),
        dim=dim,
        n_layers=0,
        layer=0,
        frame_rate_hz=0,
        min_samples=min_samples,
        count=lambda n_samples: 1,
        run=run,
        batch_s=BATCH_S,
        window_samples=sys.maxsize,
    )


def _pool(frames: torch.Tensor) -> Encoded:
    """Frames (time, dim) with their mean and deviation, which are those of layer 0, the only one."""
    return Encoded(frames, torch.stack([frames.mean(0), frames.std(0, correction=0)])[None])


BACKBONES: Mapping[str, Callable[[], Backbone]] = {
    "baseline:duration": _duration,
    "baseline:speaker": _trait,
    "baseline:sentence": _trait,
    "baseline:logmel": _log_mel,
    "baseline:egemaps": _egemaps,
}
"""How each baseline of the table is computed, by its id."""
