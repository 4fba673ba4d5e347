"""The FeatureStore and extraction into it: ragged, half precision, resumable, any number of processes."""

from emobox_hf.features.decoding import Clip, Decoders
from emobox_hf.features.extraction import ExtractionReport, LeftOut, extract
from emobox_hf.features.key import FeatureKey
from emobox_hf.features.passes import SupportsEncode
from emobox_hf.features.ragged import RaggedFrames, normalize_pooled, normalize_utterances
from emobox_hf.features.shard import DamagedShardError
from emobox_hf.features.store import FeatureStore

__all__ = [
    "Clip",
    "DamagedShardError",
    "Decoders",
    "ExtractionReport",
    "FeatureKey",
    "FeatureStore",
    "LeftOut",
    "RaggedFrames",
    "SupportsEncode",
    "extract",
    "normalize_pooled",
    "normalize_utterances",
]
