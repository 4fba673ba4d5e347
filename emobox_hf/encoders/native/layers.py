"""The parts of `Data2Vec2Model`, in the order in which sound passes through them.

Padding is zeroed before each positional convolution, as beyond the end of a clip that is alone, and no frame attends to
it; every norm is over one frame. So a clip gives the same frames alone and in a padded batch.

emotion2vec's extra tokens stand behind the frames here and in front of them in the original. Attention cannot tell the
difference, for ALiBi's bias between a token and anything is zero; so frame i is in place i of every block's output.
"""

import math

import torch
from torch import nn
from torch.nn.functional import gelu, pad, scaled_dot_product_attention

from emobox_hf.encoders.native.config import Data2Vec2Config

_EPS = 1e-5  # of the norms outside the blocks, which no setting changes in the original


class ConvLayer(nn.Module):
    """Convolution, layer norm over the channels, GELU: (batch, channels, time) -> the same, shorter."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_in, n_out, kernel, stride, bias=False)
        self.layer_norm = nn.LayerNorm(n_out, eps=_EPS)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(batch, channels, time) -> (batch, channels, shorter time)."""
        return gelu(self.layer_norm(self.conv(hidden).transpose(1, 2)).transpose(1, 2))


class FeatureExtractor(nn.Module):
    """Waveforms (batch, samples) -> (batch, channels, time), 50 a second."""

    def __init__(self, config: Data2Vec2Config) -> None:
        super().__init__()
        n_in = [1, *config.conv_dim[:-1]]
        shapes = zip(n_in, config.conv_dim, config.conv_kernel, config.conv_stride, strict=True)
        self.conv_layers = nn.ModuleList(ConvLayer(*shape) for shape in shapes)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Waveforms (batch, samples) -> (batch, channels, time)."""
        hidden = waveforms[:, None]
        for layer in self.conv_layers:
            hidden = layer(hidden)
        return hidden


class FeatureProjection(nn.Module):
    """Frames of the convolutions' width -> frames of the model's: (batch, time, dim)."""

    def __init__(self, config: Data2Vec2Config) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(config.conv_dim[-1], eps=_EPS)
        self.projection = nn.Linear(config.conv_dim[-1], config.hidden_size)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(batch, time, channels) -> (batch, time, dim)."""
        projected: torch.Tensor = self.projection(self.layer_norm(hidden))
        return projected


class PositionLayer(nn.Module):
    """One positional convolution, (batch, dim, time) -> the same shape."""

    def __init__(self, config: Data2Vec2Config) -> None:
        super().__init__()
        dim, kernel = config.hidden_size, config.conv_pos_kernel_size
        self.conv = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=config.num_conv_pos_embedding_groups)
        self.layer_norm = nn.LayerNorm(dim, eps=_EPS, elementwise_affine=False)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(batch, dim, time) -> the same shape."""
        n_frames = hidden.shape[2]  # an even kernel gives one too many
        return gelu(self.layer_norm(self.conv(hidden)[..., :n_frames].transpose(1, 2)).transpose(1, 2))


class PositionalConvolutions(nn.Module):
    """What is added to frames (batch, time, dim) so that they know what stands around them: the same shape."""

    def __init__(self, config: Data2Vec2Config) -> None:
        super().__init__()
        self.layers = nn.ModuleList(PositionLayer(config) for _ in range(config.num_conv_pos_embeddings))

    def forward(self, hidden: torch.Tensor, is_frame: torch.Tensor | None) -> torch.Tensor:
        """Positional embeddings (batch, time, dim); `is_frame` is bool (batch, time), None where no row is padded."""
        hidden = hidden.transpose(1, 2)
        for layer in self.layers:
            if is_frame is not None:
                hidden = hidden.masked_fill(~is_frame[:, None], 0)
            hidden = layer(hidden)
        return hidden.transpose(1, 2)


class Attention(nn.Module):
    """Self-attention with a bias on its scores, (batch, time, dim) -> the same shape."""

    def __init__(self, config: Data2Vec2Config) -> None:
        super().__init__()
        self.n_heads = config.num_attention_heads
        self.dropout = config.attention_dropout
        self.qkv = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.out_proj = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """(batch, time, dim) -> the same shape; the bias is (1 or batch, heads, time, time)."""
        batch, time, dim = hidden.shape
        qkv = self.qkv(hidden).view(batch, time, 3, self.n_heads, dim // self.n_heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (batch, heads, time, width of a head) each
        dropout = self.dropout if self.training else 0.0
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout)
        projected: torch.Tensor = self.out_proj(mixed.transpose(1, 2).reshape(batch, time, dim))
        return projected


class FeedForward(nn.Module):
    """Two linear layers around a GELU, (batch, time, dim) -> the same shape."""

    def __init__(self, config: Data2Vec2Config) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(batch, time, dim) -> the same shape."""
        result: torch.Tensor = self.fc2(gelu(self.fc1(hidden)))
        return result


class Data2Vec2Block(nn.Module):
    """Attention, then feed-forward: (batch, time, dim) -> the same shape."""

    def __init__(self, config: Data2Vec2Config) -> None:
        super().__init__()
        self.layer_norm_first = config.layer_norm_first
        self.attention = Attention(config)
        self.attention_layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.feed_forward = FeedForward(config)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout)

    def forward(self, hidden: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """(batch, time, dim) -> the same shape; the bias is that of `Attention`."""
        if self.layer_norm_first:
            hidden = hidden + self.dropout(self.attention(self.attention_layer_norm(hidden), bias))
            # The original adds the feed-forward's output to itself, not to its input.
            fed = self.feed_forward(self.final_layer_norm(hidden))
            doubled: torch.Tensor = fed + self.dropout(fed)
            return doubled
        hidden = self.attention_layer_norm(hidden + self.dropout(self.attention(hidden, bias)))
        normed: torch.Tensor = self.final_layer_norm(hidden + self.dropout(self.feed_forward(hidden)))
        return normed


class Data2Vec2Encoder(nn.Module):
    """Frames (batch, time, dim) -> frames of the same shape that have attended to each other."""

    def __init__(self, config: Data2Vec2Config) -> None:
        super().__init__()
        self.layer_norm_first = config.layer_norm_first
        self.pos_conv_embed = PositionalConvolutions(config)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout)
        self.alibi_scale = nn.Parameter(torch.ones(config.num_attention_heads))
        if config.num_extra_tokens:
            self.extra_tokens = nn.Parameter(torch.randn(config.num_extra_tokens, config.hidden_size))
        else:
            self.register_parameter("extra_tokens", None)
        self.layers = nn.ModuleList(Data2Vec2Block(config) for _ in range(config.num_hidden_layers))

    def forward(
        self, hidden: torch.Tensor, is_frame: torch.Tensor | None, *, all_states: bool = False
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...] | None]:
        """The last frames, and with `all_states` the input of the first block and what each block gives."""
        n_frames = hidden.shape[1]
        hidden = hidden + self.pos_conv_embed(hidden, is_frame)
        if self.extra_tokens is not None:
            hidden = torch.cat([hidden, self.extra_tokens.to(hidden.dtype).expand(len(hidden), -1, -1)], dim=1)
        if not self.layer_norm_first:
            hidden = self.layer_norm(hidden)
        hidden = self.dropout(hidden)
        bias = self._bias(hidden, n_frames, is_frame)
        states = [hidden]
        for layer in self.layers:
            hidden = layer(hidden, bias)
            states = [*states, hidden] if all_states else states
        if self.layer_norm_first:
            hidden = states[-1] = self.layer_norm(hidden)
        return hidden[:, :n_frames], tuple(state[:, :n_frames] for state in states) if all_states else None

    def slopes(self) -> torch.Tensor:
        """ALiBi's slope of each head as learned, float32 (heads,)."""
        slopes = torch.tensor(_alibi_slopes(len(self.alibi_scale)), device=self.alibi_scale.device)
        return slopes * self.alibi_scale.float().clamp_min(0)

    def _bias(self, hidden: torch.Tensor, n_frames: int, is_frame: torch.Tensor | None) -> torch.Tensor:
        """ALiBi's bias, and minus infinity on what is padding: (1 or batch, heads, time, time)."""
        device, n_tokens = hidden.device, hidden.shape[1] - n_frames
        bias = alibi_bias(self.slopes(), n_frames, n_tokens)[None]  # (1, heads, time, time)
        if is_frame is not None:
            is_key = pad(is_frame, (0, n_tokens), value=True)
            bias = bias.masked_fill(~is_key[:, None, None], -math.inf)  # (batch, heads, time, time)
        # Attention wants the type of its scores, which under autocast is not that of the frames.
        is_autocast = torch.is_autocast_enabled(device.type)
        return bias.to(torch.get_autocast_dtype(device.type) if is_autocast else hidden.dtype)


def alibi_bias(slopes: torch.Tensor, n_frames: int, n_tokens: int) -> torch.Tensor:
    """What ALiBi adds to scores, float32 (heads, time, time): slope times distance, below zero; nothing for tokens."""
    places = torch.arange(n_frames, device=slopes.device)
    distance = (places[:, None] - places).abs().float()
    return pad(-slopes[:, None, None] * distance, (0, n_tokens, 0, n_tokens))


def _alibi_slopes(n_heads: int) -> list[float]:
    """ALiBi's slope of each head (arXiv 2108.12409): 2^(-8/n), 2^(-16/n) … for n heads, n a power of two.

    Another number takes the next lower power's slopes, then every second one of the next higher power's.

    >>> _alibi_slopes(4)
    [0.25, 0.0625, 0.015625, 0.00390625]
    >>> _alibi_slopes(6)
    [0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125]
    """
    power = 2 ** int(math.log2(n_heads))
    slopes = [2 ** (-8 * i / power) for i in range(1, power + 1)]
    if power < n_heads:
        slopes += _alibi_slopes(2 * power)[::2][: n_heads - power]
    return slopes
