"""Self-attention within rows that stand one behind another."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.nn.functional import scaled_dot_product_attention

from emobox_hf.encoders.forward.layout import AttentionRows, join, views
from emobox_hf.encoders.forward.linear import Linear

Biases = Mapping[int, torch.Tensor]  # frames of a row -> float32 (heads, frames, frames), added to its scores

# Scores that a CPU computes at once: 4 MB in half precision, which stay in its cache.
_SCORES = 1 << 21

# Where no score can be further from zero, softmax needs no maximum first: of 3,000 values of up to 10,000 the sum, each
# times the exponential of a score, stays within bfloat16, and so does the inverse.
_EXPONENT = 70.0


@dataclass(frozen=True)
class Gate:
    """WavLM's gate on the bias of a position (arXiv 2110.13900, equation 3), from the queries' frames: float32."""

    weight: torch.Tensor  # (width of a head, 2)
    bias: torch.Tensor  # (2,)
    constant: torch.Tensor  # (heads, 1)

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Factors (rows, heads, time, 1) for frames (rows, time, dim)."""
        rows, time, dim = values.shape
        heads = values.view(rows, time, len(self.constant), dim // len(self.constant))
        reset, update = torch.sigmoid(heads.float() @ self.weight + self.bias).transpose(1, 2).chunk(2, dim=-1)
        return reset * (update * self.constant[:, None] - 1) + 2


@dataclass(frozen=True)
class SelfAttention:
    """Attention of frames to the frames of their row, in the dtype of the products.

    The factor on the scores is part of the weights that give the queries.
    """

    n_heads: int
    query: Linear
    key_value: Linear
    out: Linear
    gate: Gate | None = None

    def __call__(
        self, query_frames: torch.Tensor, frames: torch.Tensor, rows: AttentionRows, biases: Biases
    ) -> torch.Tensor:
        """The output of attention for the frames of the queries: (frames, dim), as many as those.

        Args:
            query_frames: (frames, dim), of each row the first or all.
            frames: (frames, dim), all; keys and values are of them.
            rows: Which queries attend to which keys.
            biases: What is added to the scores in rows of so many frames; of the distance alone where rows are padded.
        """
        values = frames.to(self.key_value.dtype)  # cast once, where the queries are of all frames
        query = self.query(values if query_frames is frames else query_frames)
        key_value, padded = self.key_value(values), rows.padded
        if padded is not None:
            gated = query_frames if self.gate is None else query_frames[padded.queries]  # for the gate alone
            output = self._attend(gated, query[padded.queries], key_value[padded.keys], biases, padded.is_key)
            return self.out(output.index_select(0, padded.back))
        of_queries = (views(query_frames, rows.queries), views(query, rows.queries))
        parts = zip(*of_queries, views(key_value, rows.keys), strict=True)
        return self.out(join([self._attend(*part, biases, None) for part in parts]))

    def _attend(
        self,
        query_frames: torch.Tensor,
        query: torch.Tensor,
        key_value: torch.Tensor,
        biases: Biases,
        is_key: torch.Tensor | None,
    ) -> torch.Tensor:
        """For rows of one length, (rows, time, width) each: (rows * queries, dim)."""
        rows, time, dim = query.shape
        width = dim // self.n_heads
        query = query.view(rows, time, self.n_heads, width).transpose(1, 2)
        key, value = key_value.view(rows, -1, 2, self.n_heads, width).permute(2, 0, 3, 1, 4)
        bias, mask = biases.get(key.shape[2]), is_key
        if bias is not None:
            bias = bias[None, :, :time]
            bias = bias if self.gate is None else self.gate(query_frames) * bias
            mask = (bias if is_key is None else bias.masked_fill(~is_key, -math.inf)).to(query.dtype)
        # (rows, heads, time, width) each
        return attend(query, key, value, mask).transpose(1, 2).reshape(rows * time, dim)


def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Softmax of query times key times value, (rows, heads, time, width) each and given back; no factor on the scores.

    The bias is (rows or 1, heads, queries, keys); an accelerator takes bool (rows, 1, 1, keys), False in padding.
    """
    if query.device.type != "cpu" or query.dtype != torch.bfloat16:
        return scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=1.0)
    return _attend_in_parts(query, key, value, bias)


def _attend_in_parts(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """`attend` as two products a part: torch's fused kernel takes twice as long on a CPU in bfloat16.

    Scores stay where they are made: new memory for each part costs a CPU as much as the exponentials.
    """
    rows, heads, time, width = query.shape
    queries, keys, values = (part.reshape(rows * heads, -1, width) for part in (query, key, value))
    biases = None if bias is None else bias.expand(rows, -1, -1, -1).reshape(rows * heads, time, -1)
    step = min(rows * heads, max(1, _SCORES // (time * keys.shape[1])))
    space = query.new_empty(step, time, keys.shape[1])
    outputs = query.new_empty(queries.shape)
    is_bounded = biases is None and _bound(queries) * _bound(keys) < _EXPONENT
    for start in range(0, rows * heads, step):
        q, k, v, out = (part[start : start + step] for part in (queries, keys, values, outputs))
        scores = space[: len(q)]
        if biases is None:
            torch.bmm(q, k.transpose(1, 2), out=scores)
        else:
            torch.baddbmm(biases[start : start + step], q, k.transpose(1, 2), out=scores)
        if is_bounded:
            scores.exp_()
            torch.div(torch.bmm(scores, v), scores.sum(-1, keepdim=True), out=out)
        else:
            torch.softmax(scores, -1, out=scores)
            torch.bmm(scores, v, out=out)
    return outputs.view(rows, heads, time, width)


def _bound(values: torch.Tensor) -> float:
    """The length of the longest of vectors (..., width): no product of two of them is above that of their bounds."""
    return float(torch.linalg.vector_norm(values, dim=-1).amax())
