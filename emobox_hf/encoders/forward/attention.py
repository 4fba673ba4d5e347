"""Self-attention within rows that stand one behind another."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import repeat

import torch
from torch.nn.functional import scaled_dot_product_attention

from emobox_hf.encoders.forward.kernels import VARLEN
from emobox_hf.encoders.forward.layout import AttentionRows, PackedRows, Way, join, views
from emobox_hf.encoders.forward.linear import Linear, Target

# Frames of a row -> what is added to its scores, in the dtype of the products: (1 or rows, heads, frames, frames).
Biases = Mapping[int, torch.Tensor]

# A GPU's kernel takes a bias as it lies if its rows begin at multiples of so many values, and copies it otherwise.
_ALIGNED = 8

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
    constant: torch.Tensor  # (heads,)

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """Factors float32 (frames, heads) of frames (frames, dim)."""
        heads = frames.float().view(len(frames), len(self.constant), -1)  # (frames, heads, width)
        reset, update = torch.sigmoid(heads @ self.weight + self.bias).unbind(-1)
        return reset * (update * self.constant - 1) + 2


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
        key_value, packed, padded = self.key_value(values), rows.packed, rows.padded
        if packed is not None:
            return self.out(attend_packed(query, key_value, self.n_heads, packed))
        factors = None if self.gate is None else self.gate(query_frames).to(query.dtype)  # (frames, heads)
        if padded is not None:
            of_rows = None if factors is None else factors[padded.queries]
            output = self._attend(query[padded.queries], key_value[padded.keys], of_rows, biases, padded.is_key)
            return self.out(output.index_select(0, padded.back))
        gates = repeat(None) if factors is None else views(factors, rows.queries)
        parts = zip(views(query, rows.queries), views(key_value, rows.keys), gates, strict=False)
        return self.out(join([self._attend(*part, biases, None) for part in parts]))

    def _attend(
        self,
        query: torch.Tensor,
        key_value: torch.Tensor,
        factors: torch.Tensor | None,
        biases: Biases,
        is_key: torch.Tensor | None,
    ) -> torch.Tensor:
        """For rows of one length, (rows, time, width) each: (rows * queries, dim)."""
        rows, time, dim = query.shape
        width = dim // self.n_heads
        query = query.view(rows, time, self.n_heads, width).transpose(1, 2)
        key, value = key_value.view(rows, -1, 2, self.n_heads, width).permute(2, 0, 3, 1, 4)
        bias = biases.get(key.shape[2])
        mask = is_key if bias is None else _fit(bias[:, :, :time], factors, is_key)
        # (rows, heads, time, width) each
        return attend(query, key, value, mask).transpose(1, 2).reshape(rows * time, dim)


def _fit(bias: torch.Tensor, factors: torch.Tensor | None, is_key: torch.Tensor | None) -> torch.Tensor:
    """What is added to scores, (1 or rows, heads, queries, keys): the gated bias, minus infinity where no key is.

    It is large, so it is written once, in the dtype of the products.
    """
    padding = None if is_key is None else torch.zeros_like(is_key, dtype=bias.dtype).masked_fill_(~is_key, -math.inf)
    if factors is None:
        return bias if padding is None else torch.add(bias, padding, out=_make_aligned(bias, len(padding)))
    gates = factors.transpose(1, 2)[..., None]  # (rows, heads, queries, 1)
    out = _make_aligned(bias, len(gates))
    return torch.mul(gates, bias, out=out) if padding is None else torch.addcmul(padding, gates, bias, out=out)


def _make_aligned(bias: torch.Tensor, rows: int) -> torch.Tensor:
    """Room for a bias of so many rows, (rows, heads, queries, keys), as a GPU's kernel takes it."""
    keys = bias.shape[3]
    return bias.new_empty(rows, *bias.shape[1:3], -(-keys // _ALIGNED) * _ALIGNED)[..., :keys]


def choose_way(target: Target, *, width: int, is_biased: bool) -> Way:
    """How attention takes rows of several lengths: on a CPU one by one; else as they stand, where it can, or padded.

    Args:
        target: Where it runs.
        width: Of a head.
        is_biased: Whether something is added to its scores.
    """
    if target.is_cpu:
        return "groups"
    return "packed" if not is_biased and _takes_packed(target, width) else "grid"


def _takes_packed(target: Target, width: int) -> bool:
    """Whether torch's attention of variable length takes such heads: flash attention, on GPUs from Ampere on."""
    if target.device.type != "cuda" or torch.version.hip is not None or VARLEN is None:
        return False
    is_half = target.dtype in (torch.float16, torch.bfloat16)
    return is_half and width % 8 == 0 and width <= 256 and torch.cuda.get_device_capability(target.device) >= (8, 0)


def attend_packed(query: torch.Tensor, key_value: torch.Tensor, n_heads: int, rows: PackedRows) -> torch.Tensor:
    """Attention within rows as they stand: queries (frames, dim), keys and values (frames, 2 * dim) -> as the queries.

    No factor on the scores, as in `attend`.
    """
    dim = query.shape[1]
    key, value = key_value.view(-1, 2, n_heads, dim // n_heads).unbind(1)  # (frames, heads, width) each
    output: torch.Tensor = VARLEN(
        query.view(-1, n_heads, dim // n_heads),
        key,
        value,
        rows.queries,
        rows.keys,
        rows.most_queries,
        rows.most_keys,
        scale=1.0,
    )
    return output.flatten(1)


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
