"""Whisper's encoder: log-mel frames of 30 s, whatever the clip's length, and the clip's share of the output."""

from typing import Any

import torch
from torch.nn.functional import gelu

from emobox_hf.encoders.backbone import Backbone, Waveform, choose_layer, tap_layer
from emobox_hf.encoders.identity import EncoderIdentity
from emobox_hf.encoders.windows import SAMPLE_RATE_HZ


def build_whisper_backbone(
    encoder: Any, extractor: Any, *, layer: int | str, context: str, identity: EncoderIdentity
) -> Backbone:
    """The backbone of a `WhisperEncoder`.

    `context="full"` encodes the clip padded to 30 s and keeps the first `samples // 320` frames, EmoBox's rule: a frame
    then attends to the silence behind the clip, as Whisper was trained. `context="clip"` encodes the clip alone, padded
    to a whole frame: much less work, and other frames.
    """
    config = encoder.config
    device, dtype = encoder.device, encoder.dtype
    chosen = choose_layer(layer, config.encoder_layers, identity)
    state = tap_layer(encoder, chosen)
    hop: int = extractor.hop_length * encoder.conv1.stride[0] * encoder.conv2.stride[0]  # 320 samples

    def count(n_samples: int) -> int:
        return min(n_samples // hop, int(config.max_source_positions))

    def mel(windows: list[Waveform], *, padding: str = "max_length") -> torch.Tensor:
        """Log-mel frames, (batch, mel bins, mel frames)."""
        # The extractor computes with torch too; under the caller's autocast its spectra would lose their precision.
        with torch.autocast(device.type, enabled=False):
            inputs = extractor(
                windows,
                sampling_rate=SAMPLE_RATE_HZ,
                padding=padding,
                pad_to_multiple_of=hop,
                return_tensors="pt",
                device=str(device),
            )
        features: torch.Tensor = inputs["input_features"].to(device, dtype)
        return features

    def run_full(windows: list[Waveform]) -> list[torch.Tensor]:
        hidden = state(encoder(mel(windows)).last_hidden_state)  # (batch, 1500, dim)
        return [row[: count(len(window))] for row, window in zip(hidden, windows, strict=True)]

    def run_clip(windows: list[Waveform]) -> list[torch.Tensor]:
        # One at a time: Whisper's attention takes no mask, so rows of a batch would see each other's padding.
        hidden = [state(_encode_clip(encoder, mel([window], padding="longest"))) for window in windows]
        return [rows[0, : count(len(window))] for rows, window in zip(hidden, windows, strict=True)]

    return Backbone(
        dim=config.d_model,
        n_layers=config.encoder_layers,
        layer=chosen,
        frame_rate_hz=SAMPLE_RATE_HZ / hop,
        min_samples=hop,
        count=count,
        run=run_full if context == "full" else run_clip,
        batch_s=240.0,
        pads_windows=context == "full",
        window_samples=hop * config.max_source_positions,
    )


def _encode_clip(encoder: Any, mel: torch.Tensor) -> torch.Tensor:
    """`WhisperEncoder.forward` for fewer than 30 s, which it refuses: (1, mel bins, 2 time) -> (1, time, dim)."""
    hidden = gelu(encoder.conv2(gelu(encoder.conv1(mel)))).permute(0, 2, 1)
    hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    for block in encoder.layers:
        output = block(hidden, None)
        hidden = output[0] if isinstance(output, tuple) else output
    normed: torch.Tensor = encoder.layer_norm(hidden)
    return normed
