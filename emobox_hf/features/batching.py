"""Which clips are encoded together, and by which process: decided by the whole list of clips alone.

Neither the clips already stored nor the number of processes enters a batch. So the neighbours of a clip, and with them
the last bit of its frames, are the same after an interruption and on any number of processes; and processes that start
at different moments, while others already write, still agree on who does what without a word between them.
"""

import heapq
from collections.abc import Sequence

MAX_PADDING = 0.04
"""Share of a batch's seconds that may be padding. A few hundred clips make about thirty batches of it, however large a
batch may be; the share among frames, of which a clip loses one at its end, stays below 5 %."""


def make_batches(durations_s: Sequence[float], *, batch_s: float) -> list[list[int]]:
    """Indices of the clips batch by batch, longest clips first; equally long ones stay in the order given.

    Sorted by length, a batch pads little, and a batch too big for the memory fails at the start. A batch holds at most
    `batch_s` seconds once padded to its longest clip, of which at most `MAX_PADDING` are padding; a clip longer than
    `batch_s` is a batch of its own.
    """
    batches: list[list[int]] = []
    sound_s = 0.0  # of the last batch, without padding
    for index in sorted(range(len(durations_s)), key=lambda index: -durations_s[index]):
        if batches:
            padded_s = (len(batches[-1]) + 1) * durations_s[batches[-1][0]]
            if padded_s <= batch_s and sound_s + durations_s[index] >= (1 - MAX_PADDING) * padded_s:
                batches[-1].append(index)
                sound_s += durations_s[index]
                continue
        batches.append([index])
        sound_s = durations_s[index]
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
