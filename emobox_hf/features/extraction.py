"""Extraction: clips through an encoder into a FeatureStore, resumable and shared between processes.

Three things go on at once: worker processes decode the next batches, the encoder computes, a thread writes.
"""

import math
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Literal, NoReturn

from emobox_hf.errors import InputError, first_five
from emobox_hf.features.batching import make_batches, share_batches
from emobox_hf.features.decoding import Clip, Decoders, Waveform, decode_ahead
from emobox_hf.features.passes import Passes, SupportsEncode, fetch
from emobox_hf.features.store import FeatureStore
from emobox_hf.features.writing import ShardWriter
from emobox_hf.progress import progress as shown


@dataclass(frozen=True)
class LeftOut:
    """An utterance without features, and why."""

    key: str
    reason: str


@dataclass(frozen=True)
class ExtractionReport:
    """How much one process extracted, and what it left out.

    Attributes:
        n_extracted: Utterances encoded and stored now.
        n_cached: Utterances of this process's share that the store already held.
        audio_s: Seconds of audio encoded and stored now.
        computed_s: Seconds that the encoder computed, padding included: that of a batch, and that of an encoder which
            pads every clip.
        wall_s: Seconds it took.
        left_out: Utterances that could not be read, encoded or stored; only with `on_error="skip"`.
    """

    n_extracted: int
    n_cached: int
    audio_s: float
    computed_s: float
    wall_s: float
    left_out: tuple[LeftOut, ...]

    @property
    def padding(self) -> float:
        """Share of the computed seconds that was no audio; 0 where nothing was computed."""
        return max(0.0, 1 - self.audio_s / self.computed_s) if self.computed_s else 0.0


def extract(
    clips: Sequence[Clip],
    encoder: SupportsEncode,
    store: FeatureStore,
    *,
    batch_s: float = 60.0,
    shard_s: float = 600.0,
    n_workers: int | None = None,
    decoders: Decoders | None = None,
    on_error: Literal["stop", "skip"] = "stop",
    rank: int = 0,
    world_size: int = 1,
    progress: bool = False,
) -> ExtractionReport:
    """Encode this process's share of the clips that the store lacks; gives back what was done.

    Every process is given the same list of clips and takes its share of it by seconds, see `batching`. Ctrl-C and
    SIGTERM lose the batch in the making, a kill no more than the last minute; the next call goes on, on any number of
    processes. A batch that does not fit in memory is halved, and so are all that are larger than its half.

    Args:
        clips: The whole corpus, the same on every process.
        encoder: Gives frames and pooled vectors.
        store: Takes them.
        batch_s: Seconds in one batch at most, counted after padding to its longest clip.
        shard_s: Seconds of audio in one shard at most; a slow encoder's shards are smaller, see `writing.FLUSH_S`.
        n_workers: Processes that decode ahead of the encoder, 0 to decode in this one; None for what suits the machine.
        decoders: Processes that are there already and know all clips; `n_workers` are started otherwise.
        on_error: "stop" stores what is done and raises; "skip" leaves the clip out and reports it.
        rank: Number of this process.
        world_size: Number of processes.
        progress: Show how far the work is, on rank 0 alone, see `emobox_hf.progress`.

    Raises:
        InputError: Two clips have one key, a size is not positive, or a clip fails and `on_error` is "stop".
    """
    started = time.perf_counter()
    _check(clips, batch_s=batch_s, shard_s=shard_s)
    share = _share(clips, encoder, batch_s=batch_s, rank=rank, world_size=world_size)
    stored = store.keys()
    missing = [[clip for clip in batch if clip.key not in stored] for batch in share]
    batches = [batch for batch in missing if batch]
    decoded_batches = decoders.decode(batches) if decoders else decode_ahead(batches, n_workers=n_workers)

    left_out: list[LeftOut] = []

    def refuse(clip: Clip, error: InputError) -> None:
        if on_error == "stop":
            raise InputError(
                f"utterance {clip.key} cannot be encoded: {error}; mend it, or leave such clips out with "
                'on_error="skip"'
            ) from error
        left_out.append(LeftOut(clip.key, str(error)))

    dtype = store.key.storage_dtype
    passes = Passes(lambda waveforms: fetch(encoder.encode(waveforms), dtype), encoder.padded_s)
    total_s = sum(clip.duration_s for batch in batches for clip in batch)
    with (
        _sigterm_like_ctrl_c(),
        shown("extract", total=math.ceil(total_s), unit=" s of audio", is_shown=progress and rank == 0) as advance,
        ShardWriter(store, writer=rank, shard_s=shard_s, report=advance) as writer,
        closing(decoded_batches) as decoded,
    ):
        for batch in decoded:
            readable: list[tuple[Clip, Waveform]] = []
            for clip, sound in batch:
                if isinstance(sound, InputError):
                    refuse(clip, sound)
                else:
                    readable.append((clip, sound))
            for part, outcome in passes.run(readable):
                if isinstance(outcome, InputError):
                    refuse(part[0], outcome)
                else:
                    writer.put(part, outcome)
            if on_error == "stop" and writer.refused:
                break
    for clip, error in writer.refused:
        refuse(clip, error)
    return ExtractionReport(
        n_extracted=writer.n_written,
        n_cached=sum(map(len, share)) - sum(map(len, batches)),
        audio_s=writer.audio_s,
        computed_s=passes.computed_s,
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


@contextmanager
def _sigterm_like_ctrl_c() -> Iterator[None]:
    """Within, SIGTERM, which launchers send, raises SystemExit(143) once; a handler that is there already stays."""
    is_ours = threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if not is_ours:
        yield
        return

    def stop(number: int, _: object) -> NoReturn:
        signal.signal(number, signal.SIG_IGN)  # what is encoded is being written
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
