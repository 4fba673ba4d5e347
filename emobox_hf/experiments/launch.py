"""The processes of a launch: which of how many this is, by what the launcher set, and the group they talk in."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from emobox_hf.errors import InputError

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

# torchrun and `accelerate launch`; else the tasks of a SLURM step, which only `srun` sets.
LAUNCHERS = (
    ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID"),
)


@dataclass(frozen=True)
class Place:
    """A process among those that share a job.

    Attributes:
        rank: Its number, from 0.
        world_size: How many there are.
        device: Where it computes.
    """

    rank: int
    world_size: int
    device: "torch.device"


def find_place(environment: Mapping[str, str] = os.environ) -> Place:
    """The place of a process that works without talking to the others: `emobox extract`, on any launcher or none.

    The device is the one that accelerate would choose. A GPU becomes the current one of this process, so that nothing
    is kept on another by default.

    Raises:
        InputError: The launcher's variables are no numbers, or do not fit each other; or there is no device of the name
            that accelerate is told.
    """
    rank, world_size, local_rank = _read_variables(environment)
    device = _choose_device(local_rank, environment)
    if device.type == "cuda" and device.index is not None:
        import torch

        torch.cuda.set_device(device)
    return Place(rank, world_size, device)


def place_of(accelerator: "Accelerator") -> Place:
    """The place of a process of a group."""
    return Place(accelerator.process_index, accelerator.num_processes, accelerator.device)


def is_first_process() -> bool:
    """Whether this process is the one that speaks, by what the launcher set."""
    return os.environ.get("RANK", "0") == "0"


def asks_for_cpu(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether accelerate is told to leave GPUs alone, in any of its words."""
    return environment.get("ACCELERATE_USE_CPU", "false").lower() in ("1", "true", "t", "yes", "y", "on")


def asked_device(environment: Mapping[str, str] = os.environ) -> str:
    """The device that accelerate is told to take, such as `cuda:1` or `cpu`; empty where it chooses."""
    return environment.get("ACCELERATE_TORCH_DEVICE") or ("cpu" if asks_for_cpu(environment) else "")


def speaks(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is the first of its launch or SLURM step, the one that tells how far the work is."""
    try:
        return _read_variables(environment)[0] == 0
    except InputError:  # refused where processes share work
        return True


def join_group() -> "Accelerator":
    """This process's part in the group of its launch; alone where there is no launcher.

    Processes may wait for a slower one for as long as an extraction takes. Precision is the encoder's own: the runs of
    a series may differ.
    """
    import torch.distributed

    if torch.distributed.is_available():
        # Its functions take the group there is at its import as a default argument. Imported later, by a model's
        # module, it would keep the group and its threads alive after `leave_group`, and a thread that outlives the
        # interpreter aborts the process.
        import torch.distributed.nn.functional

    from accelerate import Accelerator, InitProcessGroupKwargs

    return Accelerator(kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(days=1))])


def leave_group() -> None:
    """End the conversation with the other processes, if there was one; called when all is done, not on failure."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _read_variables(environment: Mapping[str, str]) -> tuple[int, int, int]:
    for names in LAUNCHERS:
        found = [environment.get(name) for name in names]
        if found[0] is None or found[1] is None:
            continue
        try:
            rank, world_size, local_rank = int(found[0]), int(found[1]), int(found[2] or 0)
        except ValueError as error:
            raise InputError(f"expected numbers in {', '.join(names)}, found {found}") from error
        if not 0 <= rank < world_size:
            raise InputError(f"{names[0]} is {rank}, but {names[1]} is {world_size}: set both, or neither")
        return rank, world_size, local_rank
    return 0, 1, 0


def _choose_device(local_rank: int, environment: Mapping[str, str]) -> "torch.device":
    import torch

    # Variables and order of accelerate, whose own state would wait for the other processes.
    if named := asked_device(environment):
        try:
            return torch.device(named)
        except RuntimeError as error:
            raise InputError(f"ACCELERATE_TORCH_DEVICE is a device such as cuda:1 or cpu, not {named!r}") from error
    if torch.backends.mps.is_available():
        return torch.device("mps")
    if torch.cuda.is_available():
        return torch.device("cuda", local_rank % torch.cuda.device_count())
    return torch.device("cpu")
