"""The order of rows, however a corpus is loaded: by an utterance's split in every configuration, then by key.

Utterances that share their split in every configuration stand together, so that a repository of files can store each
once and have every split of every configuration as a list of whole files. The corpus on disk is read in that order too,
so it needs the lists of EmoBox that any of the configurations is drawn from. Where they cannot be had, the others are
read without, in an order of their own, which is logged, and is filed apart in caches (`list_lacking`).
"""

import hashlib
import json
import logging
import os
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path

from emobox_hf.corpora.configurations import list_configs
from emobox_hf.corpora.folds import Partition, partition
from emobox_hf.corpora.labels import SHARED_EMOTIONS
from emobox_hf.corpora.lists import list_needed
from emobox_hf.corpora.manifest import Manifest
from emobox_hf.corpora.spec import CorpusSpec, Discovery, Expected, Folds
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
            _warn(manifest.spec, [config], str(error))
    return partitions


def list_lacking(spec: CorpusSpec, folds_dir: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """The configurations that are drawn from lists of EmoBox's which are not on this machine yet."""
    needed = list_needed(spec, folds_dir)
    return tuple(config for config, paths in needed.items() if not all(path.is_file() for path in paths))


def warn_of_other_order(spec: CorpusSpec, lacking: Collection[str]) -> None:
    """Log that rows come in another order than on a machine that has the lists of some configurations."""
    _warn(spec, lacking, "their lists are not at hand; point $EMOBOX_FOLDS at a copy of EmoBox's data/")


def _warn(spec: CorpusSpec, configs: Collection[str], why: str) -> None:
    _LOGGER.warning(
        "%s: rows come in another order than where %s can be had, so a seeded shuffle differs: %s",
        spec.name,
        ", ".join(configs),
        why,
    )


Cells = Mapping[str, tuple[str, ...]]
"""Key of an utterance -> its split in each configuration of the corpus, empty where it is in none."""


def list_cells(partitions: Mapping[str, Partition]) -> Cells:
    """The split of every utterance in each of some configurations."""
    keys = {u.key for part in partitions.values() for members in part.splits.values() for u in members}
    cells = {key: [""] * len(partitions) for key in keys}
    for index, part in enumerate(partitions.values()):
        for split, members in part.splits.items():
            for u in members:
                cells[u.key][index] = split
    return {key: tuple(cell) for key, cell in cells.items()}


def order_rows(utterances: Iterable[Utterance], cells: Cells) -> list[Utterance]:
    """Utterances in the order in which they are loaded: by their split in every configuration, then by key."""
    return sorted(utterances, key=lambda u: (cells[u.key], u.key))


@cache
def rules_digest() -> str:
    """A digest that changes when a rule that draws folds, holds out validation or orders rows does so otherwise.

    The rules are applied to two small made-up corpora, so a change of their code is seen, whether or not a version says
    so; what is built by them is filed under it. What is read from lists needs no such care: the specs have its digests.
    """
    drawn = []
    for n_speakers, n_folds in ((5, 5), (2, 1)):  # by EmoBox's rule five folds of a speaker, and one whoever speaks
        manifest = _make_up(n_speakers, n_folds)
        partitions = list_partitions(manifest)
        ordered = [u.key for u in order_rows(manifest.utterances, list_cells(partitions))]
        drawn.append([{name: part.digests for name, part in partitions.items()}, ordered])
    return hashlib.sha256(json.dumps(drawn).encode()).hexdigest()


def _make_up(n_speakers: int, n_folds: int) -> Manifest:
    utterances = [
        Utterance(
            key=f"s{speaker}-{emotion}-{take:02}", path="", raw_emotion="", emotion=emotion, speaker=f"s{speaker}"
        )
        for speaker in range(n_speakers)
        for emotion in SHARED_EMOTIONS
        for take in range(15 + speaker)
    ]
    spec = CorpusSpec(
        name="made-up",
        title="",
        version="0",
        languages=(),
        discovery=Discovery("paths"),
        labels={emotion: emotion for emotion in SHARED_EMOTIONS},
        expected=Expected(utterances=len(utterances), speakers=n_speakers),
        folds=Folds(source="rule", count=n_folds),
    )
    return Manifest(spec, Path(), tuple(sorted(utterances, key=lambda u: u.key)), {}, {}, {}, ())
