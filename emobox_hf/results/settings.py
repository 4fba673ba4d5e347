"""RunSettings: everything that shapes the scores of a run, as one tree of frozen dataclasses.

The command line fills it (`emobox_hf.options` makes a flag of each field that a user may set), its digest names the
run, the key of stored features is a projection of it, the record stores it, and reports read its attributes. What does
not shape scores, such as folders and the number of workers, is not in it.
"""

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from emobox_hf.audio import RESAMPLERS, Waveform, read_waveform, resample
from emobox_hf.dataclass_reader import Keys, read_as
from emobox_hf.errors import InputError, suggest
from emobox_hf.options import describe, option
from emobox_hf.precision import AUTO, Precision, PrecisionChoice, StorageDtype
from emobox_hf.probes.heads import HEADS, Head

if TYPE_CHECKING:
    from emobox_hf.features import FeatureKey

LAST, ALL_LAYERS = "last", "all"


@dataclass(frozen=True, kw_only=True)
class CorpusSettings:
    """A corpus as it was found.

    Attributes:
        name: Its name.
        version: Of its specification.
        spec_sha256: Digest of what shapes its rows (`CorpusSpec.digest`).
        audio_sha256: Digest of the sound: keys, contents, segment bounds, the channel rule.
        missing: Keys of the utterances that are known to be missing.
        n_absent: How many utterances fewer there are than a complete copy holds.
    """

    name: str
    version: str = ""
    spec_sha256: str = ""
    audio_sha256: str = ""
    missing: tuple[str, ...] = ()
    n_absent: int = 0


@dataclass(frozen=True, kw_only=True)
class PartitionSettings:
    """What is trained, validated and tested on.

    Attributes:
        name: The corpus, or `iemocap-to-ravdess`.
        folds: The folds, in order; of a cross-corpus run its name alone.
        all_folds: Whether these are all folds of their kind.
        digests: Fold -> split -> SHA-256 of the keys (`files.sha256_of_keys`); they follow from the rule that draws the
            validation part, too. Splits that a seed draws otherwise than the first one stand as `fold1 seed 3`.
        validation_share: Of train that is held out where the corpus has no validation part.
        validation_by: Whether utterances or whole speakers are held out.
        train_size: How many utterances of train are used, where not all are.
        validation_draws: `seed` where each seed draws a validation part of its own, `same` where all share one.
        trained_labels: The classes of the probe.
        scored_labels: Those that the test part has and predictions are chosen from.
        labels: Of a cross-corpus run, `shared` or `all`: what is trained on.
        test_set: Of a cross-corpus run, `balanced`, `all`, or `sha256:` and the digest of a set of one's own.
        test_set_chosen_by: The model that such a set had to agree with; empty where there was none.
    """

    name: str
    folds: tuple[str, ...] = ()
    all_folds: bool = True
    digests: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    validation_share: float = 0.2
    validation_by: str = "utterances"
    train_size: int | None = None
    validation_draws: str = "seed"
    trained_labels: tuple[str, ...] = ()
    scored_labels: tuple[str, ...] = ()
    labels: str = ""
    test_set: str = ""
    test_set_chosen_by: str = ""


@dataclass(frozen=True, kw_only=True)
class EncoderSettings:
    """The encoder and how it is run.

    `identity` is its commit, the digest of its weights, or of a baseline its version, behind which `+` and a digest
    stand for the columns that the corpus gives a trait (`corpora.traits`). `input` is what is done to a clip that it
    does not take as it is (`encoders.known.inputs`), empty for most.
    """

    name: str = option(
        name="encoder", help="a Hub id, a folder, or a name that `emobox encoders` lists, baseline:duration among them"
    )
    identity: str = ""
    input: str = ""
    layer: str = option(
        LAST,
        flags=("--layers",),
        help="hidden state to probe: last, 0 (input of the first block) to the last block, or all (of a head that "
        "takes pooled vectors)",
        show="layer {}".format,
    )
    context: str = option(
        "full", help="what Whisper hears at once: full (30 s, padded) or clip", show="context {}".format
    )
    mixed_precision: PrecisionChoice = option(
        "no",
        environment="ACCELERATE_MIXED_PRECISION",
        help="of the encoder; auto: bf16 or fp16 where this machine multiplies it by itself, else float32 (no); "
        "`accelerate launch --mixed_precision` sets it too",
        show=lambda name: f"{'float32' if name == 'no' else name} encoder",
    )


@dataclass(frozen=True, kw_only=True)
class AudioSettings:
    """How sound is read, and which clips are left out."""

    resampler: str = option(
        RESAMPLERS[0],
        choices=RESAMPLERS,
        help="torchaudio, where it imports, has EmoBox's filter",
        show="resampler {}".format,
    )
    max_duration_s: float = option(
        30.0, help="leave longer clips out, as EmoBox does; inf keeps them", show="clips to {:g} s".format
    )
    on_error: Literal["stop", "skip"] = option("stop", help="skip: record clips that are missing or broken")

    def read_file(self, path: Path, channels: Mapping[int, int]) -> Waveform:
        """Samples of a file that belongs to no corpus, see `audio.read_waveform`."""
        return read_waveform(path, channels=channels, resampler=self.resampler)

    def resample(self, waveform: Waveform, rate_hz: int) -> Waveform:
        """A waveform at 16 kHz, float32 (samples,)."""
        return resample(waveform, rate_hz, self.resampler)

    def refuse_length(self, duration_s: float) -> str:
        """The reason why a clip of this length is left out; empty where it is not."""
        return f"{duration_s:.1f} s long, over {self.max_duration_s:g} s" if duration_s > self.max_duration_s else ""


def tells_length(reason: str) -> bool:
    """Whether a reason is one of `AudioSettings.refuse_length`: such clips are no part of the protocol."""
    return re.match(r"[\d.]+ s long, over ", reason) is not None


@dataclass(frozen=True, kw_only=True)
class FeatureSettings:
    """How frames are stored, and what is done to them when a probe reads them."""

    storage_dtype: StorageDtype = option("float16", help="of stored features", show=str)
    output_norm: bool = option(
        False,
        help="EmoBox's norm of an utterance's frames, all at once",
        show=lambda is_on: "output norm" if is_on else "no norm",
    )


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """A run: its corpora (those trained on, then the one tested on; inside a corpus that one), and how it is probed."""

    experiment: Literal["intra-corpus", "cross-corpus"]
    package: str
    corpora: tuple[CorpusSettings, ...]
    partition: PartitionSettings
    encoder: EncoderSettings
    audio: AudioSettings = field(default_factory=AudioSettings)
    features: FeatureSettings = field(default_factory=FeatureSettings)
    probe: Head

    @property
    def tested(self) -> str:
        """The corpus that is tested on."""
        return self.corpora[-1].name

    @property
    def precision(self) -> Precision:
        """The precision of the encoder's pass, which was decided when the run was planned."""
        chosen = self.encoder.mixed_precision
        assert chosen != AUTO
        return chosen

    @property
    def stored_layer(self) -> str:
        """The layer whose frames are stored; a pass to the last one pools every layer, so pooled vectors share it."""
        return LAST if self.probe.reads == "vectors" else self.encoder.layer

    @property
    def digest(self) -> str:
        """Ten hexadecimal digits that change with any setting."""
        canonical = json.dumps(to_json(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:10]

    @property
    def folder(self) -> str:
        """Where the run lies under the folder of all: `<corpus>/<encoder>-<head>-<digest>`."""
        encoder = re.sub(r"[^A-Za-z0-9._-]+", "-", self.encoder.name).strip("-.")
        return f"{self.partition.name}/{encoder}-{self.probe.name}-{self.digest}"

    @property
    def options(self) -> dict[str, str]:
        """What tells runs of one encoder apart, for people; a setting that a run has no use for is not in it."""
        partition = self.partition
        probe = {name: value for name, value in self.probe.settings().items() if name != "head"}
        return {
            "folds": "" if partition.all_folds else f"only {' '.join(partition.folds)}",
            "head": f"head {self.probe.name}",
            **describe(self.encoder),
            "input": self.encoder.input,
            **describe(self.audio),
            **describe(self.features),
            **{f"probe {name}": f"{name.replace('_', ' ')} {_show(value)}" for name, value in probe.items()},
            **({"share": f"validation {partition.validation_share:g}"} if partition.validation_share != 0.2 else {}),
            **({"by": "validation by speakers"} if partition.validation_by == "speakers" else {}),
            **({"size": f"trained on {partition.train_size}"} if partition.train_size is not None else {}),
            **({"draws": "one validation part"} if partition.validation_draws == "same" else {}),
            **({"labels": f"labels {partition.labels}"} if partition.labels else {}),
            **({"test set": f"test {partition.test_set}"} if partition.test_set else {}),
        }

    def feature_key(self, corpus: CorpusSettings) -> "FeatureKey":
        """What the stored numbers of one of the corpora depend on."""
        from emobox_hf.features import FeatureKey

        return FeatureKey(
            corpus=corpus.name,
            corpus_digest=corpus.audio_sha256,
            encoder=self.encoder.name,
            encoder_digest=self.encoder.identity,
            layer=self.stored_layer,
            context=", ".join(filter(None, (self.encoder.context, self.encoder.input))),
            resampler=self.audio.resampler,
            precision=self.precision,
            storage_dtype=self.features.storage_dtype,
        )


def to_json(settings: RunSettings) -> dict[str, Any]:
    """Settings as a record and the digest have them: plain JSON; no limit is null, for JSON has no infinity."""
    head = settings.probe.settings()
    table: dict[str, Any] = dataclasses.asdict(dataclasses.replace(settings, probe=None))  # type: ignore[arg-type]
    table["probe"] = json.loads(json.dumps(head))
    if math.isinf(settings.audio.max_duration_s):
        table["audio"]["max_duration_s"] = None
    return table


def from_json(written: Any, where: str) -> RunSettings:
    """Settings as `to_json` wrote them.

    Raises:
        InputError: A field is unknown, missing or of another type, or the head is unknown.
    """
    table = read_as(Annotated[dict[str, Any], Keys(dict.fromkeys((*_HINTS, "probe", "audio"), Any))], written, where)
    sections = {**table, "audio": read_as(dict[str, Any], table["audio"], f"{where}: audio")}
    if sections["audio"].get("max_duration_s", 0.0) is None:
        sections["audio"] = {**sections["audio"], "max_duration_s": math.inf}
    read = {name: read_as(hint, sections[name], f"{where}: {name}") for name, hint in _HINTS.items()}
    probe = read_as(Annotated[dict[str, Any], Keys({"head": str})], table["probe"], f"{where}: probe")
    if probe["head"] not in HEADS:
        raise InputError(f"{where}: no head {probe['head']!r}{suggest(probe['head'], HEADS)}")
    return RunSettings(**read, probe=HEADS[probe["head"]].from_settings(probe))


_HINTS: Mapping[str, Any] = {
    "experiment": Literal["intra-corpus", "cross-corpus"],
    "package": str,
    "corpora": tuple[CorpusSettings, ...],
    "partition": PartitionSettings,
    "encoder": EncoderSettings,
    "audio": AudioSettings,
    "features": FeatureSettings,
}


def _show(value: Any) -> str:
    return " ".join(f"{one:g}" for one in value) if isinstance(value, list | tuple) else str(value)
