"""The FeatureStore: features of one corpus by one encoder under one set of settings, in a folder."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from emobox_hf.cores import count_cores
from emobox_hf.errors import InputError, first_five
from emobox_hf.features.key import FeatureKey
from emobox_hf.features.ragged import RaggedFrames, offsets_of
from emobox_hf.features.shard import DamagedShardError, Shard, open_shard, verify_shard, write_shard
from emobox_hf.features.storage import READ_DTYPES, Stored, to_storage
from emobox_hf.files import write_text

if TYPE_CHECKING:
    from emobox_hf.encoders.forward.backbone import Encoded

SETTINGS = "settings.json"
DAMAGED = ".damaged"
"""The end of the name of a shard that was set aside; it is hidden, so no store reads it."""
ADVICE = "the next run sets damaged shards aside and extracts their utterances again; move anything else away"
MAX_READERS = 8  # shards that are opened at once: a network answers several as fast as one

Home = tuple[Shard, int]
"""Where an utterance is: a shard, and the row in it."""


@dataclass(frozen=True)
class FeatureStore:
    """A folder of shards with the features of a corpus, all of it: one store serves every fold.

    Any number of processes may write at once and any number may read. A key that two of them wrote is held twice with
    the same numbers; the first shard by name is read.

    Attributes:
        folder: `<root>/<corpus>/<encoder>-<digest>`, made by the first write; holds `settings.json` and the shards.
        key: What the features depend on.
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
        return self.folder / SETTINGS

    def shards(self) -> list[Shard]:
        """The shards in the order of their names; only their indices are read, and each once in a process.

        Raises:
            DamagedShardError: A shard is damaged or foreign.
        """
        paths = self._shard_paths()
        size = -(-len(paths) // MAX_READERS) or 1
        parts = [paths[start : start + size] for start in range(0, len(paths), size)]
        with ThreadPoolExecutor(MAX_READERS) as readers:
            opened = readers.map(lambda part: [self._open_shard(path) for path in part], parts)
            return [shard for part in opened for shard in part if shard is not None]

    def keys(self) -> set[str]:
        """Keys of all utterances stored.

        Raises:
            InputError: A shard is damaged or foreign.
        """
        return set().union(*(shard.keys for shard in self.shards()))

    def read(self, keys: Sequence[str]) -> RaggedFrames:
        """Frames of `keys` in the order given, in the dtype of the store; in float16 where that is int8.

        They are read and verified straight into the one tensor that is given back; other utterances are not read.

        Raises:
            InputError: A key has no features, or what is read is damaged or foreign.
        """
        homes = self._find(keys)
        offsets = offsets_of([shard.length(row) for shard, row in homes])
        frames = torch.empty(int(offsets[-1]), homes[0][0].dim, dtype=READ_DTYPES[self.key.storage_dtype])
        ragged = RaggedFrames(frames, offsets)
        _fill(homes, ragged.utterances(), Shard.read_frames)
        return ragged

    def read_pooled(self, keys: Sequence[str]) -> torch.Tensor:
        """Mean and population standard deviation over the frames of `keys`: float32 (n, layers, 2, dim).

        Of every hidden state up to the layer of the store, the last one. Frames are not touched.

        Raises:
            InputError: A key has no features, or what is read is damaged or foreign.
        """
        homes = self._find(keys)
        pooled = torch.empty(len(homes), homes[0][0].n_layers, 2, homes[0][0].dim)
        _fill(homes, pooled.unbind(), Shard.read_pooled)
        return pooled

    def write_shard(self, keys: Sequence[str], encoded: "Sequence[Encoded]", *, writer: int = 0) -> Path:
        """Store what an encoder gave for `keys` in one new shard, whole or not at all; gives back its path.

        Args:
            keys: Utterance keys, at least one.
            encoded: Frames and pooled vectors of each.
            writer: Number of the writing process, part of the shard's name.

        Raises:
            InputError: Numbers are not finite, or do not fit the storage dtype.
        """
        stored = [to_storage(key, one, self.key.storage_dtype) for key, one in zip(keys, encoded, strict=True)]
        return self.write_stored(keys, stored, writer=writer)

    def write_stored(self, keys: Sequence[str], stored: Sequence[Stored], *, writer: int = 0) -> Path:
        """Store in one new shard what `to_storage` gave for `keys`, see `write_shard`."""
        if not self._settings.exists():
            write_text(self._settings, _settings_text(self.key))
        return write_shard(self.folder, self.key, keys, stored, writer=writer)

    def set_aside_damaged(self) -> list[str]:
        """What was wrong with each damaged shard; it is renamed, so that its utterances are extracted again.

        Any number of processes may do so at once; each tells what it renamed itself. `emobox store gc` deletes them.
        """
        with _readers() as readers:
            return [problem for problem in readers.map(self._set_aside, self._shard_paths()) if problem]

    def verify(self) -> list[str]:
        """What is wrong with the files of this store, each with what to do; reads every byte. Empty: all is well.

        Hidden files are not looked at: writers that died leave such parts behind, and nothing ever reads them.
        """
        visible = sorted(path for path in self.folder.glob("[!.]*") if path != self._settings)
        with _readers() as readers:
            return [f"{problem}; {ADVICE}" for problem in readers.map(self._problem, visible) if problem]

    def _shard_paths(self) -> list[Path]:
        return sorted(self.folder.glob("[!.]*.safetensors"))

    def _open_shard(self, path: Path) -> Shard | None:
        """The shard, or none where another process has set it aside since the folder was listed."""
        try:
            return open_shard(path, self.key)
        except DamagedShardError:
            if path.exists():
                raise
            return None

    def _set_aside(self, path: Path) -> str | None:
        """What is wrong with a shard that is now out of the way; None if it is whole, or if another was faster."""
        problem = self._problem(path)
        if problem is None:
            return None
        aside = path.with_name(f".{path.name}{DAMAGED}")
        try:
            path.rename(aside)
        except FileNotFoundError:
            return None
        try:  # another process may have written the same shard anew since it was found damaged
            verify_shard(aside, self.key)
        except DamagedShardError:
            return problem
        aside.rename(path)
        return None

    def _problem(self, path: Path) -> str | None:
        if path.suffix != ".safetensors":
            return f"{path}: does not belong to a feature store"
        try:
            verify_shard(path, self.key)
        except InputError as error:
            return str(error)
        return None

    def _find(self, keys: Sequence[str]) -> list[Home]:
        # Later shards are entered first, so that the first shard by name has the last word.
        homes = {key: (shard, row) for shard in reversed(self.shards()) for row, key in enumerate(shard.keys)}
        if missing := [key for key in keys if key not in homes]:
            raise InputError(
                f"{len(missing)} of {len(keys)} utterances have no features in {self.folder}: {first_five(missing)}; "
                f"run `emobox extract --corpus {self.key.corpus} --encoder {self.key.encoder}` with the settings "
                "written there, and see its report for clips that were left out"
            )
        found = [homes[key] for key in keys]
        for shard, _ in found:
            expected = found[0][0]
            if (shard.dim, shard.n_layers) != (expected.dim, expected.n_layers):
                raise InputError(
                    f"{shard.path} holds {shard.n_layers} layers of {shard.dim} numbers, {expected.path} "
                    f"{expected.n_layers} of {expected.dim}; delete the one that is wrong and extract again"
                )
        return found


Read = Callable[[Shard, Sequence[int], Sequence[torch.Tensor]], None]


def _fill(homes: Sequence[Home], targets: Sequence[torch.Tensor], read: Read) -> None:
    """Read each utterance into its target, shard by shard, several shards at once."""
    by_shard: dict[Path, tuple[Shard, list[int], list[torch.Tensor]]] = {}
    for (shard, row), target in zip(homes, targets, strict=True):
        _, rows, chosen = by_shard.setdefault(shard.path, (shard, [], []))
        rows.append(row)
        chosen.append(target)
    with _readers() as readers:
        for _ in readers.map(lambda job: read(*job), by_shard.values()):
            pass


def _readers() -> ThreadPoolExecutor:
    """Threads that read and verify: a core each, and two on one core, since one may wait for the disk."""
    return ThreadPoolExecutor(min(MAX_READERS, max(2, count_cores())))


def _settings_text(key: FeatureKey) -> str:
    return json.dumps({"digest": key.digest, **asdict(key)}, indent=2) + "\n"
