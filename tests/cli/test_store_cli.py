"""`emobox store ls`, `verify`, `gc`: what they print, what they delete, how they end."""

import dataclasses
import json
import os
import time
from pathlib import Path

import pytest
import torch
from toy_clips import KEY, encoded_of

from emobox_hf.cli.main import main
from emobox_hf.features import FeatureStore
from emobox_hf.files import cache_dir

DAY_S = 24 * 3600


def fill(root, *, layer=-1, dtype="float32", shards=(("a", "b"), ("c",))):
    store = FeatureStore.open(root, dataclasses.replace(KEY, layer=layer, storage_dtype=dtype))
    for number, keys in enumerate(shards):
        store.write_shard(keys, encoded_of(*(torch.ones(3, 2) for _ in keys)), writer=number)
    return store


def damage(path: Path):
    contents = bytearray(path.read_bytes())
    contents[-1] ^= 1
    path.write_bytes(contents)


def make_old(path: Path, age_s: float):
    os.utime(path, (time.time() - age_s,) * 2)


def outdate(store):
    """As an older version of the package would have left it."""
    path = store.folder / "settings.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "feature_format": 1}))


def run(capsys, *arguments):
    code = main(["store", *map(str, arguments)])
    return code, capsys.readouterr().out


def test_ls_is_a_line_for_each_store(tmp_path, capsys):
    store = fill(tmp_path)
    fill(tmp_path, layer=3, dtype="int8", shards=(("a",), ("a",)))
    code, text = run(capsys, "ls", "--features", tmp_path)
    assert code == 0
    assert "2 stores" in text
    code, text = run(capsys, "ls", "--features", tmp_path, "--json")
    rows = {row["layer"]: row for row in json.loads(text)}
    assert code == 0
    assert rows[-1]["store"] == store.key.folder
    assert (rows[-1]["corpus"], rows[-1]["encoder"], rows[-1]["context"]) == ("toy", "someone/encoder", "clip")
    assert (rows[-1]["n_utterances"], rows[-1]["n_frames"], rows[-1]["problem"]) == (3, 9, "")
    assert rows[-1]["n_bytes"] == sum(path.stat().st_size for path in store.folder.iterdir())
    # What is held twice counts once.
    assert (rows[3]["storage_dtype"], rows[3]["n_utterances"], rows[3]["n_frames"]) == ("int8", 1, 3)


def test_ls_shows_age_and_what_cannot_be_read(tmp_path, capsys):
    store = fill(tmp_path, shards=(("a",),))
    (shard,) = store.folder.glob("*.safetensors")
    shard.write_bytes(b"torn")
    for path in store.folder.iterdir():
        make_old(path, 3 * DAY_S)
    code, text = run(capsys, "ls", "--features", tmp_path)
    assert code == 0
    assert "3 d" in text
    assert f"{shard}: expected a whole shard" in text


def test_without_a_folder_the_cache_is_meant(capsys):
    assert run(capsys, "ls")[1].startswith(f"no features in {cache_dir() / 'features'}")
    fill(cache_dir() / "features")
    assert "someone/encoder" in run(capsys, "ls")[1]


def test_verify_ends_with_1_where_a_byte_changed(tmp_path, capsys):
    store, other = fill(tmp_path), fill(tmp_path, layer=3)
    code, text = run(capsys, "verify", "--features", tmp_path)
    assert code == 0
    assert text.count("whole") == 2
    shard = min(store.folder.glob("*.safetensors"))
    damage(shard)
    code, text = run(capsys, "verify", "--features", tmp_path)
    assert code == 1
    assert text.count("\n") == 2
    assert f"{shard}: frames of utterance b changed" in text
    code, text = run(capsys, "verify", "--features", tmp_path, "--json")
    assert code == 1
    assert {name: len(problems) for name, problems in json.loads(text).items()} == {
        store.key.folder: 1,
        other.key.folder: 0,
    }


def test_verify_takes_a_store_or_a_corpus(tmp_path, capsys):
    damage(min(fill(tmp_path).folder.glob("*.safetensors")))
    other = fill(tmp_path, layer=3)
    assert run(capsys, "verify", other.key.folder, "--features", tmp_path) == (0, f"{other.key.folder}: whole\n")
    assert run(capsys, "verify", "toy", "--features", tmp_path)[0] == 1
    assert main(["store", "verify", "toi", "--features", str(tmp_path)]) == 2
    assert "did you mean 'toy'?" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"feature_format": 99}'])
def test_verify_reports_settings_that_are_no_settings(tmp_path, capsys, text):
    store = fill(tmp_path)
    (store.folder / "settings.json").write_text(text)
    code, found = run(capsys, "verify", "--features", tmp_path)
    assert code == 1
    assert "settings.json: " in found


def test_gc_shows_first_and_deletes_with_yes(tmp_path, capsys):
    store, old = fill(tmp_path, shards=(("a", "b"), ("c",), ("a", "c"))), fill(tmp_path, layer=3)
    outdate(old)
    double = store.folder / next(path.name for path in store.folder.glob("0002-*"))
    dead, fresh = store.folder / ".0000-aa.safetensors.x.part", store.folder / ".0000-bb.safetensors.y.part"
    for part, age_s in ((dead, 2 * DAY_S), (fresh, 3600)):
        part.write_bytes(b"half a shard")
        make_old(part, age_s)

    code, shown = run(capsys, "gc", "--features", tmp_path)
    assert code == 0
    assert "would be freed" in shown
    assert all(path.exists() for path in (double, dead, fresh, old.folder))

    code, text = run(capsys, "gc", "--features", tmp_path, "--yes", "--json")
    garbage = json.loads(text)
    assert code == 0
    assert garbage["removed"] is True
    assert {Path(one["path"]) for one in garbage["garbage"]} == {double, dead, old.folder}
    assert all(str(one["path"]) in shown for one in garbage["garbage"])
    assert not any(path.exists() for path in (double, dead, old.folder))
    assert fresh.exists()
    assert store.keys() == {"a", "b", "c"}
    assert store.verify() == []
    assert run(capsys, "gc", "--features", tmp_path)[1] == "nothing to remove\n"


def test_gc_keeps_the_second_copy_of_what_is_damaged(tmp_path, capsys):
    store = fill(tmp_path, shards=(("a", "b"), ("a",)))
    damage(min(store.folder.glob("*.safetensors")))
    assert run(capsys, "gc", "--features", tmp_path, "--yes")[1] == "nothing to remove\n"
    assert len(list(store.folder.glob("*.safetensors"))) == 2


def test_gc_leaves_what_it_did_not_write(tmp_path, capsys):
    store = fill(tmp_path)
    outdate(store)
    (store.folder / "notes.txt").write_text("mine")
    run(capsys, "gc", "--features", tmp_path, "--yes")
    assert [path.name for path in store.folder.iterdir()] == ["notes.txt"]


def test_gc_leaves_features_of_a_newer_version(tmp_path, capsys):
    store = fill(tmp_path)
    path = store.folder / "settings.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "feature_format": 99}))
    assert run(capsys, "gc", "--features", tmp_path, "--yes")[1] == "nothing to remove\n"
    assert "update the package" in run(capsys, "verify", "--features", tmp_path)[1]
