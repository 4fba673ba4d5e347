"""EmoBox's published lists: read from a folder the user names, or fetched once from the EmoBox repository."""

import os
from collections.abc import Sequence
from pathlib import Path

from emobox_hf.corpora.braces import expand_braces
from emobox_hf.corpora.configurations import CROSS_CORPUS
from emobox_hf.corpora.spec import BalancedList, CorpusSpec, Published
from emobox_hf.errors import InputError
from emobox_hf.files import cache_dir, parse_json, read_text, sha256_of_keys, whole_file

EMOBOX_COMMIT = "08280f279d47fb55d2c614061c70523d0a338d6b"
LISTS_URL = f"https://raw.githubusercontent.com/emo-box/EmoBox/{EMOBOX_COMMIT}/data"
FILE_WORDS = {"train": "train", "validation": "valid", "test": "test"}  # a split: the word in EmoBox's file names


def digests_of(published: Published) -> dict[str, str | None]:
    """The digest of each split's list; None where EmoBox has no such list."""
    return {
        "train": published.train_sha256,
        "validation": published.validation_sha256,
        "test": published.test_sha256,
    }


def list_needed(spec: CorpusSpec, folds_dir: str | os.PathLike[str] | None = None) -> dict[str, list[Path]]:
    """The lists of EmoBox's without which a configuration cannot be drawn, by its name; none where a rule draws it.

    Those under `folds_dir` or `$EMOBOX_FOLDS` if one is given, else those in the cache, which may yet be downloaded.
    """
    named = _named_folder(folds_dir)
    needed: dict[str, list[Path]] = {}
    if spec.folds.source == "list" or (named and spec.folds.source != "rule"):
        for number, published in enumerate(spec.folds.published, start=1):
            folder = named / spec.name / f"fold_{number}" if named else _downloads(spec, number)
            known = [split for split, digest in digests_of(published).items() if digest is not None]
            splits = ["test"] if named else known  # of lists that are named, those of other splits may be left out
            needed[f"fold{number}"] = [_list_path(spec, number, split, folder) for split in splits]
    if spec.drawn.published:
        needed[CROSS_CORPUS] = [_balanced_path(spec.drawn.published, named)]
    return needed


def find_lists(spec: CorpusSpec, number: int, folds_dir: str | os.PathLike[str] | None = None) -> Path | None:
    """The folder of a fold's lists under `folds_dir` or `$EMOBOX_FOLDS`; None if neither is given.

    Raises:
        InputError: The folder that was given has no lists of this fold.
    """
    named = _named_folder(folds_dir)
    if named is None:
        return None
    folder = named / spec.name / f"fold_{number}"
    if not folder.is_dir():
        origin = "folds_dir" if folds_dir is not None else "$EMOBOX_FOLDS"
        raise InputError(
            f"{origin} is {named}, which has no folder {spec.name}/fold_{number}; expected a folder laid out like the "
            "EmoBox repository's data/. Leave it unset to use the rule or the published lists"
        )
    return folder


def read_lists(spec: CorpusSpec, number: int, folder: Path) -> dict[str, set[str]]:
    """The keys of every list in a fold's folder, by split; the test list has to be there."""
    paths = {split: _list_path(spec, number, split, folder) for split in FILE_WORDS}
    if not paths["test"].is_file():
        raise InputError(f"{folder}: expected {paths['test'].name}, found {', '.join(sorted(os.listdir(folder)))}")
    return {split: _read_keys(path) for split, path in paths.items() if path.is_file()}


def download_lists(spec: CorpusSpec, number: int) -> Path:
    """The cached folder of a fold's lists, fetched from the EmoBox repository if need be.

    Every list is compared with its digest before it is kept.

    Raises:
        InputError: The repository cannot be reached, or serves another list.
    """
    folder = _downloads(spec, number)
    for split, digest in digests_of(spec.folds.published[number - 1]).items():
        path = _list_path(spec, number, split, folder)
        if digest is None or path.is_file():
            continue
        url = f"{LISTS_URL}/{spec.name}/{folder.name}/{path.name}"
        content = _download(url, f"fold {number} of {spec.name}")
        with whole_file(path) as part:
            part.write_bytes(content)
            found = sha256_of_keys(_read_keys(part))
            if found != digest:
                raise InputError(f"{url}: expected a list with digest {digest}, found {found}; it was not kept")
    return folder


def read_balanced_list(
    spec: CorpusSpec, balanced: BalancedList, folds_dir: str | os.PathLike[str] | None = None
) -> list[dict[str, str]]:
    """The rows of EmoBox's own cross-corpus test set: `wav_filename`, `label`, `speaker`.

    From `track2` under `folds_dir` or `$EMOBOX_FOLDS`, else from the EmoBox repository, once.

    Raises:
        InputError: The folder that was given has no such list, the repository cannot be reached, or a line is no row.
    """
    named = _named_folder(folds_dir)
    path = _balanced_path(balanced, named)
    if not path.is_file() and named:
        raise InputError(f"{path}: no such list of the cross-corpus test set of {spec.name}; expected EmoBox's data/")
    if not path.is_file():
        content = _download(f"{LISTS_URL}/track2/{balanced.file}", f"the cross-corpus test set of {spec.name}")
        with whole_file(path) as part:
            part.write_bytes(content)
            _read_rows(part, ("wav_filename", "label", "speaker"))
    return _read_rows(path, ("wav_filename", "label", "speaker"))


def known_keys(spec: CorpusSpec, folds_dir: str | os.PathLike[str] | None = None) -> set[str]:
    """All keys of a complete copy, from the spec's key patterns or the lists at hand; empty where neither tells.

    Lists that hold a part of the corpus tell nothing of the rest (MER2023's fold leaves two of its test parts out).
    """
    if spec.expected.keys:
        return {key for pattern in spec.expected.keys for key in expand_braces(pattern)}
    folder = find_lists(spec, 1, folds_dir) or _downloads(spec, 1)
    if not folder.is_dir():
        return set()
    keys = set().union(*read_lists(spec, 1, folder).values())
    return keys if len(keys) == spec.expected.utterances else set()


def _named_folder(folds_dir: str | os.PathLike[str] | None) -> Path | None:
    """`folds_dir`, else `$EMOBOX_FOLDS`, else None."""
    named = folds_dir if folds_dir is not None else os.environ.get("EMOBOX_FOLDS")
    return Path(named).expanduser() if named else None


def _list_path(spec: CorpusSpec, number: int, split: str, folder: Path) -> Path:
    return folder / f"{spec.name}_{FILE_WORDS[split]}_fold_{number}.jsonl"


def _balanced_path(balanced: BalancedList, named: Path | None) -> Path:
    return (named or cache_dir() / "folds" / EMOBOX_COMMIT) / "track2" / balanced.file


def _downloads(spec: CorpusSpec, number: int) -> Path:
    return cache_dir() / "folds" / EMOBOX_COMMIT / spec.name / f"fold_{number}"


def _download(url: str, what: str) -> bytes:
    from emobox_hf.web import Dropped, read_url  # costs as much as all else that is imported here

    try:
        return read_url(url)
    except (InputError, Dropped) as error:
        raise InputError(
            f"{what} is one of EmoBox's random lists, and it could not be read: {error}. Without a connection, "
            f"get the EmoBox repository at commit {EMOBOX_COMMIT[:7]} some other way and point $EMOBOX_FOLDS (or "
            "folds_dir, --folds-dir) at its folder data/"
        ) from error


def _read_keys(path: Path) -> set[str]:
    return {row["key"] for row in _read_rows(path, ("key",))}


def _read_rows(path: Path, fields: Sequence[str]) -> list[dict[str, str]]:
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        where = f"{path}, line {number}"
        row = parse_json(line, where)
        if not isinstance(row, dict) or not all(isinstance(row.get(field), str) for field in fields):
            raise InputError(f"{where}: expected a JSON object with {', '.join(fields)}")
        rows.append({field: row[field] for field in fields})
    return rows
