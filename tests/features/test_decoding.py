"""Decoding in worker processes: the same sounds in the same order, and no trace of the workers."""

import multiprocessing
import os
import time
from functools import partial

import numpy as np
import pytest
import torch
from toy_clips import KEY, ToyEncoder, make_clips, make_waveform

from emobox_hf import cores
from emobox_hf.errors import InputError
from emobox_hf.features import FeatureStore, LeftOut, decoding, extract
from emobox_hf.features.decoding import BATCHES_AHEAD, Decoders, decode_ahead, default_workers


def read_where(number):
    """The process that reads, in place of a sound."""
    return np.array([os.getpid()], dtype=np.float64)


def note_and_read(folder, number):
    (folder / str(number)).touch()
    return make_waveform(number)


def batches_of(clips, size=4):
    return [clips[start : start + size] for start in range(0, len(clips), size)]


@pytest.mark.parametrize("n_workers", [0, 1, 2])
def test_sounds_come_in_the_order_asked(n_workers):
    batches = batches_of(make_clips(21, unreadable=[6]))
    found = list(decode_ahead(batches, n_workers=n_workers))
    assert [[clip.key for clip, _ in batch] for batch in found] == [[clip.key for clip in batch] for batch in batches]
    for number, (_, sound) in enumerate(pair for batch in found for pair in batch):
        if number == 6:
            assert isinstance(sound, InputError)
            assert str(sound) == "file 6 is torn"
        else:
            assert sound.dtype == np.float32
            assert np.array_equal(sound, make_waveform(number))


@pytest.mark.parametrize("n_workers", [0, 2])
def test_workers_are_other_processes_and_go_when_they_are_done(n_workers):
    found = list(decode_ahead(batches_of(make_clips(16, read=read_where)), n_workers=n_workers))
    where = {int(sound[0]) for batch in found for _, sound in batch}
    assert len(where - {os.getpid()}) == n_workers
    assert multiprocessing.active_children() == []


def test_no_more_is_decoded_ahead_than_is_agreed(tmp_path):
    clips = make_clips(40, read=partial(note_and_read, tmp_path))
    decoded = decode_ahead(batches_of(clips, 1), n_workers=2)
    next(decoded)
    time.sleep(0.5)  # for workers that would run on
    # One was taken, and room was made for another.
    assert 2 <= len(list(tmp_path.iterdir())) <= 2 * BATCHES_AHEAD + 1
    decoded.close()
    assert multiprocessing.active_children() == []


def fail(number):
    raise OSError(5, "Input/output error", f"file {number}")


@pytest.mark.parametrize("n_workers", [0, 1])
def test_an_error_that_is_no_input_error_is_raised_here(n_workers):
    with pytest.raises(OSError, match="Input/output error"):
        list(decode_ahead(batches_of(make_clips(8, read=fail)), n_workers=n_workers))


def test_the_callers_random_numbers_stay_as_they_are():
    before = torch.get_rng_state()
    list(decode_ahead(batches_of(make_clips(4)), n_workers=1))
    assert torch.equal(torch.get_rng_state(), before)


def test_extraction_with_workers_gives_the_same_bits(tmp_path):
    stores = [FeatureStore.open(tmp_path / str(n), KEY) for n in (0, 2)]
    for n_workers, store in zip((0, 2), stores, strict=True):
        report = extract(
            make_clips(40, unreadable=[9]),
            ToyEncoder(),
            store,
            batch_s=2.0,
            shard_s=3.0,
            n_workers=n_workers,
            on_error="skip",
        )
        assert report.left_out == (LeftOut("toy-009", "file 9 is torn"),)
    keys = sorted(stores[0].keys())
    assert len(keys) == 39
    assert torch.equal(stores[0].read(keys).frames, stores[1].read(keys).frames)


@pytest.mark.parametrize(
    ("n_cores", "environment", "expected"),
    [
        (1, {}, 0),
        (2, {}, 1),
        (16, {}, 8),
        (16, {"LOCAL_WORLD_SIZE": "4"}, 3),
        (8, {"LOCAL_WORLD_SIZE": "8"}, 0),
        (2, {"LOCAL_WORLD_SIZE": "8"}, 0),
    ],
)
def test_workers_by_default_leave_a_core_to_each_process(monkeypatch, n_cores, environment, expected):
    monkeypatch.setattr(decoding, "count_cores", lambda: n_cores)
    assert default_workers("cpu", environment) == expected


def test_a_gpu_leaves_more_cores_to_workers(monkeypatch):
    for n_cores, expected in ((2, 1), (16, 15), (64, 32)):
        monkeypatch.setattr(decoding, "count_cores", lambda n_cores=n_cores: n_cores)
        assert default_workers("cuda", {}) == expected
    assert default_workers("cuda", {"LOCAL_WORLD_SIZE": "8"}) == 7


def die(number):
    os._exit(3)


def test_a_worker_that_dies_is_told_with_what_to_do():
    with pytest.raises(RuntimeError, match=r"ended with exit code 3; .*--workers"):
        list(decode_ahead(batches_of(make_clips(8, read=die)), n_workers=2))
    assert multiprocessing.active_children() == []


class OddError(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def fail_oddly(number):
    raise OddError(number, "two")


def test_an_error_that_pickle_does_not_take_is_told_in_words():
    with pytest.raises(Exception, match="0 and two"):
        list(decode_ahead(batches_of(make_clips(8, read=fail_oddly)), n_workers=1))


def test_decoders_serve_one_extraction_after_the_other_from_before_the_encoder_was_there(tmp_path):
    clips = make_clips(20)
    with Decoders(clips, n_workers=2) as decoders:
        before = {child.pid for child in multiprocessing.active_children()}
        assert len(before) == 2
        for name in ("one", "two"):
            store = FeatureStore.open(tmp_path / name, KEY)
            extract(clips[5:], ToyEncoder(), store, batch_s=2.0, decoders=decoders)
            assert len(store.keys()) == 15
        assert {child.pid for child in multiprocessing.active_children()} == before
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("quota", "expected"), [("max 100000", 12), ("250000 100000", 2), ("50000 100000", 1), ("9900000 100000", 12)]
)
def test_cores_are_those_of_the_container(monkeypatch, tmp_path, quota, expected):
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    monkeypatch.setattr(cores, "_CPU_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(12)), raising=False)
    assert cores.count_cores() == expected
    monkeypatch.setattr(cores, "_CPU_QUOTA", tmp_path / "none")
    assert cores.count_cores() == 12
