"""Labelled ragged frames for the tests of this wing; also imported by the processes that those tests start."""

import numpy as np
import torch

from emobox_hf.probes import Split


def make_frames(
    *, n: int = 60, n_classes: int = 3, dim: int = 8, max_frames: int = 12, distance: float = 1.0, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Frames float16 (total, dim) around a point for each class, offsets int64 (n + 1,) and labels int64 (n,)."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    lengths = rng.integers(1, max_frames + 1, n)
    centres = rng.standard_normal((n_classes, dim)) * distance
    frames = np.repeat(centres[labels], lengths, axis=0) + rng.standard_normal((lengths.sum(), dim))
    offsets = np.concatenate([[0], lengths.cumsum()])
    return torch.from_numpy(frames).half(), torch.from_numpy(offsets), torch.from_numpy(labels)


def make_splits(n: int = 60, *, folds: int = 2) -> dict[str, Split]:
    """Folds that cut shuffled utterances into three fifths, one fifth and one fifth."""
    splits = {}
    for fold in range(1, folds + 1):
        order = np.random.default_rng(fold).permutation(n)
        splits[f"fold{fold}"] = Split(*np.split(order, [n * 3 // 5, n * 4 // 5]))
    return splits


def pool(frames: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """Mean of each utterance's frames, float32 (n, dim)."""
    spans = torch.split(frames, offsets.diff().tolist())
    return torch.stack([span.mean(dim=0, dtype=torch.float64) for span in spans]).float()
