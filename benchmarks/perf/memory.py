"""Peak memory of extraction against the number of clips: it follows the batches and the shard, not the corpus.

    python benchmarks/perf/memory.py [--clips 1000 20000] [--storage-dtype float16] [--workers N] [--json FILE]

Each size runs in a process of its own: clips of 1 to 3 s of noise, made where they are asked for; an encoder that gives
fifty frames a second of 384 numbers and five pooled layers, and does nothing else; a store in a temporary folder.
Then another process reads everything back. Needs no corpus, no model, no network.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray

from emobox_hf.encoders.forward.backbone import Encoded
from emobox_hf.features import Clip, FeatureKey, FeatureStore, extract
from emobox_hf.precision import StorageDtype

DIM, N_LAYERS, RATE_HZ, HOP = 384, 5, 16_000, 320

Waveform = NDArray[np.float32]


class IdleEncoder:
    """Frames that cost nothing: slices of one table."""

    def __init__(self) -> None:
        self.frames = torch.randn(50 * 60, DIM, generator=torch.Generator().manual_seed(0))
        self.pooled = torch.randn(N_LAYERS, 2, DIM, generator=torch.Generator().manual_seed(1))

    def padded_s(self, duration_s: float) -> float:
        """Its own."""
        return duration_s

    def encode(self, waveforms: Sequence[Waveform]) -> list[Encoded]:
        """The first frames of the table for each."""
        return [Encoded(self.frames[: len(waveform) // HOP], self.pooled) for waveform in waveforms]


def make_clips(n: int) -> list[Clip]:
    """Clips of 1 to 3 s."""
    lengths = np.random.default_rng(n).integers(RATE_HZ, 3 * RATE_HZ, n).tolist()
    return [Clip(f"clip-{i:06d}", length / RATE_HZ, partial(make_noise, i, length)) for i, length in enumerate(lengths)]


def make_noise(seed: int, n_samples: int) -> Waveform:
    """Float32 (n_samples,)."""
    return np.random.default_rng(seed).random(n_samples, dtype=np.float32)


def open_store(root: Path, storage_dtype: StorageDtype) -> FeatureStore:
    """The store of this benchmark."""
    key = FeatureKey(
        corpus="noise",
        corpus_digest="",
        encoder="idle",
        encoder_digest="",
        layer=N_LAYERS - 1,
        context="full",
        resampler="soxr",
        storage_dtype=storage_dtype,
    )
    return FeatureStore.open(root, key)


def run_job(job: str, n: int, root: Path, storage_dtype: StorageDtype, workers: int | None) -> dict[str, float]:
    """One job in this process: seconds, bytes and peak memory beyond what the imports took."""
    store = open_store(root, storage_dtype)
    clips, before = make_clips(n), peak_mb()
    keys = [clip.key for clip in clips]
    started = time.perf_counter()
    if job == "extract":
        extract(clips, IdleEncoder(), store, n_workers=workers)
    elif job == "read":
        store.read(keys)
    else:
        store.read_pooled(keys)
    wall_s = time.perf_counter() - started
    stored_mb = sum(path.stat().st_size for path in store.folder.glob("*.safetensors")) / 1e6
    return {
        "clips": n,
        "seconds": wall_s,
        "clips_a_second": n / wall_s,
        "stored_mb": stored_mb,
        "imports_mb": before,
        "peak_mb": peak_mb(),
        "worker_peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    }


def peak_mb() -> float:
    """Peak resident memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run every job in a process of its own and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[1_000, 20_000])
    parser.add_argument("--storage-dtype", default="float16", choices=get_args(StorageDtype))
    parser.add_argument("--workers", type=int, help="that decode; else what suits the machine")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        job, n, root = arguments.job
        print(json.dumps(run_job(job, int(n), Path(root), arguments.storage_dtype, arguments.workers)))
        return
    options = ["--storage-dtype", arguments.storage_dtype]
    options += ["--workers", str(arguments.workers)] if arguments.workers is not None else []
    results = []
    print(f"{'job':16} {'clips':>7} {'seconds':>8} {'clips/s':>8} {'stored MB':>10} {'imports MB':>11} {'peak MB':>8}")
    for n in arguments.clips:
        with tempfile.TemporaryDirectory() as root:
            for job in ("extract", "read", "read_pooled"):
                command = [sys.executable, __file__, "--job", job, str(n), root, *options]
                found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                results.append({"job": job, **found})
                print(
                    f"{job:16} {n:7} {found['seconds']:8.2f} {found['clips_a_second']:8.0f} {found['stored_mb']:10.0f} "
                    f"{found['imports_mb']:11.0f} {found['peak_mb']:8.0f}"
                )
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
