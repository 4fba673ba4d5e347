"""Rows of frames laid one behind another, (frames, dim), so that nothing is computed on padding.

Rows with equally many frames stand side by side: such a group is a view (rows, time, dim) of the whole, in which
attention needs no mask. A batch formed by length has few groups. A GPU, for which a call costs more than some padding,
takes the attention of all in one: as they stand where its kernels can, see `PackedRows`, else padded, see `PaddedRows`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Literal

import torch

Groups = tuple[tuple[int, int], ...]  # (rows, frames in each)

# How attention takes groups of rows: one by one, all as they stand, or more than a few padded to one.
Way = Literal["groups", "packed", "grid"]

# So many groups are taken one by one rather than padded.
FEW = 4


@dataclass(frozen=True)
class PackedRows:
    """Rows of attention as they stand, one behind another: what attention of variable length takes.

    Attributes:
        queries: int32 (rows + 1,): where the queries of each row begin, and the number of all.
        keys: int32 (rows + 1,): the same of its keys.
        most_queries: Those of the longest row.
        most_keys: Those of the longest row.
    """

    queries: torch.Tensor
    keys: torch.Tensor
    most_queries: int
    most_keys: int


@dataclass(frozen=True)
class PaddedRows:
    """Rows of attention padded to the longest; what stands in the padding is any frame.

    Attributes:
        queries: int64 (rows, queries): which frame of all queries stands there.
        keys: int64 (rows, keys): which frame of all keys.
        is_key: Bool (rows, 1, 1, keys): False on padding; None where there is none.
        back: int64 (frames of queries,): where each stands in the padded rows laid flat.
    """

    queries: torch.Tensor
    keys: torch.Tensor
    is_key: torch.Tensor | None
    back: torch.Tensor


@dataclass(frozen=True)
class AttentionRows:
    """Which queries attend to which keys: the first frames of each row, or all, to all frames of their row.

    Attributes:
        queries: The rows of the queries.
        keys: The rows of the keys, as many in each group.
        packed: All groups as they stand; None to take them otherwise.
        padded: All groups as one; with neither they are taken one by one.
    """

    queries: Groups
    keys: Groups
    packed: PackedRows | None = None
    padded: PaddedRows | None = None


@dataclass(frozen=True)
class Layout:
    """How the rows of a batch are laid out.

    Attributes:
        groups: Rows of what attends to each other.
        kept: Rows of the valid frames among them.
        whole: Every frame attends to every frame of its row.
        valid: The valid frames alone attend to every frame of their row.
        places: int64 (valid frames,): where the valid frames stand in the whole; None if all are valid.
        order: The clip that each row holds.
        lengths: int64 (rows,): valid frames of each row, to pool all groups at once; None to take them one by one.
    """

    groups: Groups
    kept: Groups
    whole: AttentionRows
    valid: AttentionRows
    places: torch.Tensor | None
    order: list[int]
    lengths: torch.Tensor | None = None

    def keep(self, hidden: torch.Tensor) -> torch.Tensor:
        """The valid frames of the whole: (frames, dim) -> (valid frames, dim)."""
        return hidden if self.places is None else hidden.index_select(0, self.places)


def lay_out(
    n_frames: Sequence[int], device: torch.device, *, widths: Sequence[int] | None = None, way: Way = "groups"
) -> Layout:
    """Rows sorted by length, longest first.

    Args:
        n_frames: Valid frames of each clip.
        device: Where the indices are needed.
        widths: Frames of each clip's row, the valid ones first; None if all are valid.
        way: How attention takes the rows.
    """
    widths = n_frames if widths is None else widths
    order = sorted(range(len(n_frames)), key=lambda i: (-widths[i], -n_frames[i]))
    lengths, longest = [n_frames[i] for i in order], [widths[i] for i in order]
    groups = _group(longest)
    whole = _build_rows(groups, groups, device, way)
    # torch sums all groups at once on CUDA, for which meta stands, and on a CPU, which is faster without.
    at_once = device.type in ("cuda", "meta") and len(set(lengths)) > FEW
    sent = send(torch.tensor(lengths), device) if at_once else None
    if longest == lengths:
        return Layout(groups, groups, whole, whole, None, order, sent)
    pairs = [(len(list(rows)), *pair) for pair, rows in groupby(zip(lengths, longest, strict=True))]
    kept, keys = tuple((rows, n) for rows, n, _ in pairs), tuple((rows, n) for rows, _, n in pairs)
    valid = _build_rows(kept, keys, device, way)
    return Layout(groups, kept, whole, valid, find_valid(lengths, longest, device), order, sent)


def find_valid(lengths: Sequence[int], widths: Sequence[int], device: torch.device) -> torch.Tensor:
    """Where the first frames of each row, as many as its length, stand in rows of these widths: int64 (frames,)."""
    starts = accumulate(widths, initial=0)
    places = [torch.arange(start, start + n) for start, n in zip(starts, lengths, strict=False)]
    return send(torch.cat(places), device)


def _build_rows(queries: Groups, keys: Groups, device: torch.device, way: Way) -> AttentionRows:
    n_queries, n_keys = _lengths_of(queries), _lengths_of(keys)
    if way == "packed" and len(keys) > 1:
        packed = PackedRows(_find_starts(n_queries, device), _find_starts(n_keys, device), max(n_queries), max(n_keys))
        return AttentionRows(queries, keys, packed=packed)
    if way == "grid" and len(keys) > FEW:
        return AttentionRows(queries, keys, padded=_pad(n_queries, n_keys, device))
    return AttentionRows(queries, keys)


def _find_starts(lengths: Sequence[int], device: torch.device) -> torch.Tensor:
    """Where each row begins, and where the last one ends: int32 (rows + 1,)."""
    return send(torch.tensor([0, *accumulate(lengths)], dtype=torch.int32), device)


def _lengths_of(groups: Groups) -> list[int]:
    """Frames of each row."""
    return [length for rows, length in groups for _ in range(rows)]


def _group(lengths: Sequence[int]) -> Groups:
    return tuple((len(list(same)), length) for length, same in groupby(lengths))


def pad_rows(lengths: Sequence[int], device: torch.device) -> PaddedRows:
    """Rows of these lengths as one grid, in which every frame is both query and key."""
    places, is_own = _index(lengths)
    sent = send(places, device)
    return PaddedRows(sent, sent, _mask(is_own, device), _places_of(is_own, device))


def _pad(n_queries: Sequence[int], n_keys: Sequence[int], device: torch.device) -> PaddedRows:
    queries, is_query = _index(n_queries)
    keys, is_key = _index(n_keys)
    return PaddedRows(send(queries, device), send(keys, device), _mask(is_key, device), _places_of(is_query, device))


def _mask(is_key: torch.Tensor, device: torch.device) -> torch.Tensor | None:
    return None if bool(is_key.all()) else send(is_key[:, None, None], device)


def _places_of(is_own: torch.Tensor, device: torch.device) -> torch.Tensor:
    return send(is_own.flatten().nonzero().flatten(), device)


def _index(lengths: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Which frame stands where when rows are padded to the longest, int64 (rows, time), and whether it is the row's."""
    starts = torch.tensor([0, *accumulate(lengths)][:-1])[:, None]
    times = torch.arange(max(lengths))
    is_own = times < torch.tensor(lengths)[:, None]
    return torch.where(is_own, starts + times, 0), is_own


def views(packed: torch.Tensor, groups: Groups) -> Iterator[torch.Tensor]:
    """Each group as (rows, time, dim), a view of the whole (frames, dim)."""
    start = 0
    for rows, time in groups:
        yield packed[start : start + rows * time].view(rows, time, packed.shape[1])
        start += rows * time


def join(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """The parts one behind another along their first dimension; a single one is given back itself, not a copy."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def send_rows(waveforms: Sequence[torch.Tensor], n_samples: int, device: torch.device) -> torch.Tensor:
    """Waveforms (samples,) with zeros behind them, float32 (rows, n_samples) on the device.

    They are laid out where a GPU takes them from, so that nothing is copied twice.
    """
    is_cuda = device.type == "cuda"
    rows = torch.empty(len(waveforms), n_samples, pin_memory=is_cuda)
    for row, waveform in zip(rows, waveforms, strict=True):
        row[: len(waveform)] = waveform
        row[len(waveform) :] = 0
    return rows.to(device, non_blocking=is_cuda)


def send(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The tensor on the device; to a GPU without waiting for what is under way there."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
