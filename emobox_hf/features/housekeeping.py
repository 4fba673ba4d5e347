"""The stores in a folder: which there are, what is wrong with them, and what nothing will ever read."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from emobox_hf.errors import InputError, suggest
from emobox_hf.features.key import FEATURE_FORMAT, FeatureKey
from emobox_hf.features.shard import verify_shard
from emobox_hf.features.store import DAMAGED, SETTINGS, FeatureStore

DEAD_AFTER_S = 24 * 3600.0
"""Age at which a hidden part belongs to a writer that died: a shard is written in seconds."""


@dataclass(frozen=True)
class FoundStore:
    """A store as it lies on disk, perhaps one that this version cannot read.

    Attributes:
        folder: Where it is.
        name: Its folder under the root, `<corpus>/<encoder>-<digest>`.
        settings: What `settings.json` says; empty where that is damaged.
    """

    folder: Path
    name: str
    settings: dict[str, Any]

    @property
    def is_outdated(self) -> bool:
        """Whether an older version of the package made it, in a way that no version reads any more."""
        made_as = self.settings.get("feature_format")
        return isinstance(made_as, int) and made_as < FEATURE_FORMAT

    def open(self) -> FeatureStore:
        """The store, to read.

        Raises:
            InputError: Its settings are damaged, or are those of another version of the package.
        """
        path = self.folder / SETTINGS
        made_as = self.settings.get("feature_format")
        if isinstance(made_as, int) and made_as != FEATURE_FORMAT:
            advice = "remove it with `emobox store gc --yes`" if self.is_outdated else "update the package"
            raise InputError(
                f"{path}: features of format {FEATURE_FORMAT} were expected, these have {made_as}; {advice}"
            )
        names = {field.name for field in fields(FeatureKey)}
        try:
            key = FeatureKey(**{name: self.settings[name] for name in names})
        except (KeyError, InputError) as error:
            raise InputError(f"{path}: is damaged ({error}); move {self.folder} away and extract again") from error
        if self.settings != {"digest": key.digest, **key.__dict__} or self.folder.name != Path(key.folder).name:
            raise InputError(f"{path}: changed since it was written; move {self.folder} away and extract again")
        return FeatureStore(self.folder, key)


@dataclass(frozen=True)
class StoreSummary:
    """What a store holds.

    Attributes:
        n_utterances: Utterances, each counted once.
        n_frames: Their frames.
        n_bytes: Of all files, hidden parts included.
        age_s: Seconds since something was written.
        problem: Why it cannot be read, or nothing.
    """

    n_utterances: int
    n_frames: int
    n_bytes: int
    age_s: float
    problem: str


@dataclass(frozen=True)
class Garbage:
    """Something that nothing reads.

    Attributes:
        path: A file, or the folder of a whole store.
        n_bytes: What its removal frees.
        reason: Why it is of no use.
    """

    path: Path
    n_bytes: int
    reason: str


def find_stores(root: Path) -> list[FoundStore]:
    """Every store under `root`, in the order of their names."""
    stores = []
    for path in sorted(root.glob(f"*/*/{SETTINGS}")):
        try:
            settings = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            settings = None
        name = path.parent.relative_to(root).as_posix()
        stores.append(FoundStore(path.parent, name, settings if isinstance(settings, dict) else {}))
    return stores


def choose_stores(root: Path, names: list[str]) -> list[FoundStore]:
    """The stores that are named, each by its folder under `root` or by its corpus; all of them where none is named.

    Raises:
        InputError: There is none of a name.
    """
    stores = find_stores(root)
    for name in names:
        if not any(name in (store.name, store.folder.parent.name) for store in stores):
            known = {known for store in stores for known in (store.name, store.folder.parent.name)}
            hint = suggest(name, known) if known else "; there is no store at all"
            raise InputError(f"no store {name!r} in {root}{hint}")
    return [one for one in stores if not names or one.name in names or one.folder.parent.name in names]


def summarize(found: FoundStore) -> StoreSummary:
    """What a store holds; reads the indices of its shards alone."""
    lengths: dict[str, int] = {}
    problem = ""
    try:
        for shard in found.open().shards():
            for row, key in enumerate(shard.keys):
                lengths.setdefault(key, shard.length(row))
    except InputError as error:
        problem = str(error)
    status = [path.stat() for path in found.folder.iterdir() if path.is_file()]
    age_s = time.time() - max(one.st_mtime for one in status)
    return StoreSummary(len(lengths), sum(lengths.values()), sum(one.st_size for one in status), age_s, problem)


def verify(found: FoundStore) -> list[str]:
    """What is wrong with a store, each with what to do; reads every byte. Empty: all is well."""
    try:
        store = found.open()
    except InputError as error:
        return [str(error)]
    return store.verify()


def find_garbage(root: Path) -> list[Garbage]:
    """What nothing reads: parts of writers that died, shards whose utterances are all held before, outdated stores."""
    garbage = []
    for part in sorted(root.glob("*/*/.*.part")):
        status = part.stat()
        if time.time() - status.st_mtime > DEAD_AFTER_S:
            garbage.append(Garbage(part, status.st_size, "left behind by a writer that died"))
    for path in sorted(root.glob(f"*/*/.*{DAMAGED}")):
        garbage.append(Garbage(path, path.stat().st_size, "damaged; its utterances are extracted again"))
    for found in find_stores(root):
        if found.is_outdated:
            n_bytes = sum(path.stat().st_size for path in _own_files(found.folder))
            made_as = found.settings["feature_format"]
            reason = f"features of format {made_as}; this version reads format {FEATURE_FORMAT}"
            garbage.append(Garbage(found.folder, n_bytes, reason))
        else:
            garbage += _find_doubles(found)
    return garbage


def remove(garbage: Garbage) -> None:
    """Delete it; of a store, what the package wrote, and the folder where nothing else is in it."""
    if not garbage.path.is_dir():
        garbage.path.unlink(missing_ok=True)
        return
    for path in _own_files(garbage.path):
        path.unlink(missing_ok=True)
    if not any(garbage.path.iterdir()):
        garbage.path.rmdir()


def _own_files(folder: Path) -> list[Path]:
    """Shards, hidden parts and damaged shards, and last the settings, without which a folder is no store."""
    hidden = [*sorted(folder.glob(".*.part")), *sorted(folder.glob(f".*{DAMAGED}"))]
    return [*sorted(folder.glob("*.safetensors")), *hidden, folder / SETTINGS]


def _find_doubles(found: FoundStore) -> Iterator[Garbage]:
    try:
        store = found.open()
        shards = store.shards()
    except InputError:
        return  # nothing of a damaged store is superfluous; `verify` says what is wrong with it
    home: dict[str, Path] = {}
    for shard in shards:
        if all(key in home for key in shard.keys) and _are_whole({home[key] for key in shard.keys}, store.key):
            yield Garbage(shard.path, shard.path.stat().st_size, "all its utterances are in earlier shards")
            continue
        for key in shard.keys:
            home.setdefault(key, shard.path)


def _are_whole(paths: set[Path], key: FeatureKey) -> bool:
    """Whether every byte of these shards is as it was written, so that a second copy may go."""
    try:
        for path in sorted(paths):
            verify_shard(path, key)
    except InputError:
        return False
    return True
