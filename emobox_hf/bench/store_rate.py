"""How fast features are written to a store and read again."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from emobox_hf.encoders.forward.backbone import Encoded
from emobox_hf.features import FeatureKey, FeatureStore

N_FRAMES, DIM, N_LAYERS = 200, 768, 13  # four seconds of a base model
SHARD_CLIPS = 150  # ten minutes


@dataclass(frozen=True)
class StoreRates:
    """How fast a store of float16 frames and pooled vectors is written and read.

    Attributes:
        n_clips: Utterances in it, four seconds each.
        stored_mb: 10^6 bytes on disk.
        write_mb_s: Checked, converted, hashed, written and flushed to the disk, 10^6 bytes a second.
        read_mb_s: Frames, read and verified. The system may still hold them in memory.
        read_pooled_clips_s: Utterances a second whose pooled vectors are read and verified.
    """

    n_clips: int
    stored_mb: float
    write_mb_s: float
    read_mb_s: float
    read_pooled_clips_s: float


def measure_store(n_clips: int, scratch: Path | None) -> StoreRates:
    """Rates of a temporary store, to which `n_clips` utterances are written and from which all are read."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(N_FRAMES + SHARD_CLIPS, DIM, generator=generator)
    pooled = torch.randn(N_LAYERS, 2, DIM, generator=generator)
    keys = [f"clip-{number:06d}" for number in range(n_clips)]
    with tempfile.TemporaryDirectory(prefix="emobox-bench-", dir=scratch) as root:
        store = FeatureStore.open(Path(root), noise_key("store", "", "no"))
        started = time.perf_counter()
        for start in range(0, n_clips, SHARD_CLIPS):
            some = keys[start : start + SHARD_CLIPS]
            store.write_shard(some, [Encoded(frames[i : i + N_FRAMES], pooled) for i in range(len(some))])
        written = time.perf_counter()
        n_bytes = sum(path.stat().st_size for path in store.folder.glob("*.safetensors"))
        stored = store.read(keys).frames
        read = time.perf_counter()
        store.read_pooled(keys)
        read_pooled = time.perf_counter()
    return StoreRates(
        n_clips=n_clips,
        stored_mb=n_bytes / 1e6,
        write_mb_s=n_bytes / 1e6 / (written - started),
        read_mb_s=stored.numel() * stored.element_size() / 1e6 / (read - written),
        read_pooled_clips_s=n_clips / (read_pooled - read),
    )


def noise_key(encoder: str, digest: str, precision: str) -> FeatureKey:
    """The feature key of a temporary store."""
    return FeatureKey(
        corpus="noise",
        corpus_digest="",
        encoder=encoder,
        encoder_digest=digest,
        layer="last",
        context="full",
        precision=precision,  # type: ignore[arg-type]
    )
