"""Features from the encoder are checked and converted on a thread of their own, and written into shards on others."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Self

import torch

from emobox_hf.errors import InputError
from emobox_hf.features.decoding import Clip
from emobox_hf.features.storage import Converted, Stored, to_storage
from emobox_hf.features.store import FeatureStore

if TYPE_CHECKING:
    from emobox_hf.encoders.forward.backbone import Encoded

FLUSH_S = 60.0
"""Seconds of work after which a shard is written, however little is in it: what a kill can cost."""

MAX_WAITING = 8
"""Batches on their way to a shard; the encoder waits when there are more, so that memory is bounded."""

MAX_WRITERS = 3
"""Shards that are hashed and written at once; a GPU fills them faster than one thread does."""


class ShardWriter:
    """Writes a shard whenever there is enough for one, and the rest when the block ends, however it ends.

    Attributes:
        n_written: Utterances in shards so far.
        audio_s: Their seconds.
        refused: Clips whose numbers cannot be stored, and why.
    """

    def __init__(self, store: FeatureStore, *, writer: int, shard_s: float, report: Callable[[float], object]) -> None:
        self.n_written = 0
        self.audio_s = 0.0
        self.refused: list[tuple[Clip, InputError]] = []
        self._store = store
        self._writer = writer
        self._shard_s = shard_s
        self._report = report
        self._pending: list[tuple[Clip, Stored]] = []
        self._last_flush = time.perf_counter()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="features")
        _use_one_core(self._thread)
        self._waiting: deque[Future[None]] = deque()
        self._writers = ThreadPoolExecutor(MAX_WRITERS, thread_name_prefix="shards")
        self._writing: deque[Future[None]] = deque()
        self._lock = threading.Lock()

    def put(self, clips: Sequence[Clip], fetched: "Callable[[], Sequence[Encoded | Converted]]") -> None:
        """Hand over a batch; waits while too many are under way, and raises what went wrong with an earlier one."""
        self._waiting.append(self._thread.submit(self._take, clips, fetched))
        while self._waiting and (self._waiting[0].done() or len(self._waiting) > MAX_WAITING):
            self._waiting.popleft().result()

    def __enter__(self) -> Self:
        """The writer, ready."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait for what is under way and write what is left, after an error or Ctrl-C too."""
        self._thread.shutdown(wait=True)
        try:
            self._flush()
        finally:
            self._writers.shutdown(wait=True)
        for one in (*self._writing, *self._waiting):
            one.result()

    def _take(self, clips: Sequence[Clip], fetched: "Callable[[], Sequence[Encoded | Converted]]") -> None:
        for clip, encoded in zip(clips, fetched(), strict=True):
            try:
                self._pending.append((clip, to_storage(clip.key, encoded, self._store.key.storage_dtype)))
            except InputError as error:
                self.refused.append((clip, error))
        self._report(sum(clip.duration_s for clip in clips))
        is_due = time.perf_counter() - self._last_flush >= FLUSH_S
        if is_due or sum(clip.duration_s for clip, _ in self._pending) >= self._shard_s:
            self._flush()

    def _flush(self) -> None:
        self._last_flush = time.perf_counter()
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        while self._writing and (self._writing[0].done() or len(self._writing) >= MAX_WRITERS):
            self._writing.popleft().result()
        self._writing.append(self._writers.submit(self._write, pending))

    def _write(self, pending: Sequence[tuple[Clip, Stored]]) -> None:
        clips, stored = zip(*pending, strict=True)
        self._store.write_stored([clip.key for clip in clips], stored, writer=self._writer)
        with self._lock:
            self.n_written += len(clips)
            self.audio_s += sum(clip.duration_s for clip in clips)


def _use_one_core(thread: ThreadPoolExecutor) -> None:
    """Make torch compute on one core in a pool of one thread.

    GNU's OpenMP keeps a team of threads for every thread that computes in parallel, and where they outnumber the cores
    all of them sleep between two operations instead of waiting, the encoder's too.
    """
    n_threads = torch.get_num_threads()
    thread.submit(torch.get_num_threads).result()  # a thread takes the number of all the first time it needs one
    thread.submit(torch.set_num_threads, 1).result()
    torch.set_num_threads(n_threads)  # which sets that of all, too
