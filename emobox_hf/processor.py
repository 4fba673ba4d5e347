"""The processor of this machine: its name, and the number formats that it multiplies by itself."""

import platform
from functools import cache
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})  # x86's two, and Arm's
FP16_FLAGS = frozenset({"avx512_fp16", "amx_fp16", "asimdhp"})


def processor_name() -> str:
    """Its name where Linux tells it, else what Python knows."""
    names = (line.partition(":")[2].strip() for line in _read_cpuinfo() if line.startswith("model name"))
    return next(names, platform.processor())


def multiplies_bf16() -> bool:
    """Whether products of bfloat16 are computed as such; else they are emulated, ten times slower or more.

    Known on Linux alone; elsewhere the answer is no.
    """
    return bool(_flags() & BF16_FLAGS)


def multiplies_fp16() -> bool:
    """The same of float16."""
    return bool(_flags() & FP16_FLAGS)


@cache
def _flags() -> frozenset[str]:
    lines = (line.partition(":") for line in _read_cpuinfo())
    return frozenset(next((flags.split() for name, _, flags in lines if name.strip() in ("flags", "Features")), ()))


def _read_cpuinfo() -> list[str]:
    return _CPUINFO.read_text(encoding="utf-8").splitlines() if _CPUINFO.is_file() else []
