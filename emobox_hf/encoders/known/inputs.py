"""What an encoder takes as sound, by its files alone: the sampling rate, and the window that clips are padded to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emobox_hf.encoders.baselines.table import find_baseline
from emobox_hf.encoders.known.identity import EncoderIdentity, is_hub_reachable
from emobox_hf.sampling import SAMPLE_RATE_HZ

_HOP_S = 0.01  # of the filter banks of the Audio Spectrogram Transformer
_PADS_ITSELF = "whisper"  # whose padding is a context that the user chooses


@dataclass(frozen=True)
class EncoderInput:
    """What a feature extractor makes of a clip.

    Attributes:
        sample_rate_hz: What the encoder takes; sound at 16 kHz is brought to it.
        window_s: The length that every clip is padded to, in seconds, of which the frames of the clip are kept; None
            where clips are taken as they are.
    """

    sample_rate_hz: int = SAMPLE_RATE_HZ
    window_s: float | None = None

    def __str__(self) -> str:
        """What a record says of it: empty for sound at 16 kHz that is taken as it is."""
        parts = [f"frames of the clip in padded windows of {self.window_s:g} s"] if self.window_s else []
        if self.sample_rate_hz != SAMPLE_RATE_HZ:
            parts.append(f"{SAMPLE_RATE_HZ} Hz sound resampled to {self.sample_rate_hz} Hz")
        return ", ".join(parts)


def read_input(settings: Mapping[str, Any], model_type: str) -> EncoderInput:
    """The input by the settings of a feature extractor, as `preprocessor_config.json` has them."""
    rate_hz, kind = settings.get("sampling_rate", SAMPLE_RATE_HZ), settings.get("feature_extractor_type", "")
    window_s = None
    if kind == "WhisperFeatureExtractor" and model_type != _PADS_ITSELF:
        window_s = float(settings.get("chunk_length", 30))
    elif kind == "ASTFeatureExtractor":
        window_s = settings.get("max_length", 1024) * _HOP_S
    return EncoderInput(rate_hz if isinstance(rate_hz, int) else SAMPLE_RATE_HZ, window_s)


def describe_input(identity: EncoderIdentity) -> EncoderInput:
    """The input of an encoder, from its folder or the Hub's cache; no model is loaded.

    Where the settings cannot be read, they are taken for the usual ones; loading the encoder will say what is wrong.
    """
    if find_baseline(identity.name) is not None:
        return EncoderInput()
    # transformers' order: a processor may hold the settings of its feature extractor, else they have a file.
    processor = _read_settings(identity, "processor_config.json")
    settings = processor.get("feature_extractor") or processor.get("audio_processor")
    if not isinstance(settings, dict):
        settings = _read_settings(identity, "preprocessor_config.json")
    return read_input(settings, identity.model_type)


def _read_settings(identity: EncoderIdentity, name: str) -> dict[str, Any]:
    """What a file of settings says; empty where there is none that can be read."""
    path = _find_settings(identity, name)
    try:
        settings = json.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        settings = {}
    return settings if isinstance(settings, dict) else {}


def _find_settings(identity: EncoderIdentity, name: str) -> Path | None:
    if identity.revision is None:
        return Path(identity.name).expanduser() / name
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    try:
        offline = not is_hub_reachable()
        return Path(hf_hub_download(identity.name, name, revision=identity.revision, local_files_only=offline))
    except (EntryNotFoundError, LocalEntryNotFoundError, HfHubHTTPError, OSError):
        return None
