import dataclasses
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from safetensors import safe_open
from toy_clips import KEY, encoded_of

from emobox_hf.encoders.forward.backbone import Encoded
from emobox_hf.errors import InputError
from emobox_hf.features import DamagedShardError, FeatureStore, shard
from emobox_hf.features.housekeeping import find_garbage
from emobox_hf.features.storage import to_storage

DTYPES = ["float16", "bfloat16", "float32", "int8"]


def frames_of(*lengths, start=0.0):
    return [torch.arange(n * 2, dtype=torch.float32).reshape(n, 2) + start + 100 * i for i, n in enumerate(lengths)]


def features_of(*lengths, start=0.0):
    return encoded_of(*frames_of(*lengths, start=start))


def open_store(root, dtype="float32"):
    return FeatureStore.open(root, dataclasses.replace(KEY, storage_dtype=dtype))


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path)


def shards(store):
    return sorted(store.folder.glob("*.safetensors"))


def test_opening_a_store_writes_nothing(store):
    assert store.keys() == set()
    assert store.verify() == []
    assert not store.folder.exists()


def test_settings_are_written_for_people_to_read(store):
    store.write_shard(["a"], features_of(2))
    settings = json.loads((store.folder / "settings.json").read_text())
    assert settings == {"digest": KEY.digest, **dataclasses.asdict(KEY)}


def test_settings_are_written_before_any_shard(store, monkeypatch):
    def fail(*args, **kwargs):
        assert (store.folder / "settings.json").exists()
        raise OSError("disk full")

    monkeypatch.setattr("emobox_hf.features.tensorfile.write", fail)
    with pytest.raises(OSError, match="disk full"):
        store.write_shard(["a"], features_of(2))
    assert [path.name for path in store.folder.iterdir()] == ["settings.json"]


def test_features_come_back_in_the_order_asked_across_shards(store):
    a, b, c = features_of(2, 3, 1)
    store.write_shard(["a", "b"], [a, b])
    store.write_shard(["c"], [c])
    assert store.keys() == {"a", "b", "c"}
    asked = ["c", "b", "a", "b"]
    ragged = store.read(asked)
    assert ragged.offsets.tolist() == [0, 1, 4, 6, 9]
    for found, expected in zip(ragged.utterances(), [c, b, a, b], strict=True):
        assert torch.equal(found, expected.frames)
    pooled = store.read_pooled(asked)
    assert pooled.dtype == torch.float32
    assert torch.equal(pooled, torch.stack([one.pooled for one in (c, b, a, b)]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_keep_the_storage_dtype(tmp_path, dtype):
    store = open_store(tmp_path, dtype)
    encoded = encoded_of(torch.randn(30, 5), 100 + torch.randn(1, 5))
    store.write_shard(["a", "b"], encoded)
    found, pooled = store.read(["a", "b"]), store.read_pooled(["a", "b"])
    kept = torch.float16 if dtype == "int8" else getattr(torch, dtype)
    assert found.frames.dtype == kept
    for number, one in enumerate(encoded):
        assert torch.equal(pooled[number], one.pooled.to(kept).float())
        error = (found.utterances()[number] - one.frames.to(kept)).abs().amax(0).float()
        steps = (one.frames.amax(0) - one.frames.amin(0)) / 254
        # A step of int8 and a rounding of float16; other dtypes are what they are.
        bound = steps * 0.6 + one.frames.abs().amax(0) * 2**-10 if dtype == "int8" else torch.zeros(5)
        assert bool((error <= bound).all())
    assert store.verify() == []


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_shard_is_a_safetensors_file(tmp_path, dtype):
    store = open_store(tmp_path, dtype)
    encoded = features_of(2, 3)
    path = store.write_shard(["a", "b"], encoded)
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["features"] == store.key.digest
        assert file.get_tensor("offsets").tolist() == [0, 2, 5]
        frames = file.get_tensor("frames")
        assert frames.dtype == getattr(torch, dtype)
        if dtype != "int8":
            assert torch.equal(frames.float(), torch.cat([one.frames for one in encoded]))
        assert file.get_tensor("pooled").shape == (2, 2, 2, 2)
        assert set(file.keys()) - {"scales"} == {"offsets", "checks", "pooled", "frames"}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_is_kept_does_not_hold_on_to_a_batch(dtype):
    batch = torch.zeros(1000, 4, dtype=getattr(torch, dtype))
    kept = to_storage("a", Encoded(batch[:2], batch[:4].view(2, 2, 4)), dtype)
    assert kept.frames.untyped_storage().nbytes() == kept.frames.nbytes
    assert kept.pooled.untyped_storage().nbytes() == kept.pooled.nbytes


def test_missing_keys_are_named_with_what_to_run(store):
    store.write_shard(["a"], features_of(2))
    for read in (store.read, store.read_pooled):
        with pytest.raises(
            InputError, match=r"6 of 7 .*: b0, b1, b2, b3, b4 … and 1 more; run `emobox extract --corpus toy"
        ):
            read(["a", *(f"b{i}" for i in range(6))])


def test_a_key_in_two_shards_is_read_from_the_first_by_name(store):
    one, two, other = *features_of(2, 3), *features_of(3, start=50)
    store.write_shard(["a", "b"], [one, two], writer=1)
    store.write_shard(["a"], [other], writer=0)
    assert torch.equal(store.read(["a"]).frames, other.frames)
    assert torch.equal(store.read(["b"]).frames, two.frames)
    assert torch.equal(store.read_pooled(["a"])[0], other.pooled)


def test_writers_never_share_a_name_for_different_contents(store):
    one, other = features_of(2, 2)
    louder = one._replace(pooled=one.pooled + 1)
    paths = {store.write_shard(["a"], [one]), store.write_shard(["a"], [one], writer=1)}
    paths |= {store.write_shard(["b"], [one]), store.write_shard(["a"], [other]), store.write_shard(["a"], [louder])}
    assert len(paths) == 5
    # The same contents by the same writer are the same file.
    assert store.write_shard(["a"], [one]) in paths


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_any_flipped_byte_is_noticed(tmp_path, dtype):
    store = open_store(tmp_path, dtype)
    store.write_shard(["anna", "bert"], features_of(2, 3))
    (path,) = shards(store)
    contents = path.read_bytes()
    assert store.verify() == []
    for place in range(len(contents)):
        path.write_bytes(contents[:place] + bytes([contents[place] ^ 1]) + contents[place + 1 :])
        problems = store.verify()
        assert len(problems) == 1, f"byte {place}"
        assert path.name in problems[0]
        assert "extracts their utterances again" in problems[0]


def flip(path, tensor, place):
    """Change one byte of a tensor in a shard."""
    with safe_open(path, framework="pt") as file:
        size = {name: file.get_tensor(name).nbytes for name in file.offset_keys()}
    order = list(size)
    start = path.stat().st_size - sum(size[name] for name in order[order.index(tensor) :])
    contents = bytearray(path.read_bytes())
    contents[start + place % size[tensor]] ^= 1
    path.write_bytes(contents)


@pytest.mark.parametrize(
    ("tensor", "of_frames", "of_pooled"),
    [
        ("frames", True, False),
        ("scales", True, False),
        ("pooled", False, True),
        ("offsets", True, True),
        ("checks", True, True),
    ],
)
def test_damage_is_noticed_by_whoever_reads_it_and_no_one_else(tmp_path, tensor, of_frames, of_pooled):
    store = open_store(tmp_path, "int8")
    store.write_shard(["anna", "bert"], features_of(2, 3))
    flip(shards(store)[0], tensor, -1)
    for read, is_hit in ((store.read, of_frames), (store.read_pooled, of_pooled)):
        if not is_hit:
            assert len(read(["anna", "bert"])) == 2
            continue
        with pytest.raises(InputError, match=r"of utterance bert changed since they were written|changed since"):
            read(["anna", "bert"])
    if tensor in ("frames", "scales", "pooled"):
        assert len(store.read(["anna"])) == 1  # the first utterance is whole
        with pytest.raises(InputError, match="of utterance bert changed"):
            (store.read if of_frames else store.read_pooled)(["bert"])


def test_reading_a_subset_leaves_other_shards_alone(store):
    for number, name in enumerate("abc"):
        store.write_shard([name], features_of(2), writer=number)
    flip(shards(store)[1], "frames", 0)
    assert len(store.read(["a", "c"])) == 2
    with pytest.raises(InputError, match="of utterance b changed"):
        store.read(["a", "b"])


def test_an_index_is_read_once_in_a_process(store, monkeypatch):
    store.write_shard(["a"], features_of(2))
    reads = []
    read_header = shard.tensorfile.read_header
    monkeypatch.setattr(shard.tensorfile, "read_header", lambda *args: reads.append(1) or read_header(*args))
    assert store.keys() == FeatureStore.open(store.folder.parents[1], KEY).keys() == {"a"}
    assert len(reads) == 1
    store.write_shard(["b"], features_of(2))
    assert store.keys() == {"a", "b"}
    assert len(reads) == 2


@pytest.mark.parametrize("size", [0, 5, 100, -1])
def test_a_torn_shard_is_reported_and_never_read(store, size):
    store.write_shard(["a"], features_of(2))
    store.write_shard(["b"], features_of(4))
    torn = shards(store)[0]
    torn.write_bytes(torn.read_bytes()[:size])
    (problem,) = store.verify()
    assert "damaged" in problem
    for look in (store.keys, lambda: store.read(["a"]), lambda: store.read_pooled(["a"])):
        with pytest.raises(InputError, match=rf"{torn.name}: .*damaged"):
            look()


def test_a_shard_of_other_features_is_reported_and_never_read(store, tmp_path):
    other = FeatureStore.open(tmp_path, dataclasses.replace(KEY, layer=2))
    store.write_shard(["a"], features_of(2))
    foreign = other.write_shard(["b"], features_of(2))
    shutil.copy(foreign, store.folder / foreign.name)
    assert len(store.verify()) == 1
    with pytest.raises(InputError, match="found another file"):
        store.keys()


def test_shards_of_different_encoders_in_one_store_are_refused(store):
    store.write_shard(["a"], features_of(2))
    store.write_shard(["b"], encoded_of(torch.zeros(2, 3)))
    with pytest.raises(InputError, match="layers of"):
        store.read(["a", "b"])


def test_foreign_files_are_reported_and_hidden_leftovers_are_not(store):
    store.write_shard(["a"], features_of(2))
    (store.folder / ".0000-aa.safetensors.x.part").write_bytes(b"half a shard")
    assert store.verify() == []
    (store.folder / "notes.txt").write_text("mine")
    assert ["notes.txt" in problem for problem in store.verify()] == [True]
    assert store.keys() == {"a"}


def test_a_folder_with_other_settings_is_refused(store, tmp_path):
    store.write_shard(["a"], features_of(2))
    (store.folder / "settings.json").write_text("{}")
    with pytest.raises(InputError, match="settings"):
        FeatureStore.open(tmp_path, KEY)


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_overflow_names_the_utterance_and_the_way_out(tmp_path, dtype):
    store = open_store(tmp_path, dtype)
    with pytest.raises(InputError, match=rf"utterance b: frames reach 7e\+04, more than {dtype}.*float32 or bfloat16"):
        store.write_shard(["a", "b"], [*features_of(1), Encoded(torch.full((1, 2), 7e4), torch.zeros(2, 2, 2))])
    with pytest.raises(InputError, match=r"utterance b: pooled vectors reach 7e\+04"):
        store.write_shard(["b"], [Encoded(torch.zeros(1, 2), torch.full((2, 2, 2), 7e4))])
    assert store.keys() == set()


@pytest.mark.parametrize("values", [["nan"], ["inf"], ["-inf"], ["inf", "-inf"], ["inf", "nan"]], ids=" and ".join)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "int8"])
def test_numbers_that_are_not_finite_are_refused(tmp_path, values, dtype):
    frames = torch.ones(50, 70)
    for place, value in enumerate(values):
        frames[31 + place, 17] = float(value)
    with pytest.raises(InputError, match=r"utterance a: .*not finite.*float32 or bfloat16"):
        open_store(tmp_path, dtype).write_shard(["a"], encoded_of(frames))


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_the_largest_numbers_of_both_signs_are_stored(tmp_path, dtype):
    largest = torch.finfo(getattr(torch, dtype)).max
    frames = torch.tensor([[largest, -largest]])
    store = open_store(tmp_path, dtype)
    store.write_shard(["a"], [Encoded(frames, torch.zeros(1, 2, 2))])
    assert torch.equal(store.read(["a"]).frames.float(), frames)


@pytest.mark.parametrize("shape", [(0, 4), (4,), (1, 2, 3)])
def test_frames_of_a_wrong_shape_are_refused(store, shape):
    with pytest.raises(InputError, match=r"utterance a: expected frames \(time, dim\)"):
        store.write_shard(["a"], [Encoded(torch.zeros(shape), torch.zeros(1, 2, 4))])


@pytest.mark.parametrize("shape", [(2, 4), (1, 2, 3), (1, 3, 4)])
def test_pooled_vectors_of_a_wrong_shape_are_refused(store, shape):
    with pytest.raises(InputError, match=r"utterance a: expected pooled vectors \(layers, 2, 4\)"):
        store.write_shard(["a"], [Encoded(torch.zeros(3, 4), torch.zeros(shape))])


@pytest.mark.parametrize("how", ["torn", "flipped", "index", "foreign", "gone"])
def test_damaged_shards_are_set_aside_and_the_others_stay(store, tmp_path, how):
    for number, name in enumerate("abc"):
        store.write_shard([name], features_of(2), writer=number)
    hit = shards(store)[1]
    if how == "torn":
        hit.write_bytes(hit.read_bytes()[:50])
    elif how == "flipped":
        flip(hit, "pooled", 0)
    elif how == "index":
        flip(hit, "checks", 0)
    elif how == "foreign":
        other = FeatureStore.open(tmp_path / "other", dataclasses.replace(KEY, layer=2))
        hit.write_bytes(other.write_shard(["b"], features_of(2)).read_bytes())
    else:
        hit.unlink()
        with pytest.raises(DamagedShardError, match="cannot be read"):
            shard.open_shard(hit, KEY)
    problems = store.set_aside_damaged()
    assert len(problems) == (0 if how == "gone" else 1)
    assert store.keys() == {"a", "c"}
    assert store.verify() == []
    store.write_shard(["b"], features_of(2), writer=1)
    assert store.keys() == {"a", "b", "c"}


def test_processes_that_set_aside_at_once_do_so_once(store):
    for number in range(20):
        store.write_shard([f"u{number}"], features_of(2), writer=number)
        if number % 2:
            flip(shards(store)[number], "frames", 0)
    with ThreadPoolExecutor(4) as pool:
        told = [problem for found in pool.map(lambda _: store.set_aside_damaged(), range(4)) for problem in found]
    assert len(told) == len(set(told)) == 10
    assert store.keys() == {f"u{number}" for number in range(0, 20, 2)}
    garbage = [one for one in find_garbage(store.folder.parents[1]) if "damaged" in one.reason]
    assert len(garbage) == 10


def test_a_shard_that_was_made_again_meanwhile_is_kept(store, monkeypatch):
    path = store.write_shard(["a"], features_of(2))
    whole, verify_shard = path.read_bytes(), shard.verify_shard
    flip(path, "frames", 0)

    def verify_slowly(one, key):
        try:
            verify_shard(one, key)
        except DamagedShardError:
            path.unlink()
            path.write_bytes(whole)  # by another process, under the same name
            raise

    monkeypatch.setattr("emobox_hf.features.store.verify_shard", verify_slowly)
    assert store.set_aside_damaged() == []
    assert store.keys() == {"a"}
    assert [one.name for one in store.folder.iterdir() if one.name != "settings.json"] == [path.name]


def test_a_shard_that_another_process_sets_aside_is_not_there(store, monkeypatch):
    paths = [store.write_shard([name], features_of(2), writer=number) for number, name in enumerate("ab")]
    open_shard = shard.open_shard

    def open_late(path, key):
        if path == paths[0]:
            path.rename(path.with_name(f".{path.name}.damaged"))
        return open_shard(path, key)

    monkeypatch.setattr("emobox_hf.features.store.open_shard", open_late)
    assert store.keys() == {"b"}


def test_a_shard_cut_short_while_it_is_open_is_damaged(store):
    path = store.write_shard(["a"], features_of(4000))
    (found,) = store.shards()
    os.truncate(path, 4096)
    with pytest.raises(DamagedShardError, match="cannot be read"):
        found.read_frames([0], [torch.empty(4000, 2)])
