import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from toy_clips import KEY

from emobox_hf.errors import InputError
from emobox_hf.features import FeatureStore


def frames_of(*lengths, start=0.0):
    return [torch.arange(n * 2, dtype=torch.float32).reshape(n, 2) + start + 100 * i for i, n in enumerate(lengths)]


@pytest.fixture
def store(tmp_path):
    return FeatureStore.open(tmp_path, KEY)


def shards(store):
    return sorted(store.folder.glob("*.safetensors"))


def test_opening_a_store_writes_nothing(store):
    assert store.keys() == set()
    assert store.verify() == []
    assert not store.folder.exists()


def test_settings_are_written_for_people_to_read(store):
    store.write_shard(["a"], frames_of(2))
    settings = json.loads((store.folder / "settings.json").read_text())
    assert settings == {"digest": KEY.digest, **dataclasses.asdict(KEY)}


def test_settings_are_written_before_any_shard(store, monkeypatch):
    def fail(*args, **kwargs):
        assert (store.folder / "settings.json").exists()
        raise OSError("disk full")

    monkeypatch.setattr("emobox_hf.features.shard.save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        store.write_shard(["a"], frames_of(2))
    assert [path.name for path in store.folder.iterdir()] == ["settings.json"]


def test_frames_come_back_in_the_order_asked_across_shards(store):
    a, b, c = frames_of(2, 3, 1)
    store.write_shard(["a", "b"], [a, b])
    store.write_shard(["c"], [c.numpy()])
    assert store.keys() == {"a", "b", "c"}
    ragged = store.read(["c", "b", "a", "b"])
    assert ragged.offsets.tolist() == [0, 1, 4, 6, 9]
    for found, expected in zip(ragged.utterances(), [c, b, a, b], strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("name", "dtype"), [("float16", torch.float16), ("bfloat16", torch.bfloat16), ("float32", torch.float32)]
)
def test_frames_keep_the_storage_dtype(tmp_path, name, dtype):
    store = FeatureStore.open(tmp_path, dataclasses.replace(KEY, storage_dtype=name))
    (frames,) = frames_of(3)
    store.write_shard(["a"], [frames])
    assert store.read(["a"]).frames.dtype == dtype
    assert torch.equal(store.read(["a"]).frames, frames.to(dtype))
    assert store.verify() == []


def test_missing_keys_are_named_with_what_to_run(store):
    store.write_shard(["a"], frames_of(2))
    with pytest.raises(InputError, match=r"6 of 7 .*: b0, b1, b2, b3, b4 … and 1 more; run `emobox extract toy"):
        store.read(["a", *(f"b{i}" for i in range(6))])


def test_a_key_in_two_shards_is_read_from_the_first_by_name(store):
    one, two = frames_of(2, 3)
    store.write_shard(["a", "b"], [one, two], writer=1)
    store.write_shard(["a"], [two + 1], writer=0)
    assert torch.equal(store.read(["a"]).frames, two + 1)
    assert torch.equal(store.read(["b"]).frames, two)


def test_writers_never_share_a_name_for_different_contents(store):
    frames = frames_of(2)
    paths = {store.write_shard(["a"], frames), store.write_shard(["a"], frames, writer=1)}
    paths |= {store.write_shard(["b"], frames), store.write_shard(["a"], [frames[0] + 1])}
    assert len(paths) == 4
    # The same contents by the same writer are the same file.
    assert store.write_shard(["a"], frames) in paths


@pytest.mark.parametrize("part", ["frames", "offsets", "keys"])
def test_a_flipped_byte_is_noticed(store, part):
    store.write_shard(["anna", "bert"], frames_of(2, 3))
    (path,) = shards(store)
    contents = bytearray(path.read_bytes())
    place = {
        "frames": len(contents) - 3,
        "offsets": contents.index(np.array([0, 2, 5], dtype=np.int64).tobytes()) + 8,
        "keys": contents.index(b"bert"),
    }[part]
    assert store.verify() == []
    contents[place] ^= 1
    path.write_bytes(contents)
    (problem,) = store.verify()
    assert path.name in problem
    assert "extract again" in problem


@pytest.mark.parametrize("size", [0, 5, 100, -1])
def test_a_torn_shard_is_reported_and_never_read(store, size):
    store.write_shard(["a"], frames_of(2))
    store.write_shard(["b"], frames_of(4))
    torn = shards(store)[0]
    torn.write_bytes(torn.read_bytes()[:size])
    (problem,) = store.verify()
    assert "damaged" in problem
    for look in (store.keys, lambda: store.read(["a"])):
        with pytest.raises(InputError, match=rf"damaged.*delete .*{torn.name}"):
            look()


def test_a_shard_of_other_features_is_reported_and_never_read(store, tmp_path):
    other = FeatureStore.open(tmp_path, dataclasses.replace(KEY, layer=2))
    store.write_shard(["a"], frames_of(2))
    foreign = other.write_shard(["b"], frames_of(2))
    shutil.copy(foreign, store.folder / foreign.name)
    assert len(store.verify()) == 1
    with pytest.raises(InputError, match="found another file"):
        store.keys()


def test_foreign_files_are_reported_and_hidden_leftovers_are_not(store):
    store.write_shard(["a"], frames_of(2))
    (store.folder / ".0000-aa.safetensors.x.part").write_bytes(b"half a shard")
    assert store.verify() == []
    (store.folder / "notes.txt").write_text("mine")
    assert ["notes.txt" in problem for problem in store.verify()] == [True]
    assert store.keys() == {"a"}


def test_a_folder_with_other_settings_is_refused(store, tmp_path):
    store.write_shard(["a"], frames_of(2))
    (store.folder / "settings.json").write_text("{}")
    with pytest.raises(InputError, match="settings"):
        FeatureStore.open(tmp_path, KEY)


def test_float16_overflow_names_the_utterance_and_the_way_out(tmp_path):
    store = FeatureStore.open(tmp_path, dataclasses.replace(KEY, storage_dtype="float16"))
    with pytest.raises(InputError, match=r"utterance b: frames reach 7e\+04.*float32 or bfloat16"):
        store.write_shard(["a", "b"], [torch.ones(1, 2), torch.full((1, 2), 7e4)])
    assert store.keys() == set()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_frames_that_are_not_finite_are_refused(store, value):
    with pytest.raises(InputError, match=r"utterance a: .*not finite.*float32 or bfloat16"):
        store.write_shard(["a"], [torch.tensor([[1.0, value]])])


@pytest.mark.parametrize("shape", [(0, 4), (4,), (1, 2, 3)])
def test_frames_of_a_wrong_shape_are_refused(store, shape):
    with pytest.raises(InputError, match=r"utterance a: expected frames \(time, dim\)"):
        store.write_shard(["a"], [torch.zeros(shape)])
