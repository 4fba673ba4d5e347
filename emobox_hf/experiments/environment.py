"""What a run ran on: machine, versions, memory, time."""

import datetime
import importlib.metadata
import os
import platform
import resource
import sys
from typing import TYPE_CHECKING, Any

from emobox_hf import __version__
from emobox_hf.processor import processor_name

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

PACKAGES = ("torch", "transformers", "accelerate", "numpy", "soundfile", "soxr", "av")


def describe_versions() -> dict[str, str]:
    """Versions of Python, of this package and of those that shape its numbers, as far as they are installed."""
    found = {name: _find_version(name) for name in PACKAGES}
    versions = {name: version for name, version in found.items() if version}
    return {"python": platform.python_version(), "emobox-hf": __version__, **versions}


def _find_version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def describe_machine(accelerator: "Accelerator") -> dict[str, Any]:
    """As `describe_host`, with processes and the peak memory of this one in MB, on a GPU also of the GPU's."""
    import torch

    machine = describe_host(accelerator.device)
    machine |= {"n_processes": accelerator.num_processes, "peak_memory_mb": peak_memory_mb()}
    if accelerator.device.type == "cuda":
        machine["peak_device_memory_mb"] = round(torch.cuda.max_memory_allocated(accelerator.device) / 2**20)
    return machine


def forget_device_peak(device: "torch.device") -> None:
    """Count the peak of a GPU's memory from now on; a series has several runs in one process."""
    import torch

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def describe_host(device: "torch.device") -> dict[str, Any]:
    """System, processor, cores, torch's threads, and the device; of a GPU its name, and what computed in TF32."""
    import torch

    from emobox_hf.encoders.forward.kernels import products_in_tf32

    host = {
        "platform": platform.platform(),
        "processor": processor_name(),
        "n_cores": os.cpu_count(),
        "n_threads": torch.get_num_threads(),
        "device": str(device),
    }
    if device.type == "cuda":
        host["device_name"] = torch.cuda.get_device_name(device)
        host |= {"tf32_encoder": False, "tf32_probes": products_in_tf32()}  # an encoder forbids it
    return host


def peak_memory_mb() -> int:
    """The most memory that this process has held, in units of 2^20 bytes."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return round(kilobytes / 1024)


def now() -> str:
    """The time, in ISO 8601 and UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
