"""The blocks of transformers' and our own models, as `Stack`s: only here are the names of their parts known.

A new family needs nothing here to be probed clip by clip (`single_clips`). To run it in batches: if its modules are
those of wav2vec 2.0, add its `model_type` to `WAVEFORM_TYPES` in `waveform`, else give it a `build_…_stack` here too.
The tests hold every type of that set to "alone equals batch" and to transformers' own frames.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import gelu

from emobox_hf.encoders.forward.attention import Gate, SelfAttention
from emobox_hf.encoders.forward.blocks import Block, Stack
from emobox_hf.encoders.forward.linear import Target, chain
from emobox_hf.encoders.forward.windows import WINDOW_SAMPLES
from emobox_hf.encoders.native.layers import alibi_bias


def build_wav2vec2_stack(model: Any, target: Target, n_blocks: int) -> Stack:
    """The first blocks of wav2vec 2.0, HuBERT, WavLM, data2vec, UniSpeech and UniSpeech-SAT."""
    encoder, norm_first = model.encoder, bool(getattr(model.config, "do_stable_layer_norm", False))
    blocks = tuple(_build_wav2vec2_block(block, target, norm_first=norm_first) for block in encoder.layers[:n_blocks])
    end = target.norm(encoder.layer_norm) if norm_first and n_blocks == len(encoder.layers) else None
    attention = encoder.layers[0].attention
    return Stack(blocks, end, _build_position_bias(model, target) if hasattr(attention, "rel_attn_embed") else None)


def _build_position_bias(model: Any, target: Target) -> Callable[[int], torch.Tensor]:
    """WavLM's: it depends on the distance alone."""
    attention = model.encoder.layers[0].attention
    longest = WINDOW_SAMPLES // math.prod(model.config.conv_stride) + 2  # frames of a window and a rest
    buckets = attention._relative_positions_bucket(torch.arange(1 - longest, longest))
    of_distance = target.for_products(attention.rel_attn_embed.weight[buckets].t())  # (heads, distances)

    def position_bias(time: int) -> torch.Tensor:
        # Row i of (heads, time, time) are the distances -i to time - i - 1.
        return of_distance[:, longest - time : longest + time - 1].unfold(1, time, 1).flip(1)

    return position_bias


def _build_wav2vec2_block(block: Any, target: Target, *, norm_first: bool) -> Block:
    attention, feed_forward = block.attention, block.feed_forward
    adapter = getattr(block, "adapter_layer", None)
    return Block(
        order="before" if norm_first else "after",
        attention=SelfAttention(
            attention.num_heads,
            target.linear(attention.q_proj, scale=float(attention.head_dim) ** -0.5),
            target.linear(attention.k_proj, attention.v_proj),
            target.linear(attention.out_proj),
            _build_gate(attention, target) if hasattr(attention, "gru_rel_pos_linear") else None,
        ),
        attention_norm=target.norm(block.layer_norm),
        feed_forward=chain(
            target.linear(feed_forward.intermediate_dense, activation=feed_forward.intermediate_act_fn),
            target.linear(feed_forward.output_dense),
        ),
        final_norm=target.norm(block.final_layer_norm),
        adapter=None if adapter is None else adapter.to(target.device),
    )


def _build_gate(attention: Any, target: Target) -> Gate:
    # Its eight outputs are summed four by four, which can be done to the weights.
    linear = attention.gru_rel_pos_linear
    return Gate(
        target.in_float32(linear.weight.detach().view(2, 4, -1).sum(1).t()),
        target.in_float32(linear.bias.detach().view(2, 4).sum(1)),
        target.in_float32(attention.gru_rel_pos_const.detach().flatten()),
    )


def build_data2vec2_stack(model: Any, target: Target, n_blocks: int) -> Stack:
    """The first blocks of our data2vec 2.0 and emotion2vec."""
    encoder = model.encoder
    blocks = tuple(_build_data2vec2_block(block, target) for block in encoder.layers[:n_blocks])
    is_end = encoder.layer_norm_first and n_blocks == len(encoder.layers)
    n_tokens = 0 if encoder.extra_tokens is None else len(encoder.extra_tokens)
    slopes = target.in_float32(encoder.slopes())

    def position_bias(time: int) -> torch.Tensor:
        return alibi_bias(slopes, time - n_tokens, n_tokens).to(target.dtype)

    return Stack(blocks, target.norm(encoder.layer_norm) if is_end else None, position_bias)


def _build_data2vec2_block(block: Any, target: Target) -> Block:
    attention, feed_forward = block.attention, block.feed_forward
    weight, bias = attention.qkv.weight.detach(), attention.qkv.bias.detach()
    dim = weight.shape[1]
    scale = float(dim // attention.n_heads) ** -0.5
    return Block(
        order="before, doubled" if block.layer_norm_first else "after",
        attention=SelfAttention(
            attention.n_heads,
            target.pack(weight[:dim] * scale, bias[:dim] * scale),
            target.pack(weight[dim:], bias[dim:]),
            target.linear(attention.out_proj),
        ),
        attention_norm=target.norm(block.attention_layer_norm),
        feed_forward=chain(target.linear(feed_forward.fc1, activation=gelu), target.linear(feed_forward.fc2)),
        final_norm=target.norm(block.final_layer_norm),
    )


def build_whisper_stack(encoder: Any, target: Target, n_blocks: int) -> Stack:
    """The first blocks of a `WhisperEncoder`."""
    blocks = tuple(_build_whisper_block(block, target) for block in encoder.layers[:n_blocks])
    return Stack(blocks, target.norm(encoder.layer_norm) if n_blocks == len(encoder.layers) else None)


def _build_whisper_block(block: Any, target: Target) -> Block:
    attention = block.self_attn
    return Block(
        order="before",
        attention=SelfAttention(
            attention.num_heads,
            target.linear(attention.q_proj, scale=attention.scaling),
            target.linear(attention.k_proj, attention.v_proj),
            target.linear(attention.out_proj),
        ),
        attention_norm=target.norm(block.self_attn_layer_norm),
        feed_forward=chain(target.linear(block.fc1, activation=block.activation_fn), target.linear(block.fc2)),
        final_norm=target.norm(block.final_layer_norm),
    )
