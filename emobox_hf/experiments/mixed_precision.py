"""The precision of an encoder's pass that suits this machine, and what a precision costs that does not."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from emobox_hf.experiments.launch import asked_device
from emobox_hf.precision import AUTO, Precision, PrecisionChoice
from emobox_hf.processor import multiplies_bf16, multiplies_fp16
from emobox_hf.progress import LOGGER

ENVIRONMENT = "ACCELERATE_MIXED_PRECISION"
BF16_CAPABILITY, FP16_CAPABILITY = (8, 0), (7, 0)  # Ampere has bfloat16 products, Volta those of float16
EMULATED = (
    "10 to 28 times the time of float32"  # measured on a processor with AVX2 alone, whisper-tiny and wav2vec2-base
)


def choose_precision(choice: PrecisionChoice, environment: Mapping[str, str] = os.environ) -> Precision:
    """What `auto` stands for here: the fastest precision that the device multiplies by itself; other choices stay.

    bfloat16 on CUDA from compute capability 8.0 on and on processors with AVX512_BF16, AMX or Arm's BF16; float16 on
    older CUDA devices from 7.0 on; else float32, on Apple's GPUs too, where nobody has measured. The device is the one
    that accelerate is told, else the first GPU. What `accelerate launch --mixed_precision` says goes before, but for
    `no`, which it says also where it was not asked.
    """
    if choice != AUTO:
        return choice
    match environment.get(ENVIRONMENT):
        case "bf16":
            return "bf16"
        case "fp16":
            return "fp16"
    kind, _, number = asked_device(environment).partition(":")
    capability = _cuda_capability(int(number) if number.isdigit() else 0) if kind in ("", "cuda") else None
    if capability is not None:
        return "bf16" if capability >= BF16_CAPABILITY else "fp16" if capability >= FP16_CAPABILITY else "no"
    return "bf16" if kind in ("", "cpu") and multiplies_bf16() else "no"


def warn_of_emulation(precision: Precision, device_type: str) -> None:
    """Say in a line that a precision is emulated by this processor, which goes on all the same."""
    is_native = {"no": True, "bf16": multiplies_bf16(), "fp16": multiplies_fp16()}[precision]
    if device_type == "cpu" and not is_native:
        LOGGER.warning(
            "--mixed-precision %s is emulated by this processor: expect %s; --mixed-precision %s takes what suits the "
            "machine",
            precision,
            EMULATED,
            AUTO,
        )


def _cuda_capability(number: int) -> tuple[int, int] | None:
    """Of the CUDA device of that number; None where there is none. Without a driver torch is not loaded to ask."""
    if sys.platform == "darwin" or not (
        os.name == "nt" or Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists()
    ):
        return None
    import torch

    return torch.cuda.get_device_capability(number) if number < torch.cuda.device_count() else None
