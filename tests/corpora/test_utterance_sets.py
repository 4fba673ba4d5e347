"""A set of utterances as a file: read back as it was drawn, or refused."""

import json
from pathlib import Path

import pytest
from speech import make_polish

from emobox_hf.corpora.manifest import Manifest, search_corpus
from emobox_hf.corpora.spec import load_spec
from emobox_hf.corpora.utterance_sets import read_set, write_set
from emobox_hf.errors import InputError


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    spec, root = load_spec("polish"), tmp_path_factory.mktemp("polish")
    make_polish(root, spec)
    return search_corpus(spec, root)


@pytest.fixture
def path(manifest: Manifest, tmp_path: Path) -> Path:
    keys = frozenset(u.key for u in manifest.utterances[::50])
    write_set(tmp_path / "set.json", "polish", keys, {"seed": 3})
    return tmp_path / "set.json"


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


def test_a_set_is_read_as_it_was_written(manifest: Manifest, path: Path) -> None:
    found = read_set(path, manifest)
    assert list(found.utterances) == list(manifest.utterances[::50])
    assert found.name == "set.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    assert (table["sha256"], table["seed"], table["corpus"]) == (found.sha256, 3, "polish")


def test_a_changed_set_is_refused(manifest: Manifest, path: Path) -> None:
    keys = json.loads(path.read_text(encoding="utf-8"))["keys"]
    change(path, keys=keys[1:])
    with pytest.raises(InputError, match=r"it was changed since it was written"):
        read_set(path, manifest)
    change(path, keys=[*keys, keys[0]])
    with pytest.raises(InputError, match=r"each key once"):
        read_set(path, manifest)


def test_unknown_keys_and_a_foreign_corpus_are_refused(manifest: Manifest, tmp_path: Path) -> None:
    strays = frozenset(f"polish-x{number}" for number in range(7))
    write_set(tmp_path / "set.json", "polish", strays | {manifest.utterances[0].key}, {})
    with pytest.raises(InputError, match=r"7 of 8 keys are not in .*: polish-x0, .*polish-x4 … and 2 more"):
        read_set(tmp_path / "set.json", manifest)
    write_set(tmp_path / "set.json", "savee", strays, {})
    with pytest.raises(InputError, match="expected a set of polish, found one of savee"):
        read_set(tmp_path / "set.json", manifest)


@pytest.mark.parametrize("text", ["", "[]", '{"corpus": "polish"}', '{"corpus": "polish", "sha256": "0", "keys": [1]}'])
def test_what_is_no_set_is_refused(manifest: Manifest, tmp_path: Path, text: str) -> None:
    (tmp_path / "set.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"JSON with corpus, sha256 and keys"):
        read_set(tmp_path / "set.json", manifest)
    with pytest.raises(InputError, match="no such file"):
        read_set(tmp_path / "absent.json", manifest)


def test_half_a_character_is_no_text(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"corpus": "polish", "sha256": "a", "keys": ["\\ud800"]}', encoding="utf-8")
    with pytest.raises(InputError, match=r"s\.json: not JSON in UTF-8: .*surrogates not allowed"):
        read_set(tmp_path / "s.json", manifest)
