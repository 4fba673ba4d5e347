"""Trained probes called as a pipeline of transformers is: sound in, labels with their scores out."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emobox_hf.errors import InputError
from emobox_hf.experiments.prediction import Predictor
from emobox_hf.experiments.sound_files import cut
from emobox_hf.sampling import SAMPLE_RATE_HZ

Labelled = list[dict[str, str | float]]


@dataclass(frozen=True, eq=False)
class Pipeline:
    """As `transformers.pipeline("audio-classification")`; the encoder is loaded once.

    Attributes:
        predictor: The probes and their encoder.
    """

    predictor: Predictor
    task = "audio-classification"

    def __call__(
        self,
        inputs: Any,
        *,
        top_k: int | None = 5,
        window_s: float | None = None,
        hop_s: float | None = None,
        batch_s: float | None = None,
    ) -> "Labelled | list[Labelled]":
        """Labels and their scores, the highest first: one list for one input, a list of them for several.

        Args:
            inputs: The path of a file; a waveform (samples,) at 16 kHz; a dictionary with `raw` or `array` and
                `sampling_rate`, such as a row's `audio` of `datasets`; or a list of any of these.
            top_k: How many labels; None for all.
            window_s: Longer sound is cut into windows, of which the scores are the mean; None for the longest clip of
                the probes' run.
            hop_s: From the start of one window to that of the next; None for a window.
            batch_s: Seconds of padded audio in a batch.

        Raises:
            InputError: An input is none of these, or cannot be read or encoded.
        """
        several = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        window, hop = self.predictor.window_samples(window_s, hop_s)
        waveforms = [self._read(one) for one in several]
        spans = [cut(len(waveform), window=window, hop=hop) for waveform in waveforms]
        windows = [waveform[a:b] for waveform, own in zip(waveforms, spans, strict=True) for a, b in own]
        outcomes = iter(self.predictor.predict(windows, batch_s=batch_s))
        found = [self._sort([next(outcomes) for _ in own], top_k) for own in spans]
        return found if isinstance(inputs, list | tuple) else found[0]

    def _read(self, one: Any) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
        audio = self.predictor.settings.audio
        if isinstance(one, str | os.PathLike):
            return audio.read_file(Path(one).expanduser(), self.predictor.file.channels)
        rate_hz = SAMPLE_RATE_HZ
        if isinstance(one, Mapping):
            sound = next((one[name] for name in ("raw", "array") if name in one), None)
            if sound is None or "sampling_rate" not in one:
                raise InputError(f"expected a dictionary with raw or array, and sampling_rate; found {', '.join(one)}")
            one, rate_hz = sound, int(one["sampling_rate"])
        waveform = np.asarray(one, dtype=np.float32)
        if waveform.ndim != 1 or not waveform.size or not np.isfinite(waveform).all():
            raise InputError(f"expected finite samples of one channel, (samples,), found shape {waveform.shape}")
        return audio.resample(np.ascontiguousarray(waveform), rate_hz)

    def _sort(self, outcomes: Sequence[Any], top_k: int | None) -> Labelled:
        """Of the windows of one input."""
        for one in outcomes:
            if isinstance(one, InputError):
                raise one
        scores = np.stack(outcomes).mean(axis=0, dtype=np.float64)
        order = np.argsort(-scores, kind="stable")[:top_k]
        return [{"score": float(scores[index]), "label": self.predictor.labels[index]} for index in order]
