"""Noise clips as long as utterances are, in whole batches of a large corpus: what speed is measured with."""

import tempfile
import wave
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emobox_hf.features import Clip, Decoders
from emobox_hf.features.batching import make_batches
from emobox_hf.results import AudioSettings
from emobox_hf.sampling import SAMPLE_RATE_HZ

Waveform = NDArray[np.float32]

SHORTEST_S, LONGEST_S = 0.6, 12.0
MEAN_S = 3.8
CORPUS_CLIPS = 8_000  # the mean of EmoBox's corpora


def draw_durations(n: int) -> list[float]:
    """Seconds of `n` clips, 0.6 to 12 s, evenly spread by their logarithm: 3.8 s on average (EmoBox's have 4.0 s)."""
    rng = np.random.default_rng(0)
    return (SHORTEST_S * (LONGEST_S / SHORTEST_S) ** rng.random(n)).tolist()  # type: ignore[no-any-return]


@cache
def _draw_noise() -> Waveform:
    return 0.1 * np.random.default_rng(0).standard_normal(round(4 * LONGEST_S * SAMPLE_RATE_HZ), dtype=np.float32)


def make_noise(number: int, n_samples: int) -> Waveform:
    """Quiet noise, float32 (n_samples,), cut from one piece: drawing it anew takes longer than decoding speech."""
    noise = _draw_noise()
    return np.resize(noise[997 * number % (len(noise) // 2) :], n_samples)


def choose_clips(
    durations_s: Sequence[float], padded_s: Callable[[float], float], *, batch_s: float, audio_s: float
) -> tuple[list[Clip], float]:
    """About `audio_s` seconds of clips in whole batches of a large corpus, and the share of padding in that corpus.

    Batches are taken evenly from the longest clips to the shortest; made again from these clips they are the same.
    """
    costs_s = [padded_s(duration) for duration in durations_s]
    batches = make_batches(costs_s, batch_s=batch_s)
    padding = 1 - sum(durations_s) / sum(len(batch) * costs_s[batch[0]] for batch in batches)
    n_batches = min(len(batches), max(1, round(audio_s * len(batches) / sum(durations_s))))
    chosen = [batches[int((number + 0.5) * len(batches) / n_batches)] for number in range(n_batches)]
    return [make_clip(i, durations_s[i]) for batch in chosen for i in batch], padding


def make_clip(number: int, duration_s: float) -> Clip:
    """A clip of noise, made when it is read."""
    n_samples = round(duration_s * SAMPLE_RATE_HZ)
    return Clip(f"noise-{number:06d}", n_samples / SAMPLE_RATE_HZ, partial(make_noise, number, n_samples))


@dataclass(frozen=True)
class Recordings:
    """Clips as WAV files of 16 bits, and the processes that decode them.

    Attributes:
        folder: Where the files are.
        decoders: Processes that were started before any model was made, as extraction starts them.
    """

    folder: Path
    decoders: Decoders

    def write(self, clips: Sequence[Clip]) -> None:
        """Write the files of clips that `choose_clips` gave, those that are not there yet."""
        for clip in clips:
            path = _path_of(self.folder, clip.key)
            if not path.exists():
                with wave.open(str(path), "wb") as file:
                    file.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", ""))
                    file.writeframes((32767 * clip.read()).clip(-32767, 32767).astype("<i2").tobytes())


@contextmanager
def recordings(scratch: Path | None, device_type: str) -> Iterator[Recordings]:
    """Within, recordings of a corpus can be written and decoded; nothing of them is left."""
    with tempfile.TemporaryDirectory(prefix="emobox-bench-", dir=scratch) as name:
        clips = [make_clip(number, duration) for number, duration in enumerate(draw_durations(CORPUS_CLIPS))]
        read = AudioSettings().read_file
        files = [Clip(clip.key, clip.duration_s, partial(read, _path_of(Path(name), clip.key), {})) for clip in clips]
        with Decoders(files, device_type=device_type) as decoders:
            yield Recordings(Path(name), decoders)


def _path_of(folder: Path, key: str) -> Path:
    return folder / f"{key}.wav"


def sum_s(clips: Sequence[Clip]) -> float:
    """Seconds of all clips."""
    return sum(clip.duration_s for clip in clips)
