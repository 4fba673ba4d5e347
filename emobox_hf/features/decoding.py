"""Clips decoded ahead of the encoder, by processes of their own."""

import atexit
import multiprocessing
import os
import signal
import threading
import weakref
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from emobox_hf.cores import count_cores
from emobox_hf.errors import InputError

Waveform = NDArray[np.float32]

MAX_WORKERS = 8  # eight cores decode and resample several thousand seconds of audio a second
BATCHES_AHEAD = 2  # of each worker: one in the making while another waits


@dataclass(frozen=True)
class Clip:
    """One utterance to encode: its key, its length, and how to read its waveform.

    Attributes:
        key: Its key in the corpus.
        duration_s: Its length; batches and shares are made of it, so it need not be exact.
        read: Gives float32 (samples,) at 16 kHz, or the row that a baseline takes in its place, or raises InputError.
            Where processes are spawned and not forked (macOS, Windows, Python 3.14), it must be one that pickle takes:
            a function of a module, a `partial` of one.
    """

    key: str
    duration_s: float
    read: Callable[[], Waveform]


Loaded = tuple[Clip, Waveform | InputError]
"""A clip with its waveform, or with the reason why there is none."""


def decode_ahead(batches: Sequence[Sequence[Clip]], *, n_workers: int) -> Generator[list[Loaded], None, None]:
    """Each batch with its waveforms, in the order given; each worker is at most `BATCHES_AHEAD` batches ahead.

    Args:
        batches: Clips that are encoded together.
        n_workers: Processes that decode; 0 decodes here, when a batch is asked for.

    Raises:
        Exception: Whatever reading a clip raised that is no InputError.
    """
    n_workers = min(n_workers, len(batches))
    loader: DataLoader[list[Waveform | InputError]] = DataLoader(
        _Batches(batches),
        batch_size=None,
        num_workers=n_workers,
        prefetch_factor=BATCHES_AHEAD if n_workers else None,
        # Arrays go through a pipe as they are; tensors would need shared memory, of which a container has little.
        collate_fn=_as_is,
        worker_init_fn=_live_and_die_with_parent,
        generator=torch.Generator(),  # else a number is drawn from the caller's
    )
    sounds = iter(loader)
    if n_workers:
        _RUNNING.add(sounds)
    try:
        for batch in batches:
            yield list(zip(batch, next(sounds), strict=True))
    finally:
        _stop(sounds)


_RUNNING: "weakref.WeakSet[Any]" = weakref.WeakSet()


@atexit.register  # after multiprocessing's own, hence called before it
def _stop_all() -> None:
    """Stop workers of loaders that an error keeps alive: at exit multiprocessing waits for them, and they for it."""
    for sounds in list(_RUNNING):
        _stop(sounds)


def _stop(sounds: Any) -> None:
    if sounds in _RUNNING:
        _RUNNING.discard(sounds)
        sounds._shutdown_workers()


def default_workers(environment: Mapping[str, str] = os.environ) -> int:
    """How many processes decode by default: a core each, but one for the model; cores are shared with `torchrun`'s."""
    n_processes = max(1, int(environment.get("LOCAL_WORLD_SIZE") or 1))
    return min(MAX_WORKERS, max(0, count_cores() // n_processes - 1))


class _Batches(Dataset[list[Waveform | InputError]]):
    def __init__(self, batches: Sequence[Sequence[Clip]]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> list[Waveform | InputError]:
        return [_read(clip) for clip in self.batches[number]]


def _read(clip: Clip) -> Waveform | InputError:
    try:
        return clip.read()
    except InputError as error:
        return InputError(str(error))  # a bare one, since it may have to go through a pipe


def _as_is(batch: Any) -> Any:
    return batch


def _live_and_die_with_parent(_: int) -> None:
    """Leave signals to the parent, which stops its workers when it stops, and end when it is there no more.

    A worker of torch leaves its loop when the parent is gone, then waits for ever for a reader of what it has queued;
    so a thread ends the process.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)
