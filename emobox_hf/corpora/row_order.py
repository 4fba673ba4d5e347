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


Cells = Mapping[str, tuple[str, ...]]
"""Key of an utterance -> its split in each configuration of the corpus, empty where it is in none."""


def list_cells(partitions: Mapping[str, Partition]) -> Cells:
    """The cell of every utterance of some configurations."""
    keys = {u.key for part in partitions.values() for members in part.splits.values() for u in members}
    cells = {key: [""] * len(partitions) for key in keys}
    for index, part in enumerate(partitions.values()):
        for split, members in part.splits.items():
            for u in members:
                cells[u.key][index] = split
    return {key: tuple(cell) for key, cell in cells.items()}


def order_rows(utterances: Iterable[Utterance], cells: Cells) -> list[Utterance]:
    """Utterances in the one order of rows that every door has: by their splits in all configurations, then by key.

    Utterances that share their split in every configuration stand together, so that a repository of files can store
    each once and have every split of every configuration as a list of whole files.
    """
    return sorted(utterances, key=lambda u: (cells[u.key], u.key))
