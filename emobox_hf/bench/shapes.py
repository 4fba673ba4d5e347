"""Models to measure with, without a network: random weights in the shape of published encoders, or weights given."""

import hashlib
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import torch

from emobox_hf.encoders.encoder import Encoder, build_encoder, load_encoder
from emobox_hf.encoders.known.identity import EncoderIdentity, identify
from emobox_hf.encoders.known.loading import load_extractor, load_model
from emobox_hf.errors import InputError, suggest
from emobox_hf.precision import Precision

SHAPES: dict[str, dict[str, Any]] = tomllib.loads(
    files(__package__).joinpath("shapes.toml").read_text(encoding="utf-8")
)


@dataclass(frozen=True)
class PlainModel:
    """A model and its extractor as transformers gives them; of an encoder-decoder, the encoder alone.

    Attributes:
        name: What to call it.
        identity: Which weights; of random ones a digest of the shape.
        model: In float32, in evaluation mode.
        extractor: Takes waveforms at 16 kHz.
        is_random: Whether the weights were drawn.
    """

    name: str
    identity: EncoderIdentity
    model: Any
    extractor: Any
    is_random: bool

    def build(self, *, device: str | torch.device, precision: Precision) -> Encoder:
        """This package's encoder with the same weights."""
        if self.is_random:
            return build_encoder(self.model, self.extractor, self.identity, device=device, precision=precision)
        return load_encoder(self.identity, device=device, precision=precision)


def make_config(name: str) -> Any:
    """The configuration of a shape.

    Raises:
        InputError: There is no shape of that name.
    """
    import transformers as untyped

    transformers: Any = untyped
    if name not in SHAPES:
        raise InputError(f"unknown shape {name!r}{suggest(name, SHAPES)}")
    shape = SHAPES[name]
    return getattr(transformers, shape["config"])(**shape.get("settings", {}))


def make_shape(name: str, *, device: str | torch.device = "cpu") -> PlainModel:
    """A model of random weights, drawn on the device, which is faster than moving large ones there.

    Raises:
        InputError: There is no shape of that name.
    """
    import transformers as untyped

    transformers: Any = untyped
    config, shape = make_config(name), SHAPES[name]
    with torch.device(device):
        if config.model_type == "whisper":
            from transformers.models.whisper.modeling_whisper import WhisperEncoder

            model: Any = WhisperEncoder(config)  # the decoder of a large one would be a minute's work for nothing
            extractor: Any = transformers.WhisperFeatureExtractor(feature_size=config.num_mel_bins)
        else:
            model = transformers.AutoModel.from_config(config)
            extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=shape.get("do_normalize", True))
    digest = hashlib.sha256(config.to_json_string().encode()).hexdigest()
    identity = EncoderIdentity(name, None, digest, config.model_type)
    return PlainModel(name, identity, model.eval().requires_grad_(False), extractor, is_random=True)


def load_plain(name: str, *, device: str | torch.device = "cpu") -> PlainModel:
    """The model of a Hub id, a short id or a folder, see `identify`.

    Raises:
        InputError: It cannot be found or loaded whole.
    """
    identity = identify(name)
    model = load_model(identity).eval().requires_grad_(False).to(device)
    return PlainModel(identity.name, identity, model, load_extractor(identity), is_random=False)
