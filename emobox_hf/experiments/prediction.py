"""Trained probes of a run, applied to any sound: files or waveforms to a probability of each label.

What a probe is given here went the way of the run's own features: read, encoded, rounded as the store rounds, normed.
So a clip of the run's test part gets the probabilities that stand in its predictions, up to the rounding of other
neighbours in a batch.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from emobox_hf.audio import Waveform
from emobox_hf.encoders.baselines.table import find_baseline, trait_of
from emobox_hf.encoders.known.identity import EncoderIdentity, identify
from emobox_hf.errors import InputError
from emobox_hf.experiments.extraction import load_for, prepare_frames, prepare_vectors
from emobox_hf.experiments.launch import find_place
from emobox_hf.experiments.prediction_request import FileChoice, ProbeChoice
from emobox_hf.experiments.sound_files import cut
from emobox_hf.features.batching import make_batches
from emobox_hf.features.decoding import Clip, decode_ahead, default_workers
from emobox_hf.features.key import FEATURE_FORMAT
from emobox_hf.features.passes import Passes, fetch
from emobox_hf.features.ragged import join_frames
from emobox_hf.features.storage import Stored, from_storage, to_storage
from emobox_hf.probes import FrameInputs, VectorInputs
from emobox_hf.probes.jobs import WEIGHTED
from emobox_hf.progress import LOGGER, progress
from emobox_hf.results import KeptProbe, ProbeFile, RunSettings
from emobox_hf.sampling import SAMPLE_RATE_HZ
from emobox_hf.scores import apply_temperature
from emobox_hf.sources.fetch_encoder import FETCHABLE, cached_encoder

if TYPE_CHECKING:
    from emobox_hf.encoders.encoder import Encoder

FEW_FILES = 8  # are read in this process: to start others takes longer
HELD_S = 600.0
"""Seconds of sound that are read before they are encoded: enough for batches of clips of like length."""


@dataclass(frozen=True, eq=False)
class FilePrediction:
    """What the probes say of a file.

    Attributes:
        file: It.
        spans_s: Start and end of each of its windows, in seconds.
        probabilities: float32 (windows, labels).
        error: Why there are none; empty where there are.
    """

    file: Path
    spans_s: Sequence[tuple[float, float]]
    probabilities: NDArray[np.float32]
    error: str = ""


@dataclass(frozen=True, eq=False)
class Predictor:
    """Trained probes with their encoder, on a device.

    Attributes:
        file: The probes of a run.
        probes: Those that are used.
        encoder: The run's.
        calibrated: Whether each probe's temperature is applied.
    """

    file: ProbeFile
    probes: Sequence[KeptProbe]
    encoder: "Encoder"
    calibrated: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """What the probes tell, in the order of their probabilities."""
        return self.file.labels

    @property
    def settings(self) -> RunSettings:
        """Of the run."""
        return self.file.settings

    def window_samples(self, window_s: float | None, hop_s: float | None) -> tuple[int, int]:
        """Length and hop of windows in samples; without a length the longest clip of the run, if it had a limit.

        Raises:
            InputError: A hop is longer than a window, so that sound would be passed over.
        """
        longest_s = self.settings.audio.max_duration_s if window_s is None else window_s
        hop_s = longest_s if hop_s is None else hop_s
        if hop_s > longest_s:
            raise InputError(f"hop_s is {hop_s:g}: sound between windows of {longest_s:g} s would be passed over")
        return _count_samples(longest_s), _count_samples(hop_s)

    def predict(
        self, waveforms: Sequence[Waveform], *, batch_s: float | None = None
    ) -> list[NDArray[np.float32] | InputError]:
        """For each waveform float32 (labels,), or why there is none: too short for the encoder, for instance.

        Args:
            waveforms: float32 (samples,) each, 16 kHz.
            batch_s: Seconds of padded audio in a batch; None for what suits the encoder.
        """
        stored: dict[int, Stored] = {}
        outcomes: dict[int, NDArray[np.float32] | InputError] = {}
        for number, outcome in self._encode(waveforms, batch_s or self.encoder.batch_s):
            if isinstance(outcome, InputError):
                outcomes[number] = outcome
            else:
                stored[number] = outcome
        numbers = sorted(stored)
        if numbers:
            outcomes |= zip(numbers, self._apply([stored[number] for number in numbers]), strict=True)
        return [outcomes[number] for number in range(len(waveforms))]

    def _encode(self, waveforms: Sequence[Waveform], batch_s: float) -> Iterator[tuple[int, Stored | InputError]]:
        """The number of each waveform with its features as the store has them, batch by batch."""
        encoder, dtype = self.encoder, self.settings.features.storage_dtype
        clips = [
            Clip(str(number), len(waveform) / SAMPLE_RATE_HZ, lambda one=waveform: one)  # type: ignore[misc]
            for number, waveform in enumerate(waveforms)
        ]
        padded_s = [encoder.padded_s(clip.duration_s) for clip in clips]
        passes = Passes(lambda sounds: fetch(encoder.encode(sounds), dtype)(), encoder.padded_s)
        for batch in make_batches(padded_s, batch_s=batch_s):
            for part, outcome in passes.run([(clips[number], waveforms[number]) for number in batch]):
                if isinstance(outcome, InputError):
                    yield int(part[0].key), outcome
                    continue
                for clip, encoded in zip(part, outcome, strict=True):
                    try:
                        yield int(clip.key), to_storage(clip.key, encoded, dtype)
                    except InputError as error:
                        yield int(clip.key), error

    def _apply(self, stored: Sequence[Stored]) -> NDArray[np.float32]:
        """Probabilities float32 (n, labels), the mean over the probes."""
        head, frames, pooled = self.settings.probe, *zip(*map(from_storage, stored), strict=True)
        inputs: FrameInputs | VectorInputs
        if head.reads == "frames":
            ragged = prepare_frames(join_frames(frames), self.settings)
            inputs = FrameInputs(ragged.frames, ragged.offsets)
        else:
            inputs = VectorInputs(*prepare_vectors(torch.stack(pooled), self.settings))
        found = head.predict(inputs, [one.learned for one in self.probes], device=self.encoder.backbone.device)
        if self.calibrated:
            pairs = zip(found, self.probes, strict=True)
            found = np.stack([apply_temperature(one, probe.temperature) for one, probe in pairs])
        return np.asarray(found[0] if len(found) == 1 else found.mean(axis=0, dtype=np.float64), dtype=np.float32)


def load_predictor(file: ProbeFile, choice: ProbeChoice) -> Predictor:
    """The probes that are chosen, with their encoder, on the device that accelerate would choose.

    Raises:
        InputError: There is no such probe, the encoder is not found or is another than the run's, or it is a baseline
            that sees something else than sound.
    """
    fold = f"fold{choice.fold}" if choice.fold.isdecimal() else choice.fold
    probes = file.select(fold=fold, layer=WEIGHTED if choice.weighted else "")
    identity = find_encoder(file.settings, choice.encoder)
    if file.feature_format != FEATURE_FORMAT:
        LOGGER.warning(
            "these probes learned from features of format %s, and this version makes format %s: probabilities may be "
            "others than the run's; run it again to be sure",
            file.feature_format,
            FEATURE_FORMAT,
        )
    with progress(f"load {file.settings.encoder.name}", only="lines"):
        encoder = load_for(file.settings, identity, find_place().device)
    return Predictor(file, probes, encoder, choice.calibrated)


def find_encoder(settings: RunSettings, given: str = "") -> EncoderIdentity:
    """The encoder that a run's probes learned from: on the Hub at its commit, in the cache, or in the folder given.

    Raises:
        InputError: It is not found, or what is found is another one.
    """
    name, wanted = settings.encoder.name, settings.encoder.identity
    if trait := trait_of(name):
        raise InputError(f"{name} sees the {trait} of an utterance of its corpus, no sound: it says nothing of files")
    folder = given or cached_encoder(name)
    if folder:
        identity = identify(str(cached_encoder(str(folder)) or folder))
    elif find_baseline(name) is not None:
        identity = identify(name)
    elif wanted.startswith("sha256:"):
        fetch_it = f"`emobox fetch {name}`, or " if name in FETCHABLE else ""
        raise InputError(
            f"the encoder {name} of this run was a folder, which the record knows by the digest of its weights alone; "
            f"{fetch_it}name the folder: --encoder FOLDER"
        )
    else:
        repo_id, _, revision = wanted.rpartition("@")
        identity = identify(repo_id, revision=revision)
    if identity.key != wanted:
        raise InputError(
            f"expected the encoder that the probes learned from, {name}, {wanted}; found {identity.name}, "
            f"{identity.key}: probes are of no use on another"
        )
    return identity


def predict_files(predictor: Predictor, files: Sequence[Path], choice: FileChoice) -> Iterator[FilePrediction]:
    """What the probes say of each file, in the order given, as soon as it is known.

    Raises:
        InputError: A file cannot be read or encoded and `on_error` is `stop`, or a hop is longer than a window.
    """
    window, hop = predictor.window_samples(choice.window_s, choice.hop_s)
    audio, channels = predictor.settings.audio, predictor.file.channels
    clips = [Clip(str(file), 0.0, partial(audio.read_file, file, channels)) for file in files]
    n_workers = choice.workers
    if n_workers is None:
        n_workers = default_workers() if len(files) > FEW_FILES else 0
    held: list[tuple[Path, Waveform | InputError]] = []
    held_s = 0.0
    with (
        progress("predict", total=len(files), unit=" files") as advance,
        closing(decode_ahead([[clip] for clip in clips], n_workers=n_workers)) as decoded,
    ):
        for file, ((_, sound),) in zip(files, decoded, strict=True):
            if isinstance(sound, InputError) and choice.on_error == "stop":
                raise _refuse(file, sound) from sound
            held.append((file, sound))
            held_s += 0.0 if isinstance(sound, InputError) else len(sound) / SAMPLE_RATE_HZ
            if held_s >= HELD_S or len(held) == len(files):
                for one in _predict_held(predictor, held, window, hop, choice):
                    yield one
                    advance(1)
                held, held_s = [], 0.0
        for one in _predict_held(predictor, held, window, hop, choice):
            yield one
            advance(1)


def _predict_held(
    predictor: Predictor, held: Sequence[tuple[Path, Waveform | InputError]], window: int, hop: int, choice: FileChoice
) -> Iterator[FilePrediction]:
    spans = [[] if isinstance(sound, InputError) else cut(len(sound), window=window, hop=hop) for _, sound in held]
    windows = [
        sound[start:end]
        for (_, sound), own in zip(held, spans, strict=True)
        if not isinstance(sound, InputError)
        for start, end in own
    ]
    outcomes = iter(predictor.predict(windows, batch_s=choice.batch_s))
    nothing = np.empty((0, len(predictor.labels)), dtype=np.float32)
    for (file, sound), own in zip(held, spans, strict=True):
        found = [next(outcomes) for _ in own]
        errors = [one for one in (sound, *found) if isinstance(one, InputError)]
        if errors and choice.on_error == "stop":
            raise _refuse(file, errors[0]) from errors[0]
        if errors:
            yield FilePrediction(file, (), nothing, str(errors[0]))
        else:
            seconds = [(start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ) for start, end in own]
            yield FilePrediction(file, seconds, np.stack([one for one in found if not isinstance(one, InputError)]))


def _count_samples(seconds: float) -> int:
    """Samples of some seconds, at least one; without a limit more than any file has."""
    return max(1, round(min(seconds * SAMPLE_RATE_HZ, 2.0**62)))


def _refuse(file: Path, error: InputError) -> InputError:
    named = "" if str(file) in str(error) else f"{file}: "
    return InputError(f"{named}{error}. Mend or leave out the file, or go on without such files with --on-error skip")
