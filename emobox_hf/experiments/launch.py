"""Which of how many processes this is, by what the launcher set; no process group is needed to know it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
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

    Raises:
        InputError: The launcher's variables are no numbers, or do not fit each other.
    """
    rank, world_size, local_rank = _read_variables(environment)
    return Place(rank, world_size, _choose_device(local_rank, environment))


def place_of(accelerator: "Accelerator") -> Place:
    """The place of a process of a group."""
    return Place(accelerator.process_index, accelerator.num_processes, accelerator.device)


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

    if environment.get("ACCELERATE_USE_CPU", "false").lower() in ("1", "true", "yes"):
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda", local_rank % torch.cuda.device_count())
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
