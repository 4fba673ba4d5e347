"""The one order of rows that every door has, and all configurations of a corpus, from which it follows."""

import logging
import os
from collections.abc import Collection, Iterable, Mapping

from emobox_hf.corpora.configurations import list_configs
from emobox_hf.corpora.folds import Partition, partition
from emobox_hf.corpora.manifest import Manifest
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError

_LOGGER = logging.getLogger(__name__)


def list_partitions(
    manifest: Manifest, *, folds_dir: str | os.PathLike[str] | None = None, needed: Collection[str] | None = None
) -> dict[str, Partition]:
    """Every configuration that `list_configs` names, by its name.

    Args:
        manifest: The corpus.
        folds_dir: See `partition`.
        needed: Configurations whose failure is an error, all by default; others that cannot be had are left out and
            logged, such as random lists of EmoBox where there is no network.
    """
    partitions = {}
    for config in list_configs(manifest.spec):
        try:
            partitions[config] = partition(manifest, config, folds_dir=folds_dir)
        except InputError as error:
            if needed is None or config in needed:
                raise
            _LOGGER.warning("rows are ordered without %s %s: %s", manifest.spec.name, config, error)
    return partitions


def order_rows(utterances: Iterable[Utterance], partitions: Mapping[str, Partition]) -> list[Utterance]:
    """Utterances in the one order of rows that every door has: by their splits in all configurations, then by key.

    Utterances that share their split in every configuration stand together, so that a repository of files can store
    each once and have every split of every configuration as a list of whole files.
    """
    cells = list_cells(partitions)
    return sorted(utterances, key=lambda u: (cells[u.key], u.key))


def list_cells(partitions: Mapping[str, Partition]) -> dict[str, tuple[str, ...]]:
    """Key -> its split in each of some configurations, empty where it is in none."""
    split_of = [
        {u.key: split for split, members in part.splits.items() for u in members} for part in partitions.values()
    ]
    keys = {key for one in split_of for key in one}
    return {key: tuple(one.get(key, "") for one in split_of) for key in keys}
