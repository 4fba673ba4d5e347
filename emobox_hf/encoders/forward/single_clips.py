"""Any other model that AutoModel loads: one clip at a time through its own extractor, every output frame valid."""

from typing import Any

import numpy as np
import torch

from emobox_hf.encoders.forward.backbone import Backbone, Encoded, Waveform, choose_layer
from emobox_hf.encoders.forward.linear import Target
from emobox_hf.encoders.forward.pooling import pool
from emobox_hf.encoders.forward.windows import SAMPLE_RATE_HZ
from emobox_hf.encoders.known.identity import EncoderIdentity
from emobox_hf.errors import InputError

# One analysis window of 25 ms, which is what the feature extractors of such models need at the least.
_MIN_SAMPLES = 400

_BATCH_S = 60.0


def build_other_backbone(
    model: Any, extractor: Any, *, layer: int | str, target: Target, identity: EncoderIdentity
) -> Backbone:
    """The backbone of a model nothing is known of: its numbers are measured on one and two seconds of a tone.

    Frame counts are extrapolated from the two, so they are estimates. In half precision it runs under autocast with
    weights in float32. A model that gives no hidden states has one layer, its output.

    Raises:
        InputError: the model cannot take sound alone, or does not give `last_hidden_state` as (batch, time, dim).
    """
    model.to(target.device)

    def call(window: Waveform) -> tuple[Any, list[torch.Tensor]]:
        """The output for a window, and its hidden states from 0 on, (time, dim) each; the last is the output itself."""
        inputs = extractor(window, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt").to(target.device)
        with torch.autocast(target.device.type, dtype=target.dtype, enabled=target.dtype != torch.float32):
            output = model(**inputs, output_hidden_states=True)
        last = getattr(output, "last_hidden_state", None)
        states = list(getattr(output, "hidden_states", None) or [last])
        return last, [*states[:-1], last]

    tone = np.sin(0.1 * np.arange(2 * SAMPLE_RATE_HZ, dtype=np.float32))
    try:
        with torch.inference_mode():
            (one, states), (two, _) = (call(tone[: n * SAMPLE_RATE_HZ]) for n in (1, 2))
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"{identity.name} ({identity.model_type}) could not encode a second of sound ({reason}); "
            "choose a speech encoder"
        ) from error
    if not isinstance(one, torch.Tensor) or one.ndim != 3:
        raise InputError(
            f"{identity.name} ({identity.model_type}) gives no last_hidden_state of shape (batch, time, dim), so there "
            "are no frames to probe; choose an encoder"
        )
    n_layers = len(states) - 1
    chosen = choose_layer(layer, n_layers, identity)
    frames_a_second: int = two.shape[1] - one.shape[1]

    def count(n_samples: int) -> int:
        return max(1, round(one.shape[1] + frames_a_second * (n_samples / SAMPLE_RATE_HZ - 1)))

    def encode(window: Waveform) -> Encoded:
        states = [state[0].float() for state in call(window)[1][: chosen + 1]]  # (time, dim) each
        pooled = [pool(state, ((1, len(state)),))[0] for state in states]
        return Encoded(states[-1].clone(), torch.stack(pooled))

    return Backbone(
        device=target.device,
        dim=one.shape[2],
        n_layers=n_layers,
        layer=chosen,
        frame_rate_hz=float(frames_a_second),
        min_samples=_MIN_SAMPLES,
        count=count,
        run=lambda windows: [encode(window) for window in windows],
        batch_s=_BATCH_S,
        counts_are_exact=False,
    )
