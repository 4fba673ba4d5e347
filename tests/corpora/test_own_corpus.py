"""A corpus of one's own in one TOML file: found, checked, split, loaded."""

import subprocess
import sys
from pathlib import Path

import pytest
from layout import touch
from speech import wav_bytes

from emobox_hf.corpora.configurations import list_configs
from emobox_hf.corpora.folds import partition
from emobox_hf.corpora.manifest import build_manifest
from emobox_hf.corpora.spec import list_corpora, load_spec, read_spec
from emobox_hf.errors import InputError

SPEC = """
name = "mine"
title = "My corpus"
version = "1.0.0"
languages = ["nl"]

[discovery]
strategy = "paths"
pattern = '(?P<speaker>s\\d)/(?P<emotion>\\w)\\d+\\.wav'
key = "mine-{speaker}-{stem}"

[labels]
a = "Angry"
n = "Neutral"

[folds]
source = "rule"
count = 4

[expected]
utterances = 24
speakers = 4
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    touch(tmp_path / "data", [f"s{s}/{e}{i}.wav" for s in range(1, 5) for e in "an" for i in range(3)], wav_bytes())
    path = tmp_path / "mine.toml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def test_a_corpus_of_one_s_own_has_the_folds_of_emobox_s_rule(mine):
    spec = load_spec(str(mine))
    assert list_configs(spec) == [*(f"{kind}fold{i}" for kind in ("", "si_") for i in range(1, 5)), "all"]
    manifest = build_manifest(spec, mine.parent / "data")
    tests = [partition(manifest, f"fold{i}").splits["test"] for i in range(1, 5)]
    assert sorted(u.speaker for test in tests for u in test[:1]) == ["s1", "s2", "s3", "s4"]
    assert [len({u.speaker for u in test}) for test in tests] == [1] * 4


def test_a_wrong_count_says_the_right_one(mine):
    mine.write_text(SPEC.replace("count = 4", "count = 5"), encoding="utf-8")
    manifest = build_manifest(load_spec(str(mine)), mine.parent / "data")
    with pytest.raises(InputError, match=r"rule gives 4 folds.*set it to 4"):
        partition(manifest, "fold1")


def test_a_change_of_the_file_is_seen_at_once(mine):
    before = load_spec(str(mine)).digest
    mine.write_text(SPEC.replace('a = "Angry"', 'a = "Happy"'), encoding="utf-8")
    assert load_spec(str(mine)).digest != before


def test_what_an_error_says_to_type_is_what_was_typed(mine, monkeypatch):
    monkeypatch.chdir(mine.parent)
    spec = load_spec("./mine.toml")
    (mine.parent / "data/s1/a0.wav").unlink()
    with pytest.raises(
        InputError, match=r"23 of 24 utterances.*`emobox check \./mine\.toml --data-dir \S+/data --all`"
    ):
        build_manifest(spec, "data")
    assert spec == read_spec(mine)
    assert spec.digest == read_spec(mine).digest


def test_a_corpus_that_is_not_found_is_not_said_to_be_had_from_nowhere(mine):
    with pytest.raises(InputError, match="My corpus was not found; looked in") as raised:
        build_manifest(str(mine), mine.parent / "absent")
    for nothing in ("Get it from", "access:", "Expected tree"):
        assert nothing not in str(raised.value)


def test_a_code_that_the_spec_lacks_is_named_with_what_to_do(mine):
    touch(mine.parent / "data", ["s1/x0.wav"])
    with pytest.raises(
        InputError, match=r"s1/x0\.wav has the emotion code 'x', which is neither in \[labels\] nor in "
    ):
        build_manifest(str(mine), mine.parent / "data")


def test_a_file_that_is_not_there_is_refused():
    with pytest.raises(InputError, match=r"absent\.toml: no such file"):
        load_spec("./absent.toml")


def test_datasets_loads_it_by_its_file(mine, tmp_path):
    code = (
        "import emobox_hf, datasets;"
        f"fold = datasets.load_dataset('emobox/./mine.toml', 'fold1', data_dir='data', cache_dir={str(tmp_path)!r});"
        "assert {name: len(split) for name, split in fold.items()} == {'train': 14, 'validation': 4, 'test': 6}, fold"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=mine.parent)


@pytest.mark.parametrize("name", list_corpora())
def test_specs_of_the_project_say_more_than_they_have_to(name):
    """What a corpus of one's own may leave out, the project's may not."""
    spec = load_spec(name)
    assert all((spec.homepage, spec.licence, spec.obtain, spec.citation, spec.source, spec.tree.strip()))
    assert spec.folds.published
    assert spec.folds.source != "rule"
