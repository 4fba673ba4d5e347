"""One shard of a store: a safetensors file with the frames of some utterances, and the digest that guards it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from emobox_hf.errors import InputError
from emobox_hf.features.key import FeatureKey
from emobox_hf.features.ragged import RaggedFrames
from emobox_hf.files import whole_file


@dataclass(frozen=True, eq=False)
class Shard:
    """Where a shard lies and which utterances it holds; its frames stay on disk until `load`.

    Attributes:
        path: The safetensors file.
        keys: Utterance keys in the order of their rows.
        offsets: int64 (n + 1,), the rows of each utterance.
        sha256: Digest of the contents as written.
    """

    path: Path
    keys: tuple[str, ...]
    offsets: torch.Tensor
    sha256: str

    def load(self) -> RaggedFrames:
        """The frames, mapped from the file: only rows that are touched are read from disk."""
        with safe_open(self.path, framework="pt") as file:
            return RaggedFrames(file.get_tensor("frames"), self.offsets)


def write_shard(folder: Path, key: FeatureKey, keys: Sequence[str], ragged: RaggedFrames, *, writer: int) -> Path:
    """Write one shard whole or not at all.

    The name holds the writer and the digest of the contents, so that two runs at once never write different things
    under one name.
    """
    sha256 = shard_digest(keys, ragged)
    path = folder / f"{writer:04d}-{sha256[:16]}.safetensors"
    metadata = {"features": key.digest, "keys": json.dumps(list(keys)), "sha256": sha256}
    with whole_file(path) as part:
        save_file({"frames": ragged.frames, "offsets": ragged.offsets}, part, metadata=metadata)
    return path


def open_shard(path: Path, key: FeatureKey) -> Shard:
    """The shard at `path`, its frames unread.

    Raises:
        InputError: The file is torn, is not a shard, or belongs to features with other settings.
    """
    advice = f"delete {path} and extract again; utterances in other shards are kept"
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("features") != key.digest:
                raise InputError(f"expected a shard of features {key.digest}, found another file; {advice}")
            keys = tuple(json.loads(metadata["keys"]))
            offsets = file.get_tensor("offsets")
            rows = file.get_slice("frames").get_shape()[0]
    except (SafetensorError, json.JSONDecodeError, KeyError) as error:
        raise InputError(f"expected a whole shard, found a damaged file ({error}); {advice}") from error
    if len(offsets) != len(keys) + 1 or offsets[0] != 0 or offsets[-1] != rows or not bool((offsets.diff() > 0).all()):
        raise InputError(f"the offsets do not fit the {len(keys)} utterances and {rows} frames; {advice}")
    return Shard(path, keys, offsets, metadata["sha256"])


def shard_digest(keys: Sequence[str], ragged: RaggedFrames) -> str:
    """SHA-256 of the keys, the offsets, the frames, and their dtype and shape, so that no part can change unseen."""
    header = json.dumps([list(keys), str(ragged.frames.dtype), list(ragged.frames.shape)])
    digest = hashlib.sha256(header.encode())
    for tensor in (ragged.offsets, ragged.frames):
        digest.update(tensor.contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()
