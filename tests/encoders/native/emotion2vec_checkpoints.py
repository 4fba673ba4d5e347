"""Small checkpoints as FunASR and fairseq write them, their weights from a formula, so that no weights are stored.

`emotion2vec_reference.json` beside this file has the frames that FunASR's own model makes of them;
`make_emotion2vec_reference.py` wrote it. Needs numpy alone, for it also runs where FunASR is and this package is not.
"""

from dataclasses import dataclass
from zlib import crc32

import numpy as np

AUDIO = "modality_encoders.AUDIO."
CHANNELS = 16
KERNELS = (10, 3, 3, 3, 3, 2, 2)
SPEC = f"[({CHANNELS}, 10, 5)] + [({CHANNELS}, 3, 2)] * 4 + [({CHANNELS},2,2)] + [({CHANNELS},2,2)]"
POSITION_DEPTH, GROUPS, RATIO = 5, 4, 2
N_SAMPLES = 8000  # 24 frames
EVERY = 6  # one column of the frames in so many is in the table


@dataclass(frozen=True)
class Case:
    """A model in small; `position_width` over `POSITION_DEPTH` is the kernel of the positional convolutions."""

    dim: int
    heads: int
    prenet: int
    depth: int
    extra_tokens: int = 0
    layer_norm_first: bool = False
    position_width: int = 95
    labels: int = 0


CASES = {
    # 6 heads: ALiBi's slopes of a number that is no power of two, as the 12 of the base models.
    "emotion2vec": Case(dim=48, heads=6, prenet=2, depth=2, extra_tokens=10),
    "emotion2vec+": Case(dim=32, heads=4, prenet=1, depth=2, extra_tokens=10, labels=9),
    "data2vec2": Case(dim=48, heads=6, prenet=0, depth=3),
    "data2vec2-large": Case(dim=32, heads=4, prenet=2, depth=3),
    "norm-first": Case(dim=32, heads=4, prenet=1, depth=2, extra_tokens=3, layer_norm_first=True, position_width=20),
}


def name_shapes(case: Case) -> dict[str, tuple[int, ...]]:
    """Every tensor of the encoder and its head, under FunASR's names."""
    dim, kernel = case.dim, max(3, case.position_width // POSITION_DEPTH)
    shapes: dict[str, tuple[int, ...]] = {f"{AUDIO}alibi_scale": (1, 1, case.heads, 1, 1)}
    if case.extra_tokens:
        shapes[f"{AUDIO}extra_tokens"] = (1, case.extra_tokens, dim)
    for i, width in enumerate(KERNELS):
        shapes[f"{AUDIO}local_encoder.conv_layers.{i}.0.weight"] = (CHANNELS, CHANNELS if i else 1, width)
        shapes |= _norm(f"{AUDIO}local_encoder.conv_layers.{i}.2.1", CHANNELS)
    shapes |= _norm(f"{AUDIO}project_features.1", CHANNELS) | _linear(f"{AUDIO}project_features.2", dim, CHANNELS)
    for i in range(POSITION_DEPTH):
        shapes |= _linear(f"{AUDIO}relative_positional_encoder.{i + 1}.0", dim, dim // GROUPS, kernel)
    shapes |= _norm("norm" if case.layer_norm_first else f"{AUDIO}context_encoder.norm", dim)
    blocks = [f"{AUDIO}context_encoder.blocks.{i}" for i in range(case.prenet)]
    for block in [*blocks, *(f"blocks.{i}" for i in range(case.depth))]:
        shapes |= _norm(f"{block}.norm1", dim) | _norm(f"{block}.norm2", dim)
        shapes |= _linear(f"{block}.attn.qkv", 3 * dim, dim) | _linear(f"{block}.attn.proj", dim, dim)
        shapes |= _linear(f"{block}.mlp.fc1", RATIO * dim, dim) | _linear(f"{block}.mlp.fc2", dim, RATIO * dim)
    return shapes | (_linear("proj", case.labels, dim) if case.labels else {})


def _linear(name: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def make_weights(case: Case) -> dict[str, np.ndarray]:
    """The tensors of a case, float32: of a size that keeps every part of the model in play."""
    return {name: make_tensor(name, shape) for name, shape in name_shapes(case).items()}


def make_tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    values = _scatter(crc32(name.encode()), int(np.prod(shape)))
    if name.endswith("extra_tokens"):
        scaled = values
    elif name.endswith("alibi_scale"):
        scaled = 1 + 0.5 * values
    elif len(shape) > 1:
        scaled = values * np.sqrt(6 / np.prod(shape[1:]))
    elif name.endswith("weight"):
        scaled = 1 + 0.3 * values
    else:
        scaled = 0.1 * values
    return scaled.reshape(shape).astype(np.float32)


def make_sound(n_samples: int = N_SAMPLES) -> np.ndarray:
    """A waveform as the models take it, float32 (samples,): noise of changing level, zero mean and unit variance."""
    waveform = _scatter(1, n_samples) * (1 + np.arange(n_samples) % 1013 / 400)
    return ((waveform - waveform.mean()) / waveform.std()).astype(np.float32)


def _scatter(seed: int, n: int) -> np.ndarray:
    """`n` numbers spread over -1 to 1, by arithmetic on integers, so that they are the same everywhere."""
    i = np.arange(n, dtype=np.int64)
    return (i * i * 7919 + i * 104_729 + seed % 10_007) % 10_007 / 5003.0 - 1
