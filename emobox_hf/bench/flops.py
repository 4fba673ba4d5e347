"""Floating-point operations of a forward pass, two to a multiply and add, for comparison with what a machine can do.

Counted are the convolutions, linear layers and the two products of attention for one clip, as plain transformers
computes them: not norms, activations or softmax, not padding to the longest of a batch. Ours leaves out a little more,
such as Whisper's last block on the silence behind a clip.
"""

from typing import Any

from emobox_hf.encoders.forward.convolutions import count_after, find_field
from emobox_hf.encoders.forward.windows import WINDOW_SAMPLES, cut_windows
from emobox_hf.encoders.native import MODEL_TYPE
from emobox_hf.errors import InputError

_WHISPER_HOP = 320  # samples between two frames, after convolutions of stride 1 and 2 on mel frames of 160


def count_flops(model_or_config: Any, n_samples: int, *, context: str = "full", n_blocks: int | None = None) -> int:
    """Operations for one clip, cut into windows as `Encoder` cuts it.

    Args:
        model_or_config: a model of `WAVEFORM_TYPES` or Whisper, or its configuration.
        n_samples: of the clip, 16 kHz.
        context: of Whisper, see `load_encoder`.
        n_blocks: how many blocks are run; None for all.

    Raises:
        InputError: it is a model of another kind.
        TooShortError: the clip gives no frame.
    """
    config = getattr(model_or_config, "config", model_or_config)
    if config.model_type == "whisper":
        longest = config.max_source_positions * _WHISPER_HOP
        n_blocks = config.encoder_layers if n_blocks is None else n_blocks
        windows = cut_windows(n_samples, min_samples=_WHISPER_HOP, window_samples=longest)
        return sum(_count_whisper(config, end - start, n_blocks, context=context) for start, end in windows)
    if not hasattr(config, "conv_kernel"):
        raise InputError(
            f"operations can be counted for models on waveforms and for Whisper, not for {config.model_type}"
        )
    n_blocks = config.num_hidden_layers if n_blocks is None else n_blocks
    convolutions = tuple(zip(config.conv_kernel, config.conv_stride, strict=True))
    windows = cut_windows(n_samples, min_samples=find_field(convolutions), window_samples=WINDOW_SAMPLES)
    return sum(_count_waveform(config, end - start, n_blocks) for start, end in windows)


def _count_waveform(config: Any, n_samples: int, n_blocks: int) -> int:
    convolutions = tuple(zip(config.conv_kernel, config.conv_stride, strict=True))
    total, n_in = 0, 1
    for i, n_out in enumerate(config.conv_dim):
        total += 2 * count_after(convolutions[: i + 1], n_samples) * convolutions[i][0] * n_in * n_out
        n_in = n_out
    n_frames, dim = count_after(convolutions, n_samples), config.hidden_size
    total += 2 * n_frames * n_in * dim
    if config.model_type in ("data2vec-audio", MODEL_TYPE):
        n_layers, kernel = config.num_conv_pos_embeddings, config.conv_pos_kernel_size
    else:
        n_layers, kernel = 1, config.num_conv_pos_embeddings
    n_positions = n_frames + (kernel % 2 == 0)  # an even kernel gives one more, which is dropped
    total += n_layers * 2 * n_positions * kernel * dim * dim // config.num_conv_pos_embedding_groups
    n_frames += getattr(config, "num_extra_tokens", 0)
    a_block = _count_block(n_frames, dim, config.intermediate_size)
    if config.model_type == "wavlm":
        a_block += 2 * n_frames * dim * 8  # the gate: eight outputs a head, from the width of a head
    a_block += 2 * 2 * n_frames * dim * (getattr(config, "adapter_attn_dim", None) or 0)
    return int(total + n_blocks * a_block)


def _count_whisper(config: Any, n_samples: int, n_blocks: int, *, context: str) -> int:
    n_positions: int = config.max_source_positions
    n_frames = n_positions if context == "full" else min(-(-n_samples // _WHISPER_HOP), n_positions)
    dim = config.d_model
    convolutions = 2 * 2 * n_frames * 3 * config.num_mel_bins * dim + 2 * n_frames * 3 * dim * dim
    return int(convolutions + n_blocks * _count_block(n_frames, dim, config.encoder_ffn_dim))


def _count_block(n_frames: int, dim: int, width: int) -> int:
    return 2 * n_frames * dim * (4 * dim + 2 * width) + 2 * 2 * n_frames * n_frames * dim
