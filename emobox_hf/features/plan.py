"""Which clips are encoded together, and by which process: a function of the whole list alone.

Neither the clips already stored nor the number of processes enters a batch. So the neighbours of a clip, and with them
the last bit of its frames, are the same after an interruption and on any number of processes; and processes that start
at different moments, while others already write, still agree on who does what without a word between them.
"""

import heapq
from collections.abc import Sequence


def make_batches(durations_s: Sequence[float], *, batch_s: float) -> list[list[int]]:
    """Indices of the clips batch by batch, longest clips first; equally long ones stay in the order given.

    Sorted by length, a batch pads little, and a batch too big for the memory fails at the start. A batch holds at most
    `batch_s` seconds once padded to its longest clip; a clip longer than that is a batch of its own.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(durations_s)), key=lambda index: -durations_s[index]):
        if batches and (len(batches[-1]) + 1) * durations_s[batches[-1][0]] <= batch_s:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def share_batches(costs_s: Sequence[float], *, rank: int, world_size: int) -> list[int]:
    """Indices of the batches that process `rank` of `world_size` encodes, costliest first.

    Each batch, from the costliest down, goes to the process with the least seconds so far, so two processes never
    differ by more than the seconds of one batch.
    """
    loads = [(0.0, process) for process in range(world_size)]
    mine: list[int] = []
    for index in sorted(range(len(costs_s)), key=lambda index: -costs_s[index]):
        load_s, process = loads[0]
        heapq.heapreplace(loads, (load_s + costs_s[index], process))
        if process == rank:
            mine.append(index)
    return mine
