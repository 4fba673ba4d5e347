"""What the forward pass is measured against does the same job: frames and pooled layers, alone and in a batch."""

import pytest
import torch
from tiny_encoders import noise

from emobox_hf.bench.shapes import make_shape
from emobox_hf.bench.simple_way import make_simple

CLIPS = [noise(n, seed=n) for n in (16_000, 9000, 9000, 5333)]


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("name", ["wav2vec2-toy", "whisper-toy"])
@torch.inference_mode()
def test_the_simple_way_gives_what_the_encoder_gives(name: str, is_packed: bool) -> None:
    plain = make_shape(name)
    simple, ours = make_simple(plain, torch.float32, packed=is_packed), plain.build(device="cpu", precision="no")
    for one, other in zip(simple(CLIPS), ours.encode(CLIPS), strict=True):
        torch.testing.assert_close(one.frames, other.frames, atol=2e-5, rtol=0)
        torch.testing.assert_close(one.pooled, other.pooled, atol=2e-5, rtol=0)
