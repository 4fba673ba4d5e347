"""Clips, an encoder and a key for the tests of this wing; also imported by the processes that those tests start."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch

from emobox_hf.encoders.forward.backbone import Encoded
from emobox_hf.errors import InputError
from emobox_hf.features import Clip, FeatureKey, FeatureStore
from emobox_hf.features.ragged import RaggedFrames

KEY = FeatureKey(
    corpus="toy",
    corpus_digest="c0",
    encoder="someone/encoder",
    encoder_digest="e0",
    layer=-1,
    context="clip",
    resampler="soxr",
    storage_dtype="float32",
)


def make_waveform(number: int) -> np.ndarray:
    rng = np.random.default_rng(number)
    return rng.standard_normal(320 * int(rng.integers(3, 40))).astype(np.float32)


def make_clips(
    n: int, *, unreadable: Collection[int] = (), read: Callable[[int], np.ndarray] = make_waveform
) -> list[Clip]:
    return [
        Clip(
            f"toy-{number:03d}",
            len(make_waveform(number)) / 16000,
            partial(refuse if number in unreadable else read, number),
        )
        for number in range(n)
    ]


def refuse(number: int) -> np.ndarray:
    raise InputError(f"file {number} is torn")


def encoded_of(*frames: torch.Tensor) -> list[Encoded]:
    """Frames of one layer above another that is twice as loud, with their statistics."""
    return [Encoded(one, torch.stack([statistics_of(2 * one), statistics_of(one)])) for one in frames]


def statistics_of(frames: torch.Tensor) -> torch.Tensor:
    return torch.stack([frames.mean(0), frames.std(0, correction=0)])


@dataclass
class ToyEncoder:
    """One frame of three numbers for 320 samples; the last one tells the longest neighbour in the batch.

    So frames change when a clip is encoded in other company, as a real encoder's last bits do.
    """

    seen: list[int] = field(default_factory=list)

    def padded_s(self, duration_s: float) -> float:
        return duration_s

    def encode(self, waveforms: Sequence[np.ndarray]) -> list[Encoded]:
        self.seen.append(len(waveforms))
        longest = max(map(len, waveforms))
        frames = []
        for waveform in waveforms:
            blocks = torch.from_numpy(waveform).reshape(-1, 320)
            frames.append(torch.stack([blocks.mean(1), blocks[:, 0], torch.full((len(blocks),), longest)], dim=1))
        return encoded_of(*frames)


CLIPS = make_clips(40)
KEYS = [clip.key for clip in CLIPS]
SMALL = {"batch_s": 2.0, "shard_s": 3.0, "n_workers": 0}


def assert_complete(store: FeatureStore, undisturbed: tuple[RaggedFrames, torch.Tensor]) -> None:
    """The store is sound and holds what one process would have put there in one go."""
    assert store.verify() == []
    found, (expected, pooled) = store.read(KEYS), undisturbed
    assert torch.equal(found.offsets, expected.offsets)
    assert torch.equal(found.frames, expected.frames)
    assert torch.equal(store.read_pooled(KEYS), pooled)
