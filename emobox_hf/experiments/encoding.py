"""How sound becomes features: the encoder and every option that shapes its numbers."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from emobox_hf.encoders.known.identity import EncoderIdentity, identify
from emobox_hf.errors import InputError
from emobox_hf.experiments.request import ProbeRequest
from emobox_hf.experiments.source import Source
from emobox_hf.sources.encoders import cached_encoder

if TYPE_CHECKING:
    from emobox_hf.features import FeatureKey

LAST, ALL_LAYERS = "last", "all"


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """The encoder, the options of the forward pass and of the store.

    Attributes:
        identity: Which encoder exactly.
        layer: `last`, a number, or `all`; see `stored_layer`.
        pools: Whether probes take the pooled vectors of utterances rather than their frames.
        context: What the encoder hears at once.
        precision: Mixed precision of the forward pass, in accelerate's words.
        resampler: What brings the audio to 16 kHz.
        max_duration_s: Longer clips are left out.
        storage_dtype: dtype of the stored numbers.
        output_norm: EmoBox's norm of an utterance's frames, applied when a probe reads.
        on_error: Whether a broken clip stops the run or is left out.
        batch_s: Seconds of padded audio in a batch; None for what suits the encoder and the device.
        workers: Processes that decode ahead of the encoder; None for what suits the machine.
        features: Where stores are kept.
    """

    identity: EncoderIdentity
    layer: str
    pools: bool
    context: str
    precision: Literal["no", "bf16", "fp16"]
    resampler: str
    max_duration_s: float
    storage_dtype: Literal["float16", "bfloat16", "float32", "int8"]
    output_norm: bool
    on_error: Literal["stop", "skip"]
    batch_s: float | None
    workers: int | None
    features: Path

    @property
    def name(self) -> str:
        """What tables call the encoder: its Hub id, the id that a converted folder says, or the name of its folder."""
        identity = self.identity
        if identity.revision:
            return identity.name
        return identity.known_id or Path(identity.name).expanduser().resolve().name

    @property
    def stored_layer(self) -> str:
        """The layer whose frames are stored; a pass to the last one pools every layer, so these probes share it."""
        return LAST if self.pools else self.layer

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """What a record says of it."""
        return {
            "encoder": {
                "name": self.name,
                "identity": self.identity.key,
                "layer": self.layer,
                "context": self.context,
                "mixed_precision": self.precision,
            },
            "audio": {
                "resampler": self.resampler,
                "max_duration_s": self.max_duration_s if math.isfinite(self.max_duration_s) else None,
                "on_error": self.on_error,
            },
            "features": {"storage_dtype": self.storage_dtype, "output_norm": self.output_norm},
        }

    def feature_key(self, source: Source) -> "FeatureKey":
        """What the stored numbers of a corpus depend on."""
        from emobox_hf.features import FeatureKey

        return FeatureKey(
            corpus=source.spec.name,
            corpus_digest=source.audio_sha256,
            encoder=self.name,
            encoder_digest=self.identity.key,
            layer=self.stored_layer,
            context=self.context,
            resampler=self.resampler,
            precision=self.precision,
            storage_dtype=self.storage_dtype,
        )


def choose_encoding(request: ProbeRequest) -> Encoding:
    """The encoding that a request asks for; loads no model.

    Raises:
        InputError: There is no such encoder or layer, or the head cannot take all layers.
    """
    layer, pools = request.layer, request.head == "linear"
    if layer not in (LAST, ALL_LAYERS) and not layer.removeprefix("-").isdigit():
        raise InputError(f"layer is 'last', 'all' or a whole number, not {layer!r}")
    if layer == ALL_LAYERS and not pools:
        raise InputError(
            f"the {request.head} head takes the frames of one layer; probe all layers with --head linear, which takes "
            "the pooled vectors that one pass gives of every layer, or name one layer"
        )
    return Encoding(
        identity=identify(str(cached_encoder(request.encoder) or request.encoder), revision=request.revision),
        layer=layer,
        pools=pools,
        context=request.context,
        precision=request.mixed_precision,
        resampler=request.resampler,
        max_duration_s=request.max_duration_s,
        storage_dtype=request.storage_dtype,
        output_norm=request.output_norm,
        on_error=request.on_error,
        batch_s=request.batch_s,
        workers=request.workers,
        features=request.features,
    )
