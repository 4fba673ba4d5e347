"""Sets of utterances as files: keys of one corpus under a digest, and how they were drawn.

A file is JSON: `corpus`, `sha256` (`files.sha256_of_keys`), `keys`, and anything else that says where it is from.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emobox_hf.corpora.manifest import Manifest
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError, first_five
from emobox_hf.files import read_json, sha256_of_keys, write_text


@dataclass(frozen=True)
class UtteranceSet:
    """Utterances of a corpus, sorted by key.

    Attributes:
        name: Of the file.
        utterances: Those that the manifest has.
        sha256: Digest of the keys that the file has.
        chosen_by: The model whose predictions the annotation had to agree with; empty where the file names none.
    """

    name: str
    utterances: tuple[Utterance, ...]
    sha256: str
    chosen_by: str


def write_set(path: Path, corpus: str, keys: frozenset[str], made_from: Mapping[str, Any]) -> str:
    """Write a set, whole or not at all, and give the digest of its keys."""
    digest = sha256_of_keys(keys)
    table = {"corpus": corpus, **made_from, "sha256": digest, "keys": sorted(keys)}
    write_text(path, json.dumps(table, indent=1, ensure_ascii=False) + "\n")
    return digest


def read_set(path: Path, manifest: Manifest) -> UtteranceSet:
    """The utterances of a set's file, without those that are missing from the corpus on disk.

    Raises:
        InputError: There is no such file or it is no set, its keys are not those of its digest, it is of another
            corpus, or a key is not the corpus's.
    """
    corpus = manifest.spec.name
    table = _read(path)
    keys = table["keys"]
    if table["corpus"] != corpus:
        raise InputError(f"{path}: expected a set of {corpus}, found one of {table['corpus']}")
    if twice := [key for key, count in Counter(keys).items() if count > 1]:
        raise InputError(f"{path}: each key once was expected; these come again: {first_five(twice)}")
    found = sha256_of_keys(keys)
    if found != table["sha256"]:
        raise InputError(
            f"{path}: its digest says {table['sha256'][:12]}, its {len(keys)} keys have {found[:12]}: it was changed "
            "since it was written; draw it again, or bring back the file that it was"
        )
    known = {u.key: u for u in manifest.utterances}
    if strays := sorted(set(keys) - known.keys() - manifest.missing.keys()):
        raise InputError(f"{path}: {len(strays)} of {len(keys)} keys are not in {manifest.root}: {first_five(strays)}")
    predictions = table.get("predictions")
    chosen_by = str(predictions.get("model", "")) if isinstance(predictions, dict) else ""
    return UtteranceSet(path.name, tuple(known[key] for key in sorted(keys) if key in known), found, chosen_by)


def _read(path: Path) -> dict[str, Any]:
    expected = "a set of utterances was expected, JSON with corpus, sha256 and keys, such as `emobox balance` writes"
    if not path.is_file():
        raise InputError(f"{path}: no such file; {expected}")
    try:
        table = read_json(path)
    except InputError as error:
        raise InputError(f"{error}; {expected}") from error
    kinds = {"corpus": str, "sha256": str, "keys": list}
    is_set = isinstance(table, dict) and all(isinstance(table.get(name), kind) for name, kind in kinds.items())
    if not is_set or not table["keys"] or not all(isinstance(key, str) for key in table["keys"]):
        found = ", ".join(table) if isinstance(table, dict) else type(table).__name__
        raise InputError(f"{path}: {expected}; found {found}")
    whole: dict[str, Any] = table
    return whole
