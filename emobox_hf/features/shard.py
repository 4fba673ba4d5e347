"""One shard of a store: a safetensors file with the features of some utterances, and their checksums.

Its tensors: `offsets` int64 (n + 1,) of the frames of each utterance; `checks` int64 (n, 2), CRC-32 of an utterance's
frames with their scales, and of its pooled vectors; `scales` float16 (n, 2, dim) beside int8 frames; `pooled`
(n, layers, 2, dim); `frames` (total_frames, dim). The metadata name the utterances and hold a SHA-256 of the keys, the
offsets, the checks, and all dtypes and shapes. So each utterance, and of it the frames or the pooled vectors alone, is
read and verified without a look at the rest.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import torch

from emobox_hf.errors import InputError
from emobox_hf.features import tensorfile
from emobox_hf.features.key import FeatureKey
from emobox_hf.features.ragged import offsets_of
from emobox_hf.features.storage import Stored, dequantize
from emobox_hf.features.tensorfile import Extent, fill, memory_of
from emobox_hf.files import whole_file

MAX_OPEN_SHARDS = 65_536
"""Indices that a process keeps; a shard holds up to ten minutes of audio, so this is over a year of it."""


class DamagedShardError(InputError):
    """A shard that changed since it was written, was cut short, vanished, or is of other features."""


@dataclass(frozen=True, eq=False)
class Shard:
    """Where a shard lies and which utterances it holds; features stay on disk.

    Attributes:
        path: The safetensors file.
        keys: Utterance keys in the order of their rows.
        offsets: The first frame of each utterance, and the number of all.
        checks: CRC-32 of frames and of pooled vectors of each utterance.
        extents: Each tensor's place in the file.
    """

    path: Path
    keys: tuple[str, ...]
    offsets: list[int]
    checks: list[list[int]]
    extents: dict[str, Extent]

    def length(self, row: int) -> int:
        """Number of frames of an utterance."""
        return self.offsets[row + 1] - self.offsets[row]

    @property
    def dim(self) -> int:
        """Width of a frame."""
        return self.extents["frames"].shape[1]

    @property
    def n_layers(self) -> int:
        """Number of hidden states that are pooled."""
        return self.extents["pooled"].shape[1]

    def read_frames(self, rows: Sequence[int], targets: Sequence[torch.Tensor]) -> None:
        """Fill each target, contiguous (time, dim), with the frames of the utterance in that row.

        Raises:
            DamagedShardError: They changed since they were written.
        """
        extent, scales = self.extents["frames"], self.extents.get("scales")
        with self._open() as file:
            for row, target in sorted(zip(rows, targets, strict=True), key=lambda pair: pair[0]):
                stored = target if scales is None else torch.empty(target.shape, dtype=extent.dtype)
                check = zlib.crc32(fill(file, extent.start + self.offsets[row] * extent.row_bytes, stored))
                if scales is not None:
                    scale = torch.empty(scales.shape[1:], dtype=scales.dtype)
                    check = zlib.crc32(fill(file, scales.start + row * scales.row_bytes, scale), check)
                    target.copy_(dequantize(stored, scale))
                self._compare(check, row, "frames")

    def read_pooled(self, rows: Sequence[int], targets: Sequence[torch.Tensor]) -> None:
        """Fill each target, (layers, 2, dim) of any dtype, with the pooled vectors of the utterance in that row.

        Raises:
            DamagedShardError: They changed since they were written.
        """
        extent = self.extents["pooled"]
        stored = torch.empty(extent.shape[1:], dtype=extent.dtype)
        with self._open() as file:
            for row, target in sorted(zip(rows, targets, strict=True), key=lambda pair: pair[0]):
                self._compare(zlib.crc32(fill(file, extent.start + row * extent.row_bytes, stored)), row, "pooled")
                target.copy_(stored)

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        """The open file; within, reading errors and a file that ends too early raise DamagedShardError."""
        try:
            with open(self.path, "rb", buffering=0) as file:
                yield file
        except (OSError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise DamagedShardError(f"{self.path}: cannot be read ({error})") from error

    def _compare(self, check: int, row: int, part: str) -> None:
        if check != self.checks[row][part == "pooled"]:
            what = f"{part} of utterance {self.keys[row]}"
            raise DamagedShardError(f"{self.path}: {what} changed since they were written")


def write_shard(folder: Path, key: FeatureKey, keys: Sequence[str], stored: Sequence[Stored], *, writer: int) -> Path:
    """Write one shard whole or not at all.

    The name holds the writer and a digest of the contents, so that two runs at once never write different things under
    one name.
    """
    first, n = stored[0], len(stored)
    offsets = offsets_of([len(one.frames) for one in stored])
    checks = torch.tensor([[_check_frames(one), zlib.crc32(memory_of(one.pooled))] for one in stored])
    tensors = {"offsets": (offsets.dtype, (n + 1,)), "checks": (checks.dtype, (n, 2))}
    if first.scales is not None:
        tensors["scales"] = (first.scales.dtype, (n, *first.scales.shape))
    tensors["pooled"] = (first.pooled.dtype, (n, *first.pooled.shape))
    tensors["frames"] = (first.frames.dtype, (int(offsets[-1]), first.frames.shape[1]))
    extents = tensorfile.place(tensors)
    digest = _digest(keys, extents, offsets, checks)
    metadata = {"features": key.digest, "keys": json.dumps(list(keys)), "sha256": digest}
    path = folder / f"{writer:04d}-{digest[:16]}.safetensors"
    with whole_file(path) as part, open(part, "wb") as file:
        tensorfile.write(file, extents, metadata, (offsets, checks, *_in_order(stored)))
    return path


def open_shard(path: Path, key: FeatureKey) -> Shard:
    """The shard at `path`, of which only the index is read, once in a process.

    Raises:
        DamagedShardError: The file is torn, is no shard, its index changed, or it belongs to other features.
    """
    status = _stat(path)
    return _open(path, key.digest, status.st_size, status.st_mtime_ns)


def verify_shard(path: Path, key: FeatureKey) -> None:
    """Read every byte of the shard at `path`, an utterance at a time.

    Raises:
        DamagedShardError: As `open_shard`; or features changed since they were written.
    """
    shard = _read_index(path, key.digest, _stat(path).st_size)
    frames, pooled = shard.extents["frames"], torch.empty(shard.extents["pooled"].shape[1:])
    for row in range(len(shard.keys)):
        shape = (shard.length(row), shard.dim)
        shard.read_frames([row], [torch.empty(shape, dtype=frames.dtype)])
        shard.read_pooled([row], [pooled])


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise DamagedShardError(f"{path}: cannot be read ({error.strerror})") from error


def _read_index(path: Path, features: str, size: int) -> Shard:
    try:
        with open(path, "rb", buffering=0) as file:
            metadata, extents = tensorfile.read_header(file, size)
            if metadata["features"] != features:
                raise DamagedShardError(f"{path}: expected a shard of features {features}, found another file")
            keys = tuple(json.loads(metadata["keys"]))
            offsets, checks = (torch.empty(extents[name].shape, dtype=torch.int64) for name in ("offsets", "checks"))
            fill(file, extents["offsets"].start, offsets)
            fill(file, extents["checks"].start, checks)
        if metadata["sha256"] != _digest(keys, extents, offsets, checks):
            raise DamagedShardError(f"{path}: the index changed since it was written")
    except DamagedShardError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, OSError) as error:
        raise DamagedShardError(f"{path}: expected a whole shard, found a damaged file ({error})") from error
    return Shard(path, keys, offsets.tolist(), checks.tolist(), extents)


@lru_cache(MAX_OPEN_SHARDS)
def _open(path: Path, features: str, size: int, mtime_ns: int) -> Shard:
    # The time of change is there to be part of what is remembered.
    return _read_index(path, features, size)


def _digest(keys: Sequence[str], extents: dict[str, Extent], offsets: torch.Tensor, checks: torch.Tensor) -> str:
    shapes = {name: [str(one.dtype), one.shape] for name, one in extents.items()}
    digest = hashlib.sha256(json.dumps([list(keys), shapes]).encode())
    digest.update(memory_of(offsets))
    digest.update(memory_of(checks))
    return digest.hexdigest()


def _check_frames(stored: Stored) -> int:
    check = zlib.crc32(memory_of(stored.frames))
    return check if stored.scales is None else zlib.crc32(memory_of(stored.scales), check)


def _in_order(stored: Sequence[Stored]) -> Iterator[torch.Tensor]:
    yield from (one.scales for one in stored if one.scales is not None)
    yield from (one.pooled for one in stored)
    yield from (one.frames for one in stored)
