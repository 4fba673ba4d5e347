"""Any audio classifier of transformers, emotion2vec+ among them: waveforms in, a probability of each label out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emobox_hf.encoders.forward.kernels import steady_kernels
from emobox_hf.encoders.known.identity import EncoderIdentity
from emobox_hf.encoders.known.loading import NEVER_USED, load_extractor, load_weights
from emobox_hf.encoders.native import MODEL_TYPE
from emobox_hf.errors import InputError, first_five
from emobox_hf.sampling import SAMPLE_RATE_HZ

MIN_SAMPLES = 1600  # 0.1 s: four times what the convolutions of the wav2vec 2.0 family need for one frame

# Padding behind a clip, under a mask, does not change what these give, unless their convolutions have a group norm or
# their extractor gives no mask. The extractors of the second row pad every clip to one length anyway. All other models
# take one clip at a time, for in most of them something reaches over the end of a clip.
_MASKED = frozenset({MODEL_TYPE, "hubert", "unispeech", "unispeech-sat", "wav2vec2", "wavlm"})
_FIXED_LENGTH = frozenset({"audio-spectrogram-transformer", "whisper"})

Waveform = NDArray[np.float32]


@dataclass(frozen=True)
class Classifier:
    """A model on a device.

    Attributes:
        identity: Which model exactly.
        labels: Its labels as its configuration names them, in the order of its outputs.
        takes_batches: Whether a clip gives the same alone and in a batch; if not, clips run one by one.
    """

    identity: EncoderIdentity
    labels: tuple[str, ...]
    takes_batches: bool
    model: Any
    extractor: Any

    def predict(self, waveforms: Sequence[Waveform]) -> NDArray[np.float32]:
        """Probabilities float32 (clips, labels): softmax, or of a model with several labels a clip the sigmoid.

        Args:
            waveforms: float32 (samples,) each, 16 kHz.

        Raises:
            InputError: a clip is shorter than 0.1 s, or the model gives something else than numbers.
        """
        if too_short := [len(waveform) for waveform in waveforms if len(waveform) < MIN_SAMPLES]:
            raise InputError(f"{too_short[0] / SAMPLE_RATE_HZ:.3f} s long, under {MIN_SAMPLES / SAMPLE_RATE_HZ:g} s")
        parts = [list(waveforms)] if self.takes_batches else [[waveform] for waveform in waveforms]
        with torch.inference_mode(), steady_kernels(self.model.device):
            logits = torch.cat([self._run(part) for part in parts])  # (clips, labels)
        several = self.model.config.problem_type == "multi_label_classification"
        probabilities = logits.sigmoid() if several else logits.softmax(-1)
        if not probabilities.isfinite().all():
            raise InputError(f"{self.identity.name} gives values that are not finite numbers")
        result: NDArray[np.float32] = probabilities.cpu().numpy()
        return result

    def _run(self, waveforms: list[Waveform]) -> torch.Tensor:
        # Whisper and the spectrogram transformer pad to their own length by default, the others to the longest clip.
        padding = {} if self.identity.model_type in _FIXED_LENGTH else {"padding": True}
        inputs = self.extractor(waveforms, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt", **padding)
        logits: torch.Tensor = self.model(**inputs.to(self.model.device)).logits
        return logits.float()


def load_classifier(identity: EncoderIdentity, *, device: str | torch.device = "cpu") -> Classifier:
    """The audio classifier of an identity, float32, in evaluation mode.

    Raises:
        InputError: the model cannot be loaded whole, is no classifier, or is not for 16 kHz.
    """
    extractor = load_extractor(identity)
    model = _load_model(identity).eval().requires_grad_(False).to(device)
    config = model.config
    labels = tuple(str(config.id2label[index]) for index in range(config.num_labels))
    is_masked = bool(getattr(extractor, "return_attention_mask", False))
    is_local = getattr(config, "feat_extract_norm", "layer") == "layer" and not getattr(config, "add_adapter", False)
    takes_batches = identity.model_type in _FIXED_LENGTH or (identity.model_type in _MASKED and is_masked and is_local)
    return Classifier(identity, labels, takes_batches, model, extractor)


def _load_model(identity: EncoderIdentity) -> Any:
    from transformers import AutoModelForAudioClassification

    with _no_load_report():
        model, report = load_weights(AutoModelForAudioClassification, identity)
    # transformers fills what a checkpoint lacks with random numbers and only logs it.
    if lacking := sorted(name for name in report["missing_keys"] if not name.endswith(NEVER_USED)):
        raise InputError(
            f"{identity.name}: its weights lack {len(lacking)} that a classifier needs: {first_five(lacking)}; it is "
            "no audio classifier, or not whole"
        )
    return model


@contextmanager
def _no_load_report() -> Iterator[None]:
    """Within, transformers prints no table of missing and unknown weights, which the error names."""
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging  # untyped in transformers
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
