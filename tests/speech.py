"""Synthetic speech that carries emotion, and a complete fake copy of a corpus made of it."""

import hashlib
import io
from pathlib import Path

import numpy as np
import soundfile
from layout import lay_out

from emobox_hf.corpora.braces import expand_braces
from emobox_hf.corpora.spec import CorpusSpec, Example

SAMPLE_RATE_HZ = 16_000


def synthesize(
    emotion: str, speaker: str, key: str, duration_s: float = 0.4, *, pitch: float = 1.0, accent: float = 0.0
) -> np.ndarray:
    """A buzz whose pitch, level and brightness depend on the emotion, a little on the speaker, the rest on the key.

    Every pitch is multiplied by `pitch`; by up to `accent` of itself it depends on how this speaker shows this emotion.
    """
    random = np.random.default_rng(_number(key))
    pitch_hz = 90 + 60 * (_number(emotion) % 7) + 3 * (_number(speaker) % 7) + 4 * random.standard_normal()
    pitch_hz *= pitch * (1 + accent * (_number(speaker, emotion) / 2**31 - 1))
    level = 0.05 + 0.02 * (_number(emotion, "level") % 5)
    time_s = np.arange(round(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    voice = sum(np.sin(2 * np.pi * n * pitch_hz * time_s) / n ** (1 + _number(emotion) % 3) for n in range(1, 8))
    return (level * voice + 0.005 * random.standard_normal(len(time_s))).astype(np.float32)


def _number(*words: str) -> int:
    return int.from_bytes(hashlib.sha256(" ".join(words).encode()).digest()[:4], "big")


def write_wav(path: Path, waveform: np.ndarray, sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, waveform, sample_rate_hz)


def wav_bytes(n_samples: int = 1600) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.1 * np.sin(np.arange(n_samples) / 10), SAMPLE_RATE_HZ, format="WAV")
    return buffer.getvalue()


def make_polish(root: Path, spec: CorpusSpec) -> None:
    """All 450 files of the Polish corpus, synthetic."""
    rows = []
    for key in (key for pattern in spec.expected.keys for key in expand_braces(pattern)):
        stem = key.removeprefix("polish-")
        speaker, _, rest = stem.partition(".")
        rows.append(Example(path=f"{stem}.wav", key=key, raw_emotion=rest[0], speaker=speaker))
    lay_out(spec, rows, root)
    for row in rows:
        write_wav(root / row.path, synthesize(row.raw_emotion, row.speaker or "", row.key))
