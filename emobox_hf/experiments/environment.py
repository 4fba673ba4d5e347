"""What a run ran on: machine, versions, memory, time."""

import datetime
import importlib.metadata
import os
import platform
import resource
import sys
from typing import TYPE_CHECKING, Any

from emobox_hf import __version__

if TYPE_CHECKING:
    from accelerate import Accelerator

PACKAGES = ("torch", "transformers", "accelerate", "numpy", "scikit-learn", "soundfile", "soxr", "av")


def describe_versions() -> dict[str, str]:
    """Versions of Python, of this package and of those that shape its numbers."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "emobox-hf": __version__, **versions}


def describe_machine(accelerator: "Accelerator") -> dict[str, Any]:
    """Device, processes and the peak memory of this process, in MB; on a GPU also the peak of its memory."""
    import torch

    machine = {
        "platform": platform.platform(),
        "n_cores": os.cpu_count(),
        "device": str(accelerator.device),
        "n_processes": accelerator.num_processes,
        "peak_memory_mb": peak_memory_mb(),
    }
    if accelerator.device.type == "cuda":
        machine["device_name"] = torch.cuda.get_device_name(accelerator.device)
        machine["peak_device_memory_mb"] = round(torch.cuda.max_memory_allocated(accelerator.device) / 2**20)
    return machine


def peak_memory_mb() -> int:
    """The most memory that this process has held, in units of 2^20 bytes."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return round(kilobytes / 1024)


def now() -> str:
    """The time, in ISO 8601 and UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
