"""In place of what torch has on a GPU alone: attention within rows that stand one behind another."""

import torch
from torch.nn.functional import scaled_dot_product_attention


def varlen_attn(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cu_seq_q: torch.Tensor,
    cu_seq_k: torch.Tensor,
    max_q: int,
    max_k: int,
    *,
    scale: float,
) -> torch.Tensor:
    """What `torch.nn.attention.varlen.varlen_attn` is to give, row by row; it is as strict on what it is given."""
    assert query.dtype in (torch.float16, torch.bfloat16, torch.float32)
    assert query.dtype == key.dtype == value.dtype
    assert cu_seq_q.dtype == cu_seq_k.dtype == torch.int32
    assert query.stride(-1) == key.stride(-1) == value.stride(-1) == 1
    n_queries, n_keys = cu_seq_q.diff().tolist(), cu_seq_k.diff().tolist()
    assert (int(cu_seq_q[0]), int(cu_seq_q[-1]), max(n_queries)) == (0, len(query), max_q)
    assert (int(cu_seq_k[0]), int(cu_seq_k[-1]), max(n_keys)) == (0, len(key), max_k)
    rows = zip(query.split(n_queries), key.split(n_keys), value.split(n_keys), strict=True)
    # (heads, time, width) each
    parts = [scaled_dot_product_attention(*(part.transpose(0, 1) for part in row), scale=scale) for row in rows]
    return torch.cat([part.transpose(0, 1) for part in parts])
