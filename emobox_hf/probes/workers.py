"""Units of work run side by side, one core each, on a CPU, and one after the other on an accelerator."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from emobox_hf.cores import count_cores
from emobox_hf.progress import progress as shown

Unit = TypeVar("Unit")
Outcome = TypeVar("Outcome")
Tick = Callable[[int], object]


def run_units(
    work: Callable[[Unit, Tick], Outcome],
    units: Sequence[Unit],
    *,
    device: torch.device,
    n_threads: int | None,
    total: int,
    progress: bool,
) -> list[Outcome]:
    """What `work` gives for each unit, in their order.

    On a CPU a unit computes on one core, so its outcome depends on nothing but the unit; meanwhile torch uses one core
    an operation in this whole process. After an error or Ctrl-C the units that run end with their next tick.

    Args:
        work: Is called with a unit and a function to tell of the steps done since its last call; that may raise.
        units: What to do.
        device: Where.
        n_threads: Units side by side on a CPU; without it, the cores that this process may use, divided by
            `$LOCAL_WORLD_SIZE`.
        total: Steps of all units.
        progress: Show how far the work is, see `emobox_hf.progress`.
    """
    is_cpu = device.type == "cpu"
    is_over = threading.Event()
    with (
        _one_core_each(is_cpu),
        shown("probe", total=total, unit=" steps", is_shown=progress) as advance,
    ):

        def tick(steps: int) -> None:
            if is_over.is_set():
                raise CancelledError
            advance(steps)

        pool = ThreadPoolExecutor((n_threads or _cores()) if is_cpu else 1)
        try:
            return list(pool.map(lambda unit: work(unit, tick), units))
        finally:
            is_over.set()
            pool.shutdown(cancel_futures=True)


@contextmanager
def _one_core_each(is_cpu: bool) -> Iterator[None]:
    """Within, torch uses one core an operation: a sum shared between cores is added up in another order, and differs.

    torch hands its number to each thread that computes for the first time, so the pool's new threads inherit it.
    """
    before = torch.get_num_threads()
    if is_cpu:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _cores() -> int:
    return max(1, count_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
