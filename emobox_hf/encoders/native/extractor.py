"""What data2vec 2.0 and emotion2vec take: the waveform, normalised over the clip."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from transformers import Wav2Vec2FeatureExtractor

# fairseq and FunASR normalise with torch's layer norm and its default; transformers' wav2vec 2.0 adds 1e-7, which in a
# quiet clip makes a difference of several percent.
_EPS = 1e-5

Vector = np.ndarray[Any, np.dtype[np.float32]]


class Data2Vec2FeatureExtractor(Wav2Vec2FeatureExtractor):
    """Waveforms, 16 kHz -> `input_values`, each clip of zero mean and unit variance, and `attention_mask`."""

    def __init__(self, return_attention_mask: bool = True, **settings: Any) -> None:
        super().__init__(return_attention_mask=return_attention_mask, **settings)

    @staticmethod
    def zero_mean_unit_var_norm(
        input_values: Sequence[Vector], attention_mask: Sequence[Any] | None, padding_value: float = 0.0
    ) -> list[Vector]:
        """Each clip normalised over its own samples, float32 (samples,); behind them stands `padding_value`."""
        lengths = [len(row) for row in input_values] if attention_mask is None else np.sum(attention_mask, axis=-1)
        normalised = []
        for row, length in zip(input_values, lengths, strict=True):
            clip = np.asarray(row[:length], dtype=np.float32)
            result = np.full(len(row), padding_value, dtype=np.float32)
            result[:length] = (clip - clip.mean()) / np.sqrt(clip.var() + _EPS)
            normalised.append(result)
        return normalised
