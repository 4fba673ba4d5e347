"""What torch may choose on a GPU during a pass. The switches are there without one, too."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from emobox_hf.encoders.encoder import Encoder
from emobox_hf.encoders.forward.backbone import Backbone, Encoded
from emobox_hf.encoders.forward.kernels import _tf32_switches, products_in_tf32
from emobox_hf.experiments.environment import describe_host

CUDA = torch.device("cuda")
CUDNN = torch.backends.cudnn
MATMUL = torch.backends.cuda.matmul


def attention_kernels() -> dict[str, bool]:
    cuda = torch.backends.cuda
    return {
        "cudnn": cuda.cudnn_sdp_enabled(),
        "flash": cuda.flash_sdp_enabled(),
        "efficient": cuda.mem_efficient_sdp_enabled(),
        "math": cuda.math_sdp_enabled(),
    }


def tf32() -> list[object]:
    return [getattr(owner, name) for owner, name, _ in _tf32_switches()]


FORBIDDEN = [off for _, _, off in _tf32_switches()]


@pytest.fixture(params=["torch's own", "TF32 everywhere", "TF32 nowhere"])
def before(request: pytest.FixtureRequest) -> Iterator[list[object]]:
    """The switches as a user may have left them."""
    kept = tf32()
    if request.param != "torch's own":
        CUDNN.allow_tf32 = MATMUL.allow_tf32 = request.param == "TF32 everywhere"
    yield tf32()
    for (owner, name, _), value in zip(_tf32_switches(), kept, strict=True):
        setattr(owner, name, value)


def record(seen: list[tuple[dict[str, bool], list[object]]], device: torch.device, *, fails: bool = False) -> Encoder:
    def run(windows: list[np.ndarray]) -> list[Encoded]:
        seen.append((attention_kernels(), tf32()))
        if fails:
            raise torch.OutOfMemoryError
        return [Encoded(torch.ones(1, 2), torch.ones(1, 2, 2)) for _ in windows]

    identity: Any = None
    backbone = Backbone(
        device=device, dim=2, n_layers=1, layer=1, frame_rate_hz=50, min_samples=1, count=len, run=run, batch_s=1
    )
    return Encoder(identity, "full", backbone)


def test_a_pass_on_a_gpu_keeps_attention_from_cudnn_and_float32_from_tf32(before: list[object]) -> None:
    kernels = attention_kernels()
    seen: list[tuple[dict[str, bool], list[object]]] = []
    record(seen, CUDA).encode([np.ones(9, np.float32)])
    assert seen == [({"cudnn": False, "flash": True, "efficient": True, "math": True}, FORBIDDEN)]
    assert (attention_kernels(), tf32()) == (kernels, before)


def test_a_pass_that_fails_puts_the_switches_back(before: list[object]) -> None:
    kernels = attention_kernels()
    seen: list[tuple[dict[str, bool], list[object]]] = []
    with pytest.raises(torch.OutOfMemoryError):
        record(seen, CUDA, fails=True).encode([np.ones(9, np.float32)])
    assert seen[0][1] == FORBIDDEN
    assert (attention_kernels(), tf32()) == (kernels, before)


def test_a_pass_on_a_cpu_touches_no_switch(before: list[object]) -> None:
    seen: list[tuple[dict[str, bool], list[object]]] = []
    kernels = attention_kernels()
    record(seen, torch.device("cpu")).encode([np.ones(9, np.float32)])
    assert seen == [(kernels, before)]


def test_a_record_says_what_computed_in_tf32(before: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a GPU")
    host = describe_host(CUDA)
    assert (host["tf32_encoder"], host["tf32_probes"]) == (False, MATMUL.allow_tf32) == (False, products_in_tf32())
    assert "tf32_encoder" not in describe_host(torch.device("cpu"))
