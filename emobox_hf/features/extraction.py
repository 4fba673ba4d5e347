"""Extraction: clips through an encoder into a FeatureStore, resumable and shared between processes."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from emobox_hf.errors import InputError, first_five
from emobox_hf.features.key import StorageDtype
from emobox_hf.features.plan import make_batches, share_batches
from emobox_hf.features.store import FeatureStore, to_storage

Waveform = NDArray[np.float32]


FLUSH_S = 60.0
"""Seconds of work after which a shard is written, however little is in it: what a kill can cost."""


@dataclass(frozen=True)
class Clip:
    """One utterance to encode.

    Attributes:
        key: Its key in the corpus.
        duration_s: Its length; batches and shares are made of it, so it need not be exact.
        read: Gives float32 (samples,) at 16 kHz, or raises InputError.
    """

    key: str
    duration_s: float
    read: Callable[[], Waveform]


class SupportsEncode(Protocol):
    """What extraction asks of an encoder."""

    def encode(self, waveforms: Sequence[Waveform]) -> list[torch.Tensor]:
        """One (time, dim) tensor of valid frames for each waveform, float32 (samples,) at 16 kHz."""

    def padded_s(self, duration_s: float) -> float:
        """Seconds that a clip takes up in the encoder by itself: Whisper pads each to 30 s, most others do not."""


@dataclass(frozen=True)
class LeftOut:
    """An utterance without features, and why."""

    key: str
    reason: str


@dataclass(frozen=True)
class ExtractionReport:
    """What one process did.

    Attributes:
        n_extracted: Utterances encoded and stored now.
        n_cached: Utterances of this process's share that the store already held.
        audio_s: Seconds of audio encoded now.
        wall_s: Seconds it took.
        left_out: Utterances that could not be read, encoded or stored; only with `on_error="skip"`.
    """

    n_extracted: int
    n_cached: int
    audio_s: float
    wall_s: float
    left_out: tuple[LeftOut, ...]


def extract(
    clips: Sequence[Clip],
    encoder: SupportsEncode,
    store: FeatureStore,
    *,
    batch_s: float = 60.0,
    shard_s: float = 600.0,
    on_error: Literal["stop", "skip"] = "stop",
    rank: int = 0,
    world_size: int = 1,
    progress: bool = False,
) -> ExtractionReport:
    """Encode this process's share of the clips that the store lacks; gives back what was done.

    Every process is given the same list of clips and takes its share of it by seconds, see `plan`. Ctrl-C loses the
    batch in the making, a kill no more than the last minute; the next call goes on, on any number of processes.

    Args:
        clips: The whole corpus, the same on every process.
        encoder: Gives the frames.
        store: Takes them.
        batch_s: Seconds in one batch, counted after padding to its longest clip.
        shard_s: Seconds of audio in one shard at most; a slow encoder's shards are smaller, see `FLUSH_S`.
        on_error: "stop" stores what is done and raises; "skip" leaves the clip out and reports it.
        rank: Number of this process.
        world_size: Number of processes.
        progress: Show a bar, on rank 0 and on a terminal alone.

    Raises:
        InputError: Two clips have one key, a size is not positive, or a clip fails and `on_error` is "stop".
    """
    started = time.perf_counter()
    _check(clips, batch_s=batch_s, shard_s=shard_s)
    share = _share(clips, encoder, batch_s=batch_s, rank=rank, world_size=world_size)
    stored = store.keys()
    batches = [[clip for clip in batch if clip.key not in stored] for batch in share]
    todo_s = sum(clip.duration_s for batch in batches for clip in batch)

    done: list[Clip] = []
    left_out: list[LeftOut] = []
    pending: list[tuple[Clip, torch.Tensor]] = []

    def flush() -> None:
        if pending:
            store.write_shard([clip.key for clip, _ in pending], [frames for _, frames in pending], writer=rank)
            done.extend(clip for clip, _ in pending)
            pending.clear()

    hidden = not (progress and rank == 0 and sys.stderr.isatty())
    last_flush = time.perf_counter()
    with tqdm(total=round(todo_s), unit=" s of audio", desc="extract", disable=hidden) as bar:
        try:
            for batch in batches:
                for clip, outcome in _encode_batch(batch, encoder, store.key.storage_dtype):
                    if isinstance(outcome, torch.Tensor):
                        pending.append((clip, outcome))
                    elif on_error == "skip":
                        left_out.append(LeftOut(clip.key, str(outcome)))
                    else:
                        raise InputError(
                            f"utterance {clip.key} cannot be encoded: {outcome}; mend it, or leave such clips out with "
                            'on_error="skip"'
                        ) from outcome
                is_due = time.perf_counter() - last_flush >= FLUSH_S
                if is_due or sum(clip.duration_s for clip, _ in pending) >= shard_s:
                    flush()
                    last_flush = time.perf_counter()
                bar.set_postfix(utterances=len(done) + len(pending), refresh=False)
                bar.update(sum(clip.duration_s for clip in batch))
        finally:
            flush()  # after an error or Ctrl-C too: what was encoded is whole
    return ExtractionReport(
        n_extracted=len(done),
        n_cached=sum(map(len, share)) - sum(map(len, batches)),
        audio_s=sum(clip.duration_s for clip in done),
        wall_s=time.perf_counter() - started,
        left_out=tuple(left_out),
    )


def _check(clips: Sequence[Clip], *, batch_s: float, shard_s: float) -> None:
    for name, seconds in (("batch_s", batch_s), ("shard_s", shard_s)):
        if not seconds > 0:
            raise InputError(f"{name} is a number of seconds above 0, not {seconds}")
    times = Counter(clip.key for clip in clips)
    if twice := sorted(key for key, n in times.items() if n > 1):
        raise InputError(f"each clip needs a key of its own, but these come twice: {first_five(twice)}")


def _share(
    clips: Sequence[Clip], encoder: SupportsEncode, *, batch_s: float, rank: int, world_size: int
) -> list[list[Clip]]:
    """Batches of this process, each longest clip first."""
    # Sorted by key first, so that the plan does not depend on the order in which the corpus was listed.
    ordered = sorted(clips, key=lambda clip: clip.key)
    padded_s = [encoder.padded_s(clip.duration_s) for clip in ordered]
    batches = make_batches(padded_s, batch_s=batch_s)
    costs_s = [len(batch) * padded_s[batch[0]] for batch in batches]
    mine = share_batches(costs_s, rank=rank, world_size=world_size)
    return [[ordered[index] for index in batches[number]] for number in mine]


def _encode_batch(
    batch: Sequence[Clip], encoder: SupportsEncode, dtype: StorageDtype
) -> Iterable[tuple[Clip, torch.Tensor | InputError]]:
    """Each clip with its frames as they are stored, or with what went wrong."""
    read: list[tuple[Clip, Waveform]] = []
    for clip in batch:
        try:
            read.append((clip, clip.read()))
        except InputError as error:
            yield clip, error
    if read:
        yield from _encode(read, encoder, dtype)


def _encode(
    read: Sequence[tuple[Clip, Waveform]], encoder: SupportsEncode, dtype: StorageDtype
) -> Iterable[tuple[Clip, torch.Tensor | InputError]]:
    try:
        outputs = encoder.encode([waveform for _, waveform in read])
    except InputError as error:
        if len(read) == 1:
            yield read[0][0], error
            return
        # The encoder refused the batch for one of its clips; alone, each of them shows whether it is the one.
        for pair in read:
            yield from _encode([pair], encoder, dtype)
        return
    for (clip, _), frames in zip(read, outputs, strict=True):
        try:
            yield clip, to_storage(clip.key, frames, dtype)
        except InputError as error:
            yield clip, error
