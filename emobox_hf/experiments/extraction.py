"""Features of a corpus: the store is filled where it lacks something, and read as the probes need it."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emobox_hf.encoders.baselines.table import trait_of
from emobox_hf.encoders.encoder import Encoder, load_encoder
from emobox_hf.encoders.known.identity import EncoderIdentity
from emobox_hf.errors import InputError, first_five
from emobox_hf.experiments.launch import Place, place_of
from emobox_hf.experiments.mixed_precision import warn_of_emulation
from emobox_hf.experiments.plan import Plan
from emobox_hf.experiments.source import Source, list_clips
from emobox_hf.features import (
    Clip,
    DamagedShardError,
    Decoders,
    FeatureStore,
    RaggedFrames,
    extract,
    normalize_pooled,
    normalize_utterances,
)
from emobox_hf.progress import LOGGER, progress
from emobox_hf.results import ALL_LAYERS, LAST, RunSettings

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator


@dataclass(frozen=True)
class Filled:
    """What one process did for a store, or what every process together did.

    Attributes:
        left_out: Key and reason of each utterance without features.
        audio_s: Seconds of audio encoded now.
        wall_s: Seconds it took.
    """

    left_out: dict[str, str]
    audio_s: float
    wall_s: float


@dataclass(frozen=True)
class Features:
    """The stored features of the utterances of a corpus.

    Attributes:
        source: The corpus.
        settings: How they were made.
        store: Where they are.
        keys: The utterances that have some, in key order.
        filled: What was done to get them, by all processes.
    """

    source: Source
    settings: RunSettings
    store: FeatureStore
    keys: list[str]
    filled: Filled

    def read_frames(self) -> RaggedFrames:
        """Frames of the chosen layer, `keys[i]` to utterance i."""
        return prepare_frames(self.store.read(self.keys), self.settings)

    def read_vectors(self) -> tuple["torch.Tensor", tuple[int, ...]]:
        """Mean over the frames of each utterance in each layer asked for, float32 (n, layers, dim); their numbers.

        Raises:
            InputError: The encoder has no such layer.
        """
        return prepare_vectors(self.store.read_pooled(self.keys), self.settings)


def prepare_frames(frames: RaggedFrames, settings: RunSettings) -> RaggedFrames:
    """Frames as a head reads them: normalized where a run is."""
    return normalize_utterances(frames) if settings.features.output_norm else frames


def prepare_vectors(pooled: "torch.Tensor", settings: RunSettings) -> tuple["torch.Tensor", tuple[int, ...]]:
    """Pooled vectors (n, layers, 2, dim) as a head reads them, see `Features.read_vectors`.

    Raises:
        InputError: The encoder has no such layer.
    """
    means = normalize_pooled(pooled) if settings.features.output_norm else pooled[:, :, 0]
    n_layers, layer = means.shape[1], settings.encoder.layer
    if layer == ALL_LAYERS:
        return means, tuple(range(n_layers))
    number = n_layers - 1 if layer == LAST else int(layer)
    if not 0 <= number < n_layers:
        raise InputError(
            f"{settings.encoder.name} has no layer {layer}: give 'last', 'all', or 0 to {n_layers - 1}, where 0 is the "
            f"input of the first block and {n_layers - 1} the same as 'last'"
        )
    return means[:, number : number + 1], (number,)


def extract_features(plan: Plan, source: Source, accelerator: "Accelerator") -> Features:
    """Encode what the store lacks, shared over all processes of the group; each gives back the same.

    Raises:
        InputError: On every process, if any of them met a clip that cannot be encoded and `on_error` is `stop`.
    """
    from accelerate.utils import gather_object

    filled: Filled | None = None
    failure = None
    try:
        filled = fill_store(plan, source, place_of(accelerator))
    except InputError as error:
        failure = str(error)
    # The first word between the processes: while they extract, none waits for another.
    outcomes = gather_object([(failure, filled)])
    if failures := [failure for failure, _ in outcomes if failure]:
        raise InputError(failures[0])
    left_out: dict[str, str] = {}
    for _, one in outcomes:
        left_out |= one.left_out
    keys = [u.key for u in plan.utterances(source) if u.key not in left_out]
    if not keys:
        raise InputError(f"all {len(left_out)} utterances of {source.spec.name} were left out: {_reasons(left_out)}")
    together = Filled(
        dict(sorted(left_out.items())),
        sum(one.audio_s for _, one in outcomes),
        max(one.wall_s for _, one in outcomes),
    )
    return Features(source, plan.settings, _open_store(plan, source), keys, together)


def fill_store(plan: Plan, source: Source, place: Place) -> Filled:
    """Encode this process's share of what the store lacks; no word is exchanged with other processes.

    Raises:
        InputError: A clip cannot be read or encoded and `on_error` is `stop`, or the encoder cannot be loaded.
    """
    started = time.perf_counter()
    store = _open_store(plan, source)
    clips, left_out = _list_clips(plan, source)
    stored = _read_keys(store)
    if all(clip.key in stored for clip in clips):
        return Filled(left_out, 0.0, time.perf_counter() - started)
    with Decoders(clips, n_workers=plan.request.work.workers, device_type=place.device.type) as decoders:
        if place.rank == 0:
            warn_of_emulation(plan.settings.precision, place.device.type)
        with progress(f"load {plan.request.encoder.name}", is_shown=place.rank == 0, only="lines"):
            encoder = load_for(plan.settings, plan.identity, place.device)
        report = extract(
            clips,
            encoder,
            store,
            batch_s=plan.request.work.batch_s or encoder.batch_s,
            decoders=decoders,
            on_error=plan.settings.audio.on_error,
            rank=place.rank,
            world_size=place.world_size,
            progress=True,
        )
    left_out |= {clip.key: clip.reason for clip in report.left_out}
    return Filled(left_out, report.audio_s, time.perf_counter() - started)


def _read_keys(store: FeatureStore) -> set[str]:
    """What a store holds, after damaged shards were set aside."""
    try:
        return store.keys()
    except DamagedShardError:
        set_aside_damaged(store)
        return store.keys()


def set_aside_damaged(store: FeatureStore) -> None:
    """Put every damaged shard of a store out of the way, and log it, a line each."""
    for problem in store.set_aside_damaged():
        LOGGER.warning("%s; set aside, its utterances are extracted again", problem)


def _open_store(plan: Plan, source: Source) -> FeatureStore:
    return FeatureStore.open(plan.request.places.features_dir, plan.settings.feature_key(source.settings))


def load_for(settings: RunSettings, identity: EncoderIdentity, device: "torch.device") -> Encoder:
    """A run's encoder as its settings want it."""
    layer = settings.stored_layer
    return load_encoder(
        identity,
        device=device,
        layer="last" if layer == LAST else int(layer),
        context=settings.encoder.context,
        precision=settings.precision,
    )


def _list_clips(plan: Plan, source: Source) -> tuple[list[Clip], dict[str, str]]:
    """The clips to encode, and key and reason of those left out: missing, too long or, under `skip`, broken."""
    trait = trait_of(plan.identity.name)
    clips, left_out = list_clips(source, plan.utterances(source), plan.settings.audio, trait=trait)
    return clips, {key: source.manifest.why_missing(key) for key in source.manifest.missing} | left_out


def _reasons(left_out: dict[str, str]) -> str:
    return first_five(f"{key}: {reason}" for key, reason in left_out.items())
