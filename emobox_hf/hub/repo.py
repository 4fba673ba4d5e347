"""Script-free repositories: a corpus as Parquet files and a card that names the files of each configuration.

Every utterance is stored once. Utterances that share their split in every configuration lie in the same files, so that
each split of each fold is a list of whole files.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from huggingface_hub import DatasetCard, DatasetCardData, metadata_load

import emobox_hf
from emobox_hf.corpora.configurations import list_splits
from emobox_hf.corpora.folds import Partition
from emobox_hf.corpora.manifest import Manifest
from emobox_hf.corpora.row_order import list_cells, list_partitions, order_rows
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError
from emobox_hf.files import sha256_of_file
from emobox_hf.hub.builder import audio_cell, row_features, row_table
from emobox_hf.hub.cards import audit_table, card_body, card_metadata
from emobox_hf.hub.register import METRIC

MAX_FILE_BYTES = 500_000_000
# What a reader, and `emobox build`, hold in memory at once: one row group of a Parquet file.
ROWS_A_GROUP = 100
MAX_GROUP_BYTES = 32_000_000
# The field of a card's header that says what a folder holds, and by what it was written.
MARK = "emobox"


@dataclass(frozen=True, slots=True)
class _File:
    """A data file: its path in the repository, its rows, their size as Arrow tables and its own on disk, in bytes."""

    name: str
    n_rows: int
    n_bytes: int
    size: int


def build_repository(
    manifest: Manifest,
    out: Path,
    *,
    folds_dir: str | os.PathLike[str] | None = None,
    link: bool = False,
    overwrite: bool = False,
    max_file_bytes: int = MAX_FILE_BYTES,
    watch: Any = iter,
) -> None:
    """Write the repository of a corpus: `README.md` and `data/*.parquet`, whole or not at all.

    Args:
        manifest: The corpus.
        out: The folder to make; its last part is the name that `load_dataset` will show.
        folds_dir: A folder of EmoBox's lists; see `folds.partition`.
        link: Store paths into the corpus instead of 16 kHz mono FLAC, where a path does.
        overwrite: Replace `out` if it exists, and is a repository that was built here.
        max_file_bytes: Size of a data file, not counting its footer; a longer utterance has a file of its own.
        watch: Wraps the iterator over utterances, to show progress.

    Raises:
        InputError: `out` exists, a file does not decode, or the folds cannot be had.
    """
    partitions = list_partitions(manifest, folds_dir=folds_dir)
    cell_of = list_cells(partitions)
    ordered = order_rows(manifest.utterances, cell_of)
    with new_folder(out, overwrite=overwrite) as folder:
        (folder / "data").mkdir()
        files: dict[tuple[str, ...], list[_File]] = {}
        for number, (cell, members) in enumerate(groupby(watch(ordered), key=lambda member: cell_of[member.key])):
            groups = _row_groups(manifest, members, link=link, max_bytes=min(MAX_GROUP_BYTES, max_file_bytes))
            files[cell] = _write_files(groups, folder, f"data/{number:04d}", max_file_bytes=max_file_bytes)
        DatasetCard(_card(manifest, partitions, files)).save(folder / "README.md")


def build_metric(out: Path, *, overwrite: bool = False) -> None:
    """Write the repository of the metric: module, card, demo app and requirements."""
    with new_folder(out, overwrite=overwrite) as folder:
        for name in metric_files():
            (folder / name).write_bytes(resources.files("emobox_hf.metrics").joinpath(METRIC, name).read_bytes())


def metric_files() -> list[str]:
    """The names of the files of the metric's repository."""
    found = resources.files("emobox_hf.metrics").joinpath(METRIC).iterdir()
    return sorted(source.name for source in found if source.is_file() and source.name != "__init__.py")


def read_card(folder: Path) -> dict[str, Any]:
    """The YAML header of a folder's `README.md`; empty if there is none."""
    try:
        return dict(metadata_load(folder / "README.md") or {})
    except (OSError, ValueError, yaml.YAMLError):
        return {}


def check_repository(folder: Path) -> list[str]:
    """The data files that the card of a built corpus names, sorted, after a look at each.

    Raises:
        InputError: A file is missing or has changed since it was built, or holds paths of this machine, not sound.
    """
    header = read_card(folder)
    splits = [split for config in header.get("configs", ()) for split in config["data_files"]]
    names = sorted({name for split in splits for name in split["path"]})
    again = f"build the folder again: `emobox build {header[MARK]['corpus']} --out {folder} --overwrite`"
    for name in names:
        if not (folder / name).is_file():
            raise InputError(f"{folder} is not complete: its card names {name}, which is not there; {again}")
        if not name.endswith(f"-{sha256_of_file(folder / name)[:8]}.parquet"):
            raise InputError(f"{folder / name} is not what was built: its digest is not the one in its name; {again}")
        if _holds_paths(folder / name):
            raise InputError(
                f"{folder} was built with --link: {name} holds paths of this machine, which are of no use elsewhere; "
                f"{again}, without --link"
            )
    return names


@contextmanager
def new_folder(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary folder beside `out` that takes its name when the block ends well and vanishes otherwise."""
    if out.exists() and not overwrite:
        raise InputError(f"{out} exists; give another --out, or --overwrite to replace it")
    if out.exists() and not _may_be_replaced(out):
        raise InputError(f"{out} was not written by `emobox build`, so it is not replaced; give another --out")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        folder, replaced = Path(scratch, "new"), Path(scratch, "replaced")
        folder.mkdir()
        yield folder
        try:
            if out.exists():
                out.rename(replaced)
            folder.rename(out)
        except BaseException:  # Ctrl-C between the two must not cost the old folder
            if replaced.exists() and not out.exists():
                replaced.rename(out)
            raise


def _may_be_replaced(out: Path) -> bool:
    if not out.is_dir():
        return False
    return MARK in read_card(out) or (out / f"{METRIC}.py").is_file() or not any(out.iterdir())


def _row_groups(
    manifest: Manifest, utterances: Iterable[Utterance], *, link: bool, max_bytes: int
) -> Iterator[pa.Table]:
    """Tables of ROWS_A_GROUP rows, fewer where their sound would take more than `max_bytes` together."""
    members: list[Utterance] = []
    audio: list[dict[str, Any]] = []
    n_bytes = 0
    for utterance in utterances:
        cell = audio_cell(manifest.spec, manifest.root, utterance, embed=not link)
        size = len(cell["bytes"] or b"")
        if members and (len(members) == ROWS_A_GROUP or n_bytes + size > max_bytes):
            yield row_table(manifest.spec, members, audio)
            members, audio, n_bytes = [], [], 0
        members.append(utterance)
        audio.append(cell)
        n_bytes += size
    yield row_table(manifest.spec, members, audio)


def _write_files(groups: Iterator[pa.Table], folder: Path, stem: str, *, max_file_bytes: int) -> list[_File]:
    """Write row groups into as many files as their size asks for.

    A file's name ends in a digest of its bytes: `datasets` files its cache of a local repository under the names alone,
    so a rebuilt one would be served from the old cache if they stayed the same.
    """
    files: list[_File] = []
    group = next(groups, None)
    while group is not None:
        path = folder / f"{stem}-{len(files):04d}.parquet"
        n_rows = n_bytes = 0
        with pq.ParquetWriter(path, group.schema) as writer:
            while group is not None and (n_rows == 0 or n_bytes + group.nbytes <= max_file_bytes):
                writer.write_table(group)
                n_rows, n_bytes = n_rows + group.num_rows, n_bytes + group.nbytes
                group = next(groups, None)
        path = path.rename(path.with_stem(f"{path.stem}-{sha256_of_file(path)[:8]}"))
        files.append(_File(path.relative_to(folder).as_posix(), n_rows, n_bytes, path.stat().st_size))
    return files


def _holds_paths(path: Path) -> bool:
    """Whether the sound of any row is elsewhere, going by the counts of nulls in the file's footer."""
    footer = pq.read_metadata(path)
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    columns = [group.column(i) for group in groups for i in range(footer.num_columns)]
    return any(column.statistics.null_count for column in columns if column.path_in_schema == "audio.bytes")


def _card(manifest: Manifest, partitions: Mapping[str, Partition], files: dict[tuple[str, ...], list[_File]]) -> str:
    """The card: its header names the files, counts and sizes of each split of each configuration."""
    spec = manifest.spec
    named = []
    infos = datasets.info.DatasetInfosDict()
    for index, config in enumerate(partitions):
        splits = datasets.SplitDict()
        data_files = []
        for split in list_splits(config):
            members = [file for cell in sorted(files) if cell[index] == split for file in files[cell]]
            if not members:  # in a copy that lacks files
                continue
            data_files.append({"split": split, "path": [file.name for file in members]})
            n_rows, n_bytes = sum(file.n_rows for file in members), sum(file.n_bytes for file in members)
            splits.add(datasets.splits.SplitInfo(split, num_bytes=n_bytes, num_examples=n_rows))
        named.append({"config_name": config, "data_files": data_files})
        infos[config] = datasets.DatasetInfo(
            features=row_features(spec),
            splits=splits,
            config_name=config,
            download_size=sum(file.size for cell in files if cell[index] for file in files[cell]),
            dataset_size=sum(split.num_bytes for split in splits.values()),
        )
    mark = {"corpus": spec.name, "version": spec.version, "package": emobox_hf.__version__, "absent": manifest.n_absent}
    data = DatasetCardData(**{**card_metadata(spec), "configs": named, MARK: mark})
    infos.to_dataset_card_data(data)
    lacks = f"> This copy lacks {manifest.n_absent} of {spec.expected.utterances} utterances.\n\n"
    body = f"{card_body(spec, is_built=True)}\n{audit_table(spec, partitions)}"
    return f"---\n{data.to_yaml()}\n---\n\n{lacks if manifest.n_absent else ''}{body}"
