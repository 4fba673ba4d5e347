"""Every family in every precision, alone and in a batch, by every way through attention: transformers' own frames."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from native.emotion2vec_checkpoints import CASES, make_weights
from packed_rows import varlen_attn
from tiny_encoders import WAVEFORM_CONFIGS, noise, saved
from torch.nn.functional import scaled_dot_product_attention

from emobox_hf.encoders import identify
from emobox_hf.encoders.encoder import Encoder, load_encoder
from emobox_hf.encoders.forward import attention
from emobox_hf.encoders.forward.linear import Target
from emobox_hf.encoders.native import register_native_models
from emobox_hf.encoders.native.convert import convert_data2vec2

CLIPS = [noise(n, seed=seed) for seed, n in enumerate((9000, 400, 16_000, 719, 720, 5333))]
FAMILIES = [*WAVEFORM_CONFIGS, "whisper", *CASES]
BIASED = {name for name in FAMILIES if name.startswith("wavlm") or name in CASES}
CONTEXTS = [*((name, "full") for name in FAMILIES), ("whisper", "clip")]

# How far frames, which reach 5, may be from those of transformers in float32 at one place of thousands, how far on
# average, and what a batch may change, which adds in another order. Measured at most, on a processor with bfloat16:
# float32 1.3e-5, 1.3e-6 and 3.8e-6; bf16 0.20, 0.018 and 0.023; fp16 0.022, 0.0028 and 0.0038.
NEAR = {"no": 2e-5, "bf16": 0.25, "fp16": 0.05}
MEAN = {"no": 2e-6, "bf16": 0.03, "fp16": 0.005}
BATCH = {"no": 1e-5, "bf16": 0.04, "fp16": 0.006}

# Row by row as on a CPU, with weights that oneDNN has not laid out as on one without bfloat16; and on a GPU all rows
# padded to one, or as they stand.
WAYS = ("rows", "plain weights", "padded", "packed")

_FOLDER = TemporaryDirectory(prefix="tiny-matrix-")  # goes when the tests end


@cache
def find_folder(name: str) -> Path:
    """Where a small model is saved."""
    if name not in CASES:
        return saved(name)
    weights = {key: torch.from_numpy(array) for key, array in make_weights(CASES[name]).items()}
    checkpoint, folder = Path(_FOLDER.name, f"{name}.pt"), Path(_FOLDER.name, name)
    torch.save(weights, checkpoint)
    convert_data2vec2(checkpoint, folder)
    return folder


@cache
def load_plain(name: str) -> tuple[Any, Callable[..., dict[str, torch.Tensor]]]:
    register_native_models()
    model = transformers.AutoModel.from_pretrained(find_folder(name)).eval()
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    return model, transformers.AutoFeatureExtractor.from_pretrained(find_folder(name))


@cache
@torch.inference_mode()
def expect(name: str, context: str) -> list[torch.Tensor]:
    """Frames (time, dim) of each clip alone, by transformers in float32; there Whisper knows no context but its own."""
    if context == "clip":
        return [one.frames for one in load(name, context, "no", "rows").encode(CLIPS)]
    model, extractor = load_plain(name)
    inputs = [extractor(clip, sampling_rate=16_000, return_tensors="pt")[model.main_input_name] for clip in CLIPS]
    frames = [model(one).last_hidden_state[0] for one in inputs]
    return [one[: len(clip) // 320] if name == "whisper" else one for one, clip in zip(frames, CLIPS, strict=True)]


def load(name: str, context: str, precision: str, way: str) -> Encoder:
    """An encoder as it is on a CPU, or as on a GPU with stand-ins for what torch has there alone."""
    with pytest.MonkeyPatch.context() as patch:
        if way == "plain weights":
            patch.setattr("emobox_hf.encoders.forward.linear._can_pack", lambda _: False)
        if way in ("padded", "packed"):
            patch.setattr(Target, "is_cpu", False)
            patch.setattr(attention, "_takes_packed", lambda *_: way == "packed")
        return load_encoder(identify(str(find_folder(name))), context=context, precision=precision)


def list_cases() -> list[tuple[str, str, str, str]]:
    """All that differ: no biased attention takes packed rows, and the first way is tried with plain weights in bf16."""
    return [
        (name, context, precision, way)
        for name, context in CONTEXTS
        for precision in NEAR
        for way in WAYS
        if not (way == "packed" and name in BIASED) and not (way == "plain weights" and precision != "bf16")
    ]


@pytest.mark.parametrize(("name", "context", "precision", "way"), list_cases(), ids=lambda text: text)
def test_frames_are_transformers_own_alone_and_in_a_batch(
    name: str, context: str, precision: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, encoder = expect(name, context), load(name, context, precision, way)
    packed_calls: list[int] = []

    def count(query: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
        packed_calls.append(len(query))
        return varlen_attn(query, *args, **options)

    if way in ("padded", "packed"):
        monkeypatch.setattr(Target, "is_cpu", False)
        monkeypatch.setattr(attention, "VARLEN", count)
        monkeypatch.setattr(attention, "attend", partial(scaled_dot_product_attention, scale=1.0))
    together = encoder.encode(CLIPS)
    # Where Whisper pads all clips to one length, its last block alone has rows of several.
    n_blocks = 0 if way != "packed" else 1 if (name, context) == ("whisper", "full") else encoder.n_layers
    assert len(packed_calls) == n_blocks
    for clip, plain, one in zip(CLIPS, expected, together, strict=True):
        (alone,) = encoder.encode([clip])
        assert one.frames.dtype == one.pooled.dtype == torch.float32
        assert len(one.frames) == encoder.count_frames(len(clip))
        torch.testing.assert_close(one.frames, plain, atol=NEAR[precision], rtol=0)
        assert (one.frames - plain).abs().mean() < MEAN[precision]
        torch.testing.assert_close(one.frames, alone.frames, atol=BATCH[precision], rtol=0)
        torch.testing.assert_close(one.pooled, alone.pooled, atol=BATCH[precision], rtol=0)
        moments = torch.stack([one.frames.double().mean(0), one.frames.double().std(0, correction=0)]).float()
        torch.testing.assert_close(one.pooled[-1], moments, atol=1e-5, rtol=0)
    if precision != "no":
        assert not all(np.array_equal(one.frames, plain) for one, plain in zip(together, expected, strict=True))
