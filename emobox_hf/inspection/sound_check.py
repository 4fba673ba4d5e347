"""A whole corpus decoded: what does not decode, what is too short, long or silent, which recordings are there twice."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from emobox_hf.audio import Waveform, read_info, read_utterance
from emobox_hf.cores import count_cores
from emobox_hf.corpora.manifest import Manifest
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError
from emobox_hf.inspection.fingerprints import Fingerprint, find_copies, group_copies, make_fingerprint
from emobox_hf.sampling import SAMPLE_RATE_HZ

N_WORKERS = min(8, count_cores())  # decoders and numpy's transforms let go of the interpreter
FRAME_S = 0.025  # what one frame of wav2vec 2.0 and its kind sees: 400 samples
LONG_S = 30.0  # EmoBox leaves longer clips out

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
Watch = Callable[[Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class SoundCheck:
    """What opening and decoding every utterance showed; the mappings are by key.

    `broken` has the reason why a file does not decode, `short` and `long` the seconds of clips under one frame (25 ms)
    and over 30 s, `silent` the clips of nothing but zeros. `sample_rates_hz` and `channels` count files as stored.
    """

    n_utterances: int
    n_files: int
    duration_s: float
    broken: dict[str, str]
    short: dict[str, float]
    long: dict[str, float]
    silent: tuple[str, ...]
    sample_rates_hz: dict[int, int]
    channels: dict[int, int]

    @property
    def is_sound(self) -> bool:
        """Whether everything decodes."""
        return not self.broken

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Recordings:
    """Which recordings are copies of one another, by key: the first key of the group that a clip belongs to.

    `identical` are equal sample for sample at 16 kHz, `copies` these and what a fingerprint shows to be the same sound.
    Clips that do not decode are in `broken`, with the reason, and in neither of the two.
    """

    identical: dict[str, str]
    copies: dict[str, str]
    broken: dict[str, str]

    @property
    def groups(self) -> list[list[str]]:
        """The keys of each group of two or more copies, sorted."""
        members: dict[str, list[str]] = defaultdict(list)
        for key, first in sorted(self.copies.items()):
            members[first].append(key)
        return [keys for keys in members.values() if len(keys) > 1]


def check_sound(manifest: Manifest, *, n_workers: int = N_WORKERS, watch: Watch = iter) -> SoundCheck:
    """What decoding every utterance of a manifest shows.

    Args:
        manifest: The corpus.
        n_workers: Threads that decode.
        watch: Wraps the iteration over utterances, for a progress bar.
    """
    results = dict(_decode_each(manifest, _measure, n_workers, watch))
    durations = {key: result[0] for key, result in results.items() if not isinstance(result, str)}
    paths = sorted({manifest.root / utterance.path for utterance in manifest.utterances})
    headers = [info for info in _run(_read_header, paths, n_workers) if info is not None]
    return SoundCheck(
        n_utterances=len(manifest.utterances),
        n_files=len(paths),
        duration_s=round(sum(durations.values()), 3),
        broken={key: result for key, result in results.items() if isinstance(result, str)},
        short={key: duration_s for key, duration_s in durations.items() if duration_s < FRAME_S},
        long={key: duration_s for key, duration_s in durations.items() if duration_s > LONG_S},
        silent=tuple(key for key, result in results.items() if not isinstance(result, str) and result[1]),
        sample_rates_hz=_count(rate for rate, _ in headers),
        channels=_count(n_channels for _, n_channels in headers),
    )


def compare_recordings(manifest: Manifest, *, n_workers: int = N_WORKERS, watch: Watch = iter) -> Recordings:
    """The recordings of a manifest that are copies of one another; everything is decoded.

    Identical samples are one group even where a clip is too short or too quiet for a fingerprint.

    Args:
        manifest: The corpus.
        n_workers: Threads that decode.
        watch: Wraps the iteration over utterances, for a progress bar.
    """
    broken: dict[str, str] = {}
    fingerprints: dict[str, Fingerprint] = {}
    first_with: dict[str, str] = {}
    identical: dict[str, str] = {}
    for key, result in _decode_each(manifest, _identify, n_workers, watch):
        if isinstance(result, str):
            broken[key] = result
            continue
        digest, fingerprint = result
        identical[key] = first_with.setdefault(digest, key)
        if fingerprint is not None and identical[key] == key:  # the first of several identical clips speaks for all
            fingerprints[key] = fingerprint
    groups = group_copies(fingerprints, find_copies(fingerprints))
    return Recordings(identical, {key: groups.get(first, first) for key, first in identical.items()}, broken)


def _decode_each(
    manifest: Manifest, measure: Callable[[Waveform], _Result], n_workers: int, watch: Watch
) -> Iterator[tuple[str, _Result | str]]:
    """Each utterance's key, and what `measure` gives for its waveform, or why it does not decode."""

    def decode(utterance: Utterance) -> tuple[str, _Result | str]:
        try:
            waveform = read_utterance(manifest.spec, manifest.root, utterance)
        except InputError as error:
            return utterance.key, str(error)
        return utterance.key, measure(waveform)

    yield from watch(_run(decode, manifest.utterances, n_workers))


def _run(work: Callable[[_Item], _Result], items: Sequence[_Item], n_workers: int) -> Iterator[_Result]:
    pool = ThreadPoolExecutor(n_workers)
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C nothing more is begun


def _measure(waveform: Waveform) -> tuple[float, bool]:
    return round(len(waveform) / SAMPLE_RATE_HZ, 4), not waveform.any()


def _identify(waveform: Waveform) -> tuple[str, Fingerprint | None]:
    return hashlib.sha256(waveform.tobytes()).hexdigest(), make_fingerprint(waveform)


def _read_header(path: Any) -> tuple[int, int] | None:
    try:
        info = read_info(path)
    except InputError:
        return None  # it does not decode either, and is named for that
    return info.sample_rate_hz, info.n_channels


def _count(values: Iterable[int]) -> dict[int, int]:
    return dict(sorted(Counter(values).items()))
