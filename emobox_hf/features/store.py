"""The FeatureStore: frames of one corpus by one encoder under one set of settings, in a folder."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from emobox_hf.errors import InputError, first_five
from emobox_hf.features.key import FeatureKey, StorageDtype
from emobox_hf.features.ragged import RaggedFrames, join_frames
from emobox_hf.features.shard import Shard, open_shard, shard_digest, write_shard
from emobox_hf.files import write_text

DTYPES: dict[StorageDtype, torch.dtype] = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
}


@dataclass(frozen=True)
class FeatureStore:
    """A folder of shards with the frames of a corpus, all of it: one store serves every fold.

    Any number of processes may write at once and any number may read. A key that two of them wrote is held twice with
    the same numbers; the first shard by name is read.

    Attributes:
        folder: `<root>/<corpus>/<encoder>-<digest>`, made by the first write; holds `settings.json` and the shards.
        key: What the numbers depend on.
    """

    folder: Path
    key: FeatureKey

    @classmethod
    def open(cls, root: Path, key: FeatureKey) -> "FeatureStore":
        """The store of `key` under `root`, empty where nothing has been extracted yet.

        Raises:
            InputError: The folder holds features of other settings.
        """
        store = cls(Path(root) / key.folder, key)
        if store._settings.exists() and store._settings.read_text(encoding="utf-8") != _settings_text(key):
            raise InputError(
                f"{store._settings} was expected to hold the settings of features {key.digest}, but does not; "
                "move that folder away and extract again"
            )
        return store

    @property
    def _settings(self) -> Path:
        return self.folder / "settings.json"

    def keys(self) -> set[str]:
        """Keys of all utterances stored.

        Raises:
            InputError: A shard is damaged or foreign.
        """
        return {key for shard in self._shards() for key in shard.keys}

    def read(self, keys: Sequence[str]) -> RaggedFrames:
        """Frames of `keys` in the order given, in the dtype of the store.

        Raises:
            InputError: A key has no features, or a shard is damaged or foreign.
        """
        shards = self._shards()
        # Later shards are entered first, so that the first shard by name has the last word.
        home = {
            key: (number, row) for number in reversed(range(len(shards))) for row, key in enumerate(shards[number].keys)
        }
        if missing := [key for key in keys if key not in home]:
            raise InputError(
                f"{len(missing)} of {len(keys)} utterances have no features in {self.folder}: {first_five(missing)}; "
                f"run `emobox extract {self.key.corpus} --encoder {self.key.encoder}` with the settings written there, "
                "and see its report for clips that were left out"
            )
        # Views into the mapped files; the one copy is made when they are joined.
        utterances = {}
        for number in {home[key][0] for key in keys}:
            ragged = shards[number].load()
            if not _is_intact(shards[number], ragged):
                raise InputError(_damage(shards[number]))
            utterances[number] = ragged.utterances()
        return join_frames([utterances[number][row] for number, row in (home[key] for key in keys)])

    def write_shard(
        self, keys: Sequence[str], arrays: Sequence[torch.Tensor | NDArray[Any]], *, writer: int = 0
    ) -> Path:
        """Store the (time, dim) frames of `keys` in one new shard, whole or not at all; gives back its path.

        Args:
            keys: Utterance keys, at least one.
            arrays: Their frames, (time, dim) each.
            writer: Number of the writing process, part of the shard's name.

        Raises:
            InputError: Frames are not finite, or do not fit the storage dtype.
        """
        stored = [to_storage(key, frames, self.key.storage_dtype) for key, frames in zip(keys, arrays, strict=True)]
        if not self._settings.exists():
            write_text(self._settings, _settings_text(self.key))
        return write_shard(self.folder, self.key, keys, join_frames(stored), writer=writer)

    def verify(self) -> list[str]:
        """What is wrong with the files of this store, each with what to do; reads every byte. Empty: all is well.

        Hidden files are not looked at: writers that died leave such parts behind, and nothing ever reads them.
        """
        problems = []
        visible = sorted(path for path in self.folder.glob("*") if not path.name.startswith("."))
        for path in visible:
            if path.suffix != ".safetensors":
                if path != self._settings:
                    problems.append(f"{path}: does not belong to a feature store; move it away")
                continue
            try:
                shard = open_shard(path, self.key)
            except InputError as error:
                problems.append(str(error))
                continue
            if not _is_intact(shard, shard.load()):
                problems.append(_damage(shard))
        return problems

    def _shards(self) -> list[Shard]:
        return [open_shard(path, self.key) for path in sorted(self.folder.glob("*.safetensors"))]


def _is_intact(shard: Shard, ragged: RaggedFrames) -> bool:
    return shard_digest(shard.keys, ragged) == shard.sha256


def _damage(shard: Shard) -> str:
    return f"{shard.path}: the contents changed since they were written; delete it and extract again"


def to_storage(key: str, frames: torch.Tensor | NDArray[Any], dtype: StorageDtype) -> torch.Tensor:
    """Frames of utterance `key` as they are stored: (time, dim) on the CPU in the storage dtype.

    Raises:
        InputError: There is no frame, a value is not finite, or one is too large for the storage dtype.
    """
    given = torch.as_tensor(frames).detach()
    if given.ndim != 2 or len(given) == 0:
        raise InputError(f"utterance {key}: expected frames (time, dim) with time above 0, found {tuple(given.shape)}")
    stored = given.to(device="cpu", dtype=DTYPES[dtype])
    if bool(stored.isfinite().all()):
        return stored
    if bool(given.isfinite().all()):
        raise InputError(
            f"utterance {key}: frames reach {float(given.abs().max()):.4g}, more than {dtype} holds; store them as "
            "float32 or bfloat16"
        )
    raise InputError(
        f"utterance {key}: the encoder gave frames that are not finite; check its audio, and compute with precision "
        "'no' or 'bf16' and store as float32 or bfloat16 if half precision overflowed"
    )


def _settings_text(key: FeatureKey) -> str:
    return json.dumps({"digest": key.digest, **asdict(key)}, indent=2) + "\n"
