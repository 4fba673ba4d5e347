"""The attention blocks of every encoder here, and the pass through them that pools each hidden state as it is made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from emobox_hf.encoders.forward.attention import Biases, SelfAttention
from emobox_hf.encoders.forward.layout import Layout
from emobox_hf.encoders.forward.linear import Function, Norm
from emobox_hf.encoders.forward.pooling import pool

# Norms behind the two halves of a block; before them; before them, and the second half added to itself (data2vec 2.0).
Order = Literal["after", "before", "before, doubled"]


@dataclass(frozen=True)
class Block:
    """Attention, then feed-forward: float32 (frames, dim) -> the same."""

    order: Order
    attention: SelfAttention
    attention_norm: Norm
    feed_forward: Function
    final_norm: Norm
    adapter: Function | None = None

    def __call__(self, hidden: torch.Tensor, layout: Layout, biases: Biases, *, is_last: bool) -> torch.Tensor:
        """Frames after the block; the last block of a pass gives the valid ones alone. Biases as in `SelfAttention`."""
        rows, keep = (layout.valid, layout.keep) if is_last else (layout.whole, _all)
        if self.order == "after":
            kept = keep(hidden)
            hidden = self.attention_norm(kept + self.attention(kept, hidden, rows, biases))
            return self.final_norm(hidden + self.feed_forward(hidden))
        normed = self.attention_norm(hidden)
        hidden = keep(hidden) + self.attention(keep(normed), normed, rows, biases)
        fed = self.feed_forward(self.final_norm(hidden))
        if self.order == "before, doubled":
            return 2 * fed.float()
        hidden = hidden + fed
        return hidden if self.adapter is None else hidden + self.adapter(hidden)


def _all(hidden: torch.Tensor) -> torch.Tensor:
    return hidden


@dataclass(frozen=True)
class Stack:
    """The blocks up to the hidden state that is wanted, and what a model's last one passes behind them.

    Attributes:
        blocks: As many as the number of the hidden state.
        end: The norm behind the model's last block; None if there is none, or that block is not among these.
        position_bias: Time -> what is added to the scores, (heads, time, time) in their dtype; None if nothing is.
    """

    blocks: tuple[Block, ...]
    end: Norm | None
    position_bias: Callable[[int], torch.Tensor] | None = None

    def run(self, hidden: torch.Tensor, layout: Layout) -> tuple[torch.Tensor, torch.Tensor]:
        """Valid frames of the last hidden state, float32 (valid frames, dim), and what `pool` gives of each.

        The hidden states are those of transformers: state 0 is what goes into the first block, state k what block k
        gives, but the model's last one stands behind its final norm. The second is float32 (rows, layers, 2, dim).
        """
        biases, lengths = self._biases(layout), layout.lengths
        kept = layout.keep(hidden)
        pooled = [pool(kept, layout.kept, lengths)]
        for block in self.blocks[:-1]:
            hidden = block(hidden, layout, biases, is_last=False)
            pooled.append(pool(layout.keep(hidden), layout.kept, lengths))
        if self.blocks:
            kept = self.blocks[-1](hidden, layout, biases, is_last=True)
            kept = kept if self.end is None else self.end(kept)
            pooled.append(pool(kept, layout.kept, lengths))
        return kept, torch.stack(pooled, dim=1)

    def _biases(self, layout: Layout) -> Biases:
        if self.position_bias is None:
            return {}
        # Where all rows are padded to the longest, attention asks for no other.
        groups = layout.groups if layout.whole.padded is None else layout.groups[:1]
        return {time: self.position_bias(time)[None] for _, time in groups}
