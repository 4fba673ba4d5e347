"""Whisper's encoder: log-mel frames of 30 s, whatever the clip's length, and the clip's share of the output."""

from itertools import groupby
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from emobox_hf.encoders.forward.attention import choose_way
from emobox_hf.encoders.forward.backbone import Backbone, Encoded, Waveform, choose_layer, unpack
from emobox_hf.encoders.forward.convolutions import flatten_kernel, multiply_windows
from emobox_hf.encoders.forward.layout import join, lay_out
from emobox_hf.encoders.forward.linear import Linear, Target
from emobox_hf.encoders.forward.mel import build_log_mel
from emobox_hf.encoders.forward.stacks import build_whisper_stack
from emobox_hf.encoders.forward.waveform import batch_s_on
from emobox_hf.encoders.known.identity import EncoderIdentity
from emobox_hf.sampling import SAMPLE_RATE_HZ

# Seconds in a batch: one window fills a CPU, sixteen a GPU, where they take 3 GB of the largest model.
BATCH_S = {"cpu": 30.0, "cuda": 480.0}


def build_whisper_backbone(
    encoder: Any, extractor: Any, *, layer: int | str, context: str, target: Target, identity: EncoderIdentity
) -> Backbone:
    """The backbone of a `WhisperEncoder`; nothing of the model itself is kept.

    `context="full"` encodes the clip padded to 30 s and keeps the first `samples // 320` frames, EmoBox's rule: a frame
    then attends to the silence behind the clip, as Whisper was trained. `context="clip"` encodes the clip alone, padded
    to a whole frame: much less work, and other frames.
    """
    config = encoder.config
    chosen = choose_layer(layer, config.encoder_layers, identity)
    log_mel = build_log_mel(extractor, target.device, identity)
    convolutions = [_build_convolution(conv, target) for conv in (encoder.conv1, encoder.conv2)]
    positions = target.in_float32(encoder.embed_positions.weight)  # (1500, dim)
    stack = build_whisper_stack(encoder, target, chosen)
    way = choose_way(target, width=config.d_model // config.encoder_attention_heads, is_biased=False)
    hop: int = extractor.hop_length * encoder.conv1.stride[0] * encoder.conv2.stride[0]  # 320 samples
    n_positions = int(config.max_source_positions)

    def count(n_samples: int) -> int:
        return min(n_samples // hop, n_positions)

    def embed(windows: list[Waveform], n_tokens: int) -> torch.Tensor:
        """Input of the first block for windows padded to so many frames: float32 (rows * frames, dim)."""
        values = log_mel([torch.from_numpy(window) for window in windows], n_tokens * hop).to(target.dtype)
        for linear, stride in convolutions:
            padded = F.pad(values, (0, 0, 1, 1))
            values = multiply_windows(padded, 3, stride, linear)  # (rows, time, dim)
        hidden: torch.Tensor = values.float() + positions[:n_tokens]
        return hidden.flatten(0, 1)

    def run_full(windows: list[Waveform]) -> list[Encoded]:
        n_frames = [count(len(window)) for window in windows]
        layout = lay_out(n_frames, target.device, widths=[n_positions] * len(windows), way=way)
        frames, pooled = stack.run(embed([windows[i] for i in layout.order], n_positions), layout)
        return unpack(frames, pooled, layout, n_frames)

    def run_clip(windows: list[Waveform]) -> list[Encoded]:
        n_frames = [count(len(window)) for window in windows]
        # Padded to a whole frame, which is the first to be cut off again.
        n_tokens = [min(-(-len(window) // hop), n_positions) for window in windows]
        layout = lay_out(n_frames, target.device, widths=n_tokens, way=way)
        same = groupby(layout.order, key=lambda i: n_tokens[i])
        hidden = join([embed([windows[i] for i in clips], n) for n, clips in same])
        frames, pooled = stack.run(hidden, layout)
        return unpack(frames, pooled, layout, n_frames)

    return Backbone(
        device=target.device,
        dim=config.d_model,
        n_layers=config.encoder_layers,
        layer=chosen,
        frame_rate_hz=SAMPLE_RATE_HZ / hop,
        min_samples=hop,
        count=count,
        run=run_full if context == "full" else run_clip,
        batch_s=batch_s_on(target.device, BATCH_S),
        pads_windows=context == "full",
        window_samples=hop * n_positions,
    )


def _build_convolution(conv: Any, target: Target) -> tuple[Linear, int]:
    return flatten_kernel(conv, target, F.gelu), conv.stride[0]
