"""Any other model that AutoModel loads: one clip at a time through its own extractor, every output frame valid."""

from typing import Any

import numpy as np
import torch

from emobox_hf.encoders.backbone import Backbone, Waveform, choose_layer
from emobox_hf.encoders.identity import EncoderIdentity
from emobox_hf.encoders.windows import SAMPLE_RATE_HZ
from emobox_hf.errors import InputError

# One analysis window of 25 ms, which is what the feature extractors of such models need at the least.
_MIN_SAMPLES = 400


def build_other_backbone(model: Any, extractor: Any, *, layer: int | str, identity: EncoderIdentity) -> Backbone:
    """The backbone of a model nothing is known of: its numbers are measured on one and two seconds of a tone.

    Frame counts are extrapolated from the two, so they are estimates.

    Raises:
        InputError: the model cannot take sound alone, or does not give `last_hidden_state` as (batch, time, dim).
    """

    def call(window: Waveform, *, hidden_states: bool) -> Any:
        inputs = extractor(window, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt").to(model.device, model.dtype)
        return model(**inputs, output_hidden_states=hidden_states)

    tone = np.sin(0.1 * np.arange(2 * SAMPLE_RATE_HZ, dtype=np.float32))
    try:
        with torch.inference_mode():
            one, two = (call(tone[: n * SAMPLE_RATE_HZ], hidden_states=True) for n in (1, 2))
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"{identity.name} ({identity.model_type}) could not encode a second of sound ({reason}); "
            "choose a speech encoder"
        ) from error
    frames = getattr(one, "last_hidden_state", None)
    if not isinstance(frames, torch.Tensor) or frames.ndim != 3:
        raise InputError(
            f"{identity.name} ({identity.model_type}) gives no last_hidden_state of shape (batch, time, dim), so there "
            "are no frames to probe; choose an encoder"
        )
    n_layers = len(getattr(one, "hidden_states", None) or [None]) - 1
    chosen = n_layers if layer == "last" else choose_layer(layer, n_layers, identity)
    frames_a_second: int = two.last_hidden_state.shape[1] - frames.shape[1]

    def count(n_samples: int) -> int:
        return max(1, round(frames.shape[1] + frames_a_second * (n_samples / SAMPLE_RATE_HZ - 1)))

    def run(windows: list[Waveform]) -> list[torch.Tensor]:
        outputs = (call(window, hidden_states=chosen < n_layers) for window in windows)
        return [(out.hidden_states[chosen] if chosen < n_layers else out.last_hidden_state)[0] for out in outputs]

    return Backbone(
        dim=frames.shape[2],
        n_layers=n_layers,
        layer=chosen,
        frame_rate_hz=float(frames_a_second),
        min_samples=_MIN_SAMPLES,
        count=count,
        run=run,
        counts_are_exact=False,
    )
