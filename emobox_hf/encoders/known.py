"""The encoders of the paper's table, as data: a short id a user types, its home on the Hub, its size."""

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownEncoder:
    """An encoder of the paper's intra-corpus table; `id` is also its column name there.

    `repo_id` is None for a model that transformers does not have. `n_layers` counts transformer blocks, `dim` is their
    width; both are the published architectures' (base 12 x 768, large 24 x 1024, Whisper large 32 x 1280).
    """

    id: str
    repo_id: str | None
    n_layers: int
    dim: int


KNOWN_ENCODERS = {
    encoder.id: encoder
    for encoder in (
        KnownEncoder("wav2vec2-base", "facebook/wav2vec2-base", 12, 768),
        KnownEncoder("hubert-base", "facebook/hubert-base-ls960", 12, 768),
        KnownEncoder("hubert-large", "facebook/hubert-large-ll60k", 24, 1024),
        KnownEncoder("wavlm-base", "microsoft/wavlm-base", 12, 768),
        KnownEncoder("wavlm-large", "microsoft/wavlm-large", 24, 1024),
        KnownEncoder("data2vec-base", "facebook/data2vec-audio-base", 12, 768),
        KnownEncoder("data2vec-large", "facebook/data2vec-audio-large", 24, 1024),
        KnownEncoder("data2vec2-base", None, 12, 768),
        KnownEncoder("data2vec2-large", None, 24, 1024),
        KnownEncoder("whisper-large-v3", "openai/whisper-large-v3", 32, 1280),
    )
}


def find_known(name: str) -> KnownEncoder | None:
    """The table's entry for a short id or a Hub id; None for any other encoder."""
    entries = (encoder for encoder in KNOWN_ENCODERS.values() if name in (encoder.id, encoder.repo_id))
    return next(entries, None)
