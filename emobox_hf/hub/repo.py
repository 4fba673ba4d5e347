"""Script-free repositories: a corpus as Parquet files and a card that names the files of each configuration.

Every utterance is stored once. Utterances that share their split in every configuration lie in the same files, so that
each split of each fold is a list of whole files.
"""

import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
from huggingface_hub import DatasetCard, DatasetCardData

from emobox_hf.corpora.folds import list_configs, list_splits, partition
from emobox_hf.corpora.manifest import Manifest
from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError
from emobox_hf.files import sha256_of_file
from emobox_hf.hub.builder import audio_cell, row_features, row_table
from emobox_hf.hub.cards import card_body, card_metadata
from emobox_hf.hub.register import METRIC

ROWS_A_GROUP = 100  # rows of a Parquet row group: what a reader holds in memory at once
MAX_FILE_BYTES = 500_000_000


def build_repository(
    manifest: Manifest,
    out: Path,
    *,
    folds_dir: str | os.PathLike[str] | None = None,
    link: bool = False,
    overwrite: bool = False,
    watch: Any = iter,
) -> None:
    """Write the repository of a corpus: `README.md` and `data/*.parquet`, whole or not at all.

    Args:
        manifest: The corpus.
        out: The folder to make; its last part is the name that `load_dataset` will show.
        folds_dir: A folder of EmoBox's lists; see `folds.partition`.
        link: Store paths into the corpus instead of 16 kHz mono FLAC, where a path does.
        overwrite: Replace `out` if it exists.
        watch: Wraps the iterator over utterances, to show progress.

    Raises:
        InputError: `out` exists, a file does not decode, or the folds cannot be had.
    """
    spec = manifest.spec
    configs = list_configs(spec)
    split_of = {
        name: {
            u.key: split
            for split, members in partition(manifest, name, folds_dir=folds_dir).splits.items()
            for u in members
        }
        for name in configs
    }
    cells: dict[tuple[str, ...], list[Utterance]] = defaultdict(list)
    for utterance in manifest.utterances:
        cells[tuple(split_of[name].get(utterance.key, "") for name in configs)].append(utterance)
    progress = watch(manifest.utterances)
    with new_folder(out, overwrite=overwrite) as folder:
        (folder / "data").mkdir()
        files: dict[tuple[str, ...], list[str]] = {}
        for number, (cell, members) in enumerate(sorted(cells.items())):
            files[cell] = _write_cell(manifest, members, folder, f"data/{number:04d}", link=link, progress=progress)
        DatasetCard(_card(spec, configs, cells, files)).save(folder / "README.md")


def build_metric(out: Path, *, overwrite: bool = False) -> None:
    """Write the repository of the metric: module, card, demo app and requirements."""
    with new_folder(out, overwrite=overwrite) as folder:
        for source in resources.files("emobox_hf.metrics").joinpath(METRIC).iterdir():
            if source.is_file() and source.name != "__init__.py":
                (folder / source.name).write_bytes(source.read_bytes())


@contextmanager
def new_folder(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary folder beside `out` that takes its name when the block ends well and vanishes otherwise."""
    if out.exists() and not overwrite:
        raise InputError(f"{out} exists; give another --out, or --overwrite to replace it")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        folder = Path(scratch, out.name)
        folder.mkdir()
        yield folder
        if out.exists():
            out.rename(Path(scratch, "replaced"))
        shutil.move(folder, out)


def _write_cell(
    manifest: Manifest, utterances: Sequence[Utterance], folder: Path, stem: str, *, link: bool, progress: Iterable[Any]
) -> list[str]:
    """Write the rows of one cell into as many files as their size asks for; their paths in the repository.

    A file's name ends in a digest of its bytes: `datasets` files its cache of a local repository under the names alone,
    so a rebuilt one would be served from the old cache if they stayed the same.
    """
    spec = manifest.spec
    schema = row_features(spec).arrow_schema
    steps = iter(progress)
    names: list[str] = []
    writer: pq.ParquetWriter | None = None
    n_bytes = 0
    for start in range(0, len(utterances), ROWS_A_GROUP):
        group = utterances[start : start + ROWS_A_GROUP]
        audio = []
        for utterance in group:
            audio.append(audio_cell(spec, manifest.root, utterance, embed=not link))
            next(steps, None)
        table = row_table(spec, group, audio)
        if writer is None or n_bytes + table.nbytes > MAX_FILE_BYTES:
            if writer is not None:
                writer.close()
            names.append(f"{stem}-{len(names):04d}.parquet")
            writer, n_bytes = pq.ParquetWriter(folder / names[-1], schema), 0
        writer.write_table(table)
        n_bytes += table.nbytes
    if writer is not None:
        writer.close()
    return [_name_by_content(folder, name) for name in names]


def _name_by_content(folder: Path, name: str) -> str:
    digest = sha256_of_file(folder / name)[:8]
    return (
        (folder / name).rename(folder / name.replace(".parquet", f"-{digest}.parquet")).relative_to(folder).as_posix()
    )


def _card(
    spec: CorpusSpec,
    configs: Sequence[str],
    cells: dict[tuple[str, ...], list[Utterance]],
    files: dict[tuple[str, ...], list[str]],
) -> str:
    """The card: its header names the files and counts of each split of each configuration."""
    named = []
    infos = datasets.info.DatasetInfosDict()
    for index, config in enumerate(configs):
        splits = datasets.SplitDict()
        data_files = []
        for split in list_splits(config):
            members = [cell for cell in sorted(cells) if cell[index] == split]
            data_files.append({"split": split, "path": [name for cell in members for name in files[cell]]})
            splits.add(datasets.splits.SplitInfo(split, num_examples=sum(len(cells[cell]) for cell in members)))
        named.append({"config_name": config, "data_files": data_files})
        infos[config] = datasets.DatasetInfo(features=row_features(spec), splits=splits, config_name=config)
    data = DatasetCardData(**card_metadata(spec), configs=named)
    infos.to_dataset_card_data(data)
    return f"---\n{data.to_yaml()}\n---\n\n{card_body(spec)}"
