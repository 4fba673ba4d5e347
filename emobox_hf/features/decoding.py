"""Clips decoded ahead of the encoder, by processes of their own."""

import atexit
import multiprocessing
import os
import signal
import threading
import traceback
import weakref
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from emobox_hf.cores import count_cores
from emobox_hf.errors import InputError, MissingPackageError

Waveform = NDArray[np.float32]

MAX_WORKERS = {"cpu": 8}
"""Where the encoder computes on cores, eight of them decode more than it takes."""
MAX_WORKERS_OF_A_GPU = 32
"""A GPU takes the sound of 13,000 seconds in one, and leaves the cores alone."""
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


class Decoders:
    """Processes that decode clips, from when it is made to when its block ends; without workers this process does.

    Made before a model is loaded, they share none of its memory: where a process has been forked, what it shares with
    its parent is copied page by page as either of them writes to it, which slows the first seconds of a pass.
    """

    def __init__(self, clips: Sequence[Clip], *, n_workers: int | None = None, device_type: str = "cpu") -> None:
        """Start them.

        Args:
            clips: All that will be asked for, or more.
            n_workers: Processes that decode; 0 decodes here, when a batch is asked for; None: what suits the machine.
            device_type: Where the encoder computes.

        Raises:
            InputError: `n_workers` is negative.
        """
        n_workers = default_workers(device_type) if n_workers is None else n_workers
        if n_workers < 0:
            raise InputError(f"n_workers is a number of processes, 0 or more, not {n_workers}")
        self._clips = list(clips)
        self._numbers = {clip.key: number for number, clip in enumerate(clips)}
        self._workers = [_Worker(self._clips) for _ in range(min(n_workers, len(clips)))]
        _RUNNING.add(self)

    def __enter__(self) -> Self:
        """The decoders, started."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the processes."""
        self.stop()

    def decode(self, batches: Sequence[Sequence[Clip]]) -> Generator[list[Loaded], None, None]:
        """Each batch with its waveforms, in the order given; each worker is at most `BATCHES_AHEAD` batches ahead.

        Raises:
            Exception: Whatever reading a clip raised that is no InputError.
        """
        if not self._workers:
            for batch in batches:
                yield [(clip, _read(self._clips[self._numbers[clip.key]])) for clip in batch]
            return
        n_workers = len(self._workers)
        tasks = [[self._numbers[clip.key] for clip in batch] for batch in batches]
        for number, task in enumerate(tasks[: BATCHES_AHEAD * n_workers]):
            self._workers[number % n_workers].ask(task)
        # The next batch comes out of its pipe while the encoder is at work on this one.
        with ThreadPoolExecutor(1, thread_name_prefix="decoded") as thread:
            try:
                waiting = [thread.submit(self._workers[0].answer)] if tasks else []
                for number, batch in enumerate(batches):
                    sounds = waiting.pop().result()
                    if number + 1 < len(batches):
                        waiting.append(thread.submit(self._workers[(number + 1) % n_workers].answer))
                    if number + BATCHES_AHEAD * n_workers < len(tasks):
                        self._workers[number % n_workers].ask(tasks[number + BATCHES_AHEAD * n_workers])
                    yield list(zip(batch, sounds, strict=True))
            except BaseException:
                self.stop()  # else the thread would wait for the next batch
                raise

    def stop(self) -> None:
        """End the processes, whatever they are at."""
        _RUNNING.discard(self)
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
        self._workers = []


def decode_ahead(
    batches: Sequence[Sequence[Clip]], *, n_workers: int | None = None
) -> Generator[list[Loaded], None, None]:
    """Each batch with its waveforms, see `Decoders.decode`, by processes that are started now and end with it."""
    with Decoders([clip for batch in batches for clip in batch], n_workers=n_workers) as decoders:
        yield from decoders.decode(batches)


_RUNNING: "weakref.WeakSet[Decoders]" = weakref.WeakSet()


@atexit.register  # after multiprocessing's own, hence called before it
def _stop_all() -> None:
    """Stop decoders that an error keeps alive: at exit multiprocessing waits for their processes, which wait too."""
    for decoders in list(_RUNNING):
        decoders.stop()


def default_workers(device_type: str = "cpu", environment: Mapping[str, str] = os.environ) -> int:
    """How many processes decode by default: a core each, but one for the model; cores are shared with `torchrun`'s."""
    n_processes = max(1, int(environment.get("LOCAL_WORLD_SIZE") or 1))
    most = MAX_WORKERS.get(device_type, MAX_WORKERS_OF_A_GPU)
    return min(most, max(0, count_cores() // n_processes - 1))


class _Worker:
    """A process that decodes clips, and the pipe to it.

    A task is a list of numbers of clips. The answer is a list of shapes, dtypes and errors, and then the samples of all
    arrays as they lie in memory; or an error in words, and then itself.
    """

    def __init__(self, clips: Sequence[Clip]) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        self.process: BaseProcess = multiprocessing.Process(target=_work, args=(clips, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, task: Sequence[int]) -> None:
        """Give it something to do."""
        try:
            self.pipe.send(task)
        except OSError as error:
            raise self._died() from error

    def answer(self) -> list[Waveform | InputError]:
        """What came of the oldest task that is not answered; waits for it."""
        try:
            found = self.pipe.recv()
            if isinstance(found, str):
                raise self._receive_error(found)
            return [one if isinstance(one, InputError) else self._receive(*one) for one in found]
        except (EOFError, ConnectionError) as error:
            raise self._died() from error

    def _receive(self, shape: tuple[int, ...], dtype: str) -> Waveform:
        array = np.empty(shape, dtype)
        if array.size:
            self.pipe.recv_bytes_into(array.data.cast("B"))
        return array

    def _receive_error(self, words: str) -> Exception:
        try:
            error: Exception | None = self.pipe.recv()
        except (TypeError, ValueError, AttributeError):  # its class is made from something else than its arguments
            error = None
        return error or RuntimeError(words)

    def _died(self) -> RuntimeError:
        self.process.join()
        return RuntimeError(
            f"a process that decodes sound ended with exit code {self.process.exitcode}; if memory was short, take "
            "fewer of them: --workers"
        )


def _work(clips: Sequence[Clip], pipe: Connection) -> None:
    """What a worker does until it is stopped."""
    _live_and_die_with_parent()
    while True:
        task = pipe.recv()
        try:
            sounds = [_read(clips[number]) for number in task]
        except Exception as error:  # noqa: BLE001  it is raised where the answer is waited for
            error.add_note(f"in a process that decodes sound:\n{traceback.format_exc()}")
            _send_error(pipe, error)
            continue
        arrays = {i: np.ascontiguousarray(one) for i, one in enumerate(sounds) if isinstance(one, np.ndarray)}
        pipe.send([(arrays[i].shape, arrays[i].dtype.str) if i in arrays else one for i, one in enumerate(sounds)])
        for array in arrays.values():
            if array.size:
                pipe.send_bytes(array.data.cast("B"))


def _send_error(pipe: Connection, error: Exception) -> None:
    """Send an error in words, then itself, or None where its kind cannot be sent."""
    pipe.send("\n".join([str(error), *error.__notes__]))
    try:
        pipe.send(error)
    except Exception:  # noqa: BLE001  whatever pickle meets in it
        pipe.send(None)


def _read(clip: Clip) -> Waveform | InputError:
    try:
        return clip.read()
    except MissingPackageError:  # of every clip; it is the machine that lacks something
        raise
    except InputError as error:
        return InputError(str(error))  # a bare one, since it may have to go through a pipe


def _live_and_die_with_parent() -> None:
    """Leave signals to the parent, which stops its workers when it stops, and end when it is there no more.

    A worker that has something to send would wait for ever for a reader; so a thread ends the process. What torch
    computes here is computed on one core: its other threads are the parent's and were not forked.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)
