"""What a stored feature depends on, and the folder name that follows from it."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import get_args

from emobox_hf.errors import InputError
from emobox_hf.precision import Precision, StorageDtype

FEATURE_FORMAT = 3
"""Counts the ways in which this package has made and stored frames, so that an old store is never read as a new one."""


@dataclass(frozen=True, kw_only=True)
class FeatureKey:
    """Everything that stored features depend on; two stores with one digest hold the same features.

    The whole-utterance norm (`--output_norm`) is missing on purpose: it is applied when a probe reads, never stored.

    Attributes:
        corpus: Name of the corpus, `polish`.
        corpus_digest: Digest of the corpus specification.
        encoder: Name of the encoder as the user gave it, `openai/whisper-large-v3`.
        encoder_digest: Revision or digest of its weights.
        layer: Layer of the encoder whose frames are stored, as the encoder names it.
        context: What the encoder hears at once, as the encoder names it (padded to 30 s, or the clip alone).
        resampler: What brought the audio to 16 kHz.
        precision: Mixed precision of the forward pass, in accelerate's words.
        storage_dtype: dtype of the frames on disk; int8 has a scale, see `storage`.
        feature_format: Version of this package's way of making and storing frames.
    """

    corpus: str
    corpus_digest: str
    encoder: str
    encoder_digest: str
    layer: int | str
    context: str
    resampler: str = "soxr"
    precision: Precision = "no"
    storage_dtype: StorageDtype = "float16"
    feature_format: int = FEATURE_FORMAT

    def __post_init__(self) -> None:
        """Refuse a precision or a storage dtype that does not exist."""
        for name, value, known in (
            ("precision", self.precision, get_args(Precision)),
            ("storage_dtype", self.storage_dtype, get_args(StorageDtype)),
        ):
            if value not in known:
                raise InputError(f"{name} is one of {', '.join(known)}, not {value!r}")

    @property
    def digest(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the fields as canonical JSON."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def folder(self) -> str:
        """Where the store lies under its root: `<corpus>/<encoder>-<first 12 digits of the digest>`."""
        # The encoder may be a local path; its end says most, and 80 characters keep the name legal everywhere.
        slug = re.sub(r"[^A-Za-z0-9._-]+", "-", self.encoder).strip("-.")[-80:]
        return f"{self.corpus}/{slug}-{self.digest[:12]}"
