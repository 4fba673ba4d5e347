import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from toy_clips import KEY, ToyEncoder, make_clips, make_waveform

from emobox_hf.errors import InputError
from emobox_hf.features import Clip, FeatureStore, LeftOut, extract

ROOT = Path(__file__).parents[2]
CLIPS = make_clips(40)
KEYS = [clip.key for clip in CLIPS]
SMALL = {"batch_s": 2.0, "shard_s": 3.0}


def start_python(code: str, *arguments: object) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What one process gets in one go."""
    store = FeatureStore.open(tmp_path_factory.mktemp("undisturbed"), KEY)
    extract(CLIPS, ToyEncoder(), store, **SMALL)
    return store.read(KEYS)


@pytest.fixture
def store(tmp_path):
    return FeatureStore.open(tmp_path, KEY)


def assert_complete(store, undisturbed):
    assert store.verify() == []
    found = store.read(KEYS)
    assert torch.equal(found.offsets, undisturbed.offsets)
    assert torch.equal(found.frames, undisturbed.frames)


def test_every_clip_is_stored_with_its_frames(store):
    report = extract(CLIPS, ToyEncoder(), store, **SMALL)
    assert (report.n_extracted, report.n_cached, report.left_out) == (40, 0, ())
    assert report.audio_s == pytest.approx(sum(clip.duration_s for clip in CLIPS))
    assert report.wall_s > 0
    for number, found in enumerate(store.read(KEYS).utterances()):
        blocks = torch.from_numpy(make_waveform(number)).reshape(-1, 320)
        assert torch.equal(found[:, 0], blocks.mean(1))
    assert len(list(store.folder.glob("*.safetensors"))) > 3


def test_a_second_run_encodes_nothing(store):
    extract(CLIPS, ToyEncoder(), store, **SMALL)
    encoder = ToyEncoder()
    report = extract(CLIPS, encoder, store, **SMALL)
    assert (report.n_extracted, report.n_cached, encoder.seen) == (0, 40, [])


def test_a_run_after_a_killed_writer_loses_nothing_and_repeats_the_bits(store, undisturbed, tmp_path):
    code = """
import os, signal, sys
from pathlib import Path
from emobox_hf.features import FeatureStore, extract, shard
from toy_clips import KEY, ToyEncoder, make_clips

save, calls = shard.save_file, []
def die_in_the_third_write(tensors, path, metadata):
    save(tensors, path, metadata=metadata)
    calls.append(path)
    if len(calls) == 3:
        os.truncate(path, os.path.getsize(path) // 2)
        os.kill(os.getpid(), signal.SIGKILL)
shard.save_file = die_in_the_third_write
extract(make_clips(40), ToyEncoder(), FeatureStore.open(Path(sys.argv[1]), KEY), batch_s=2.0, shard_s=3.0)
"""
    process = start_python(code, tmp_path)
    assert process.wait(timeout=60) == -signal.SIGKILL, process.stderr.read()
    assert len(list(store.folder.glob("*.safetensors"))) == 2
    assert len(list(store.folder.glob(".*.part"))) == 1
    before = store.keys()
    assert 0 < len(before) < 40
    assert store.verify() == []

    report = extract(CLIPS, ToyEncoder(), store, **SMALL)
    assert (report.n_extracted, report.n_cached) == (40 - len(before), len(before))
    assert_complete(store, undisturbed)


def test_two_runs_at_once_do_not_harm_each_other(store, undisturbed, tmp_path):
    code = """
import sys
from pathlib import Path
from emobox_hf.features import FeatureStore, extract
from toy_clips import KEY, ToyEncoder, make_clips
store = FeatureStore.open(Path(sys.argv[1]), KEY)
extract(make_clips(40), ToyEncoder(), store, batch_s=2.0, shard_s=float(sys.argv[2]))
"""
    # Shards of different sizes, so that keys come to lie in two shards.
    processes = [start_python(code, tmp_path, shard_s) for shard_s in (3.0, 5.0)]
    for process in processes:
        assert process.wait(timeout=60) == 0, process.stderr.read()
    assert_complete(store, undisturbed)


@pytest.mark.parametrize("world_size", [2, 3, 7])
def test_any_number_of_processes_gives_the_same_bits(store, undisturbed, world_size):
    # One after the other: the late ones find the store half full and must not take it for a shorter list of work.
    reports = [extract(CLIPS, ToyEncoder(), store, rank=r, world_size=world_size, **SMALL) for r in range(world_size)]
    assert sum(report.n_extracted for report in reports) == 40
    assert_complete(store, undisturbed)


def test_a_run_can_go_on_with_another_number_of_processes(store, undisturbed):
    first = extract(CLIPS, ToyEncoder(), store, rank=1, world_size=2, **SMALL)
    reports = [extract(CLIPS, ToyEncoder(), store, rank=r, world_size=3, **SMALL) for r in range(3)]
    assert first.n_extracted + sum(report.n_extracted for report in reports) == 40
    assert first.n_extracted == sum(report.n_cached for report in reports)
    assert_complete(store, undisturbed)


def test_the_order_of_the_list_does_not_matter(store, undisturbed):
    extract(CLIPS[::-1], ToyEncoder(), store, **SMALL)
    assert_complete(store, undisturbed)


def test_processes_get_like_amounts_of_seconds(store):
    seconds = [extract(CLIPS, ToyEncoder(), store, rank=r, world_size=4, **SMALL).audio_s for r in range(4)]
    assert max(seconds) - min(seconds) <= SMALL["batch_s"]


def test_an_interruption_loses_the_current_shard_alone(store):
    class Interrupted(ToyEncoder):
        def encode(self, waveforms):
            if len(self.seen) == 6:
                raise KeyboardInterrupt
            return super().encode(waveforms)

    encoder = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        extract(CLIPS, encoder, store, **SMALL)
    assert store.verify() == []
    lost = sum(encoder.seen) - len(store.keys())
    assert store.keys()
    assert lost <= 3 * max(encoder.seen)


def test_stopping_at_a_clip_keeps_what_was_done(store):
    clips = make_clips(40, unreadable=[11])
    with pytest.raises(InputError, match=r"toy-011 cannot be encoded: file 11 is torn; .*on_error"):
        extract(clips, ToyEncoder(), store, batch_s=2.0)
    assert 0 < len(store.keys()) < 40
    report = extract(CLIPS, ToyEncoder(), store, batch_s=2.0)
    assert report.n_cached + report.n_extracted == 40


def test_skipping_reports_each_clip_left_out(store):
    report = extract(make_clips(40, unreadable=[3, 11]), ToyEncoder(), store, on_error="skip", **SMALL)
    assert report.n_extracted == 38
    assert sorted(report.left_out, key=lambda one: one.key) == [
        LeftOut("toy-003", "file 3 is torn"),
        LeftOut("toy-011", "file 11 is torn"),
    ]
    assert store.keys() == set(KEYS) - {"toy-003", "toy-011"}


class Picky(ToyEncoder):
    """Refuses a batch that holds a clip below eight frames, as an encoder does that needs so much."""

    def encode(self, waveforms):
        if min(map(len, waveforms)) < 8 * 320:
            raise InputError("too short")
        return super().encode(waveforms)


def test_a_clip_the_encoder_refuses_does_not_take_its_batch_along(store):
    short = {clip.key for clip in CLIPS if clip.duration_s < 8 * 0.02}
    report = extract(CLIPS, Picky(), store, on_error="skip", **SMALL)
    assert {one.key for one in report.left_out} == short != set()
    assert {one.reason for one in report.left_out} == {"too short"}
    assert store.keys() == set(KEYS) - short


def test_frames_that_are_not_finite_name_their_clip(store):
    class Overflowing(ToyEncoder):
        def encode(self, waveforms):
            outputs = super().encode(waveforms)
            return [
                frames / 0 if np.array_equal(waveform, make_waveform(5)) else frames
                for waveform, frames in zip(waveforms, outputs, strict=True)
            ]

    with pytest.raises(InputError, match=r"utterance toy-005.*not finite"):
        extract(CLIPS, Overflowing(), store, **SMALL)


def test_two_clips_with_one_key_are_refused(store):
    with pytest.raises(InputError, match="come twice: toy-004"):
        extract([*CLIPS, CLIPS[4]], ToyEncoder(), store)


@pytest.mark.parametrize("wrong", [{"batch_s": 0}, {"shard_s": -1.0}, {"batch_s": float("nan")}])
def test_sizes_that_are_not_positive_are_refused(store, wrong):
    with pytest.raises(InputError, match="above 0"):
        extract(CLIPS, ToyEncoder(), store, **wrong)


def test_no_clips_are_no_work(store):
    assert extract([], ToyEncoder(), store).n_extracted == 0


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "rank", "shown"), [(Terminal(), 0, True), (Terminal(), 1, False), (io.StringIO(), 0, False)]
)
def test_progress_is_for_the_first_process_on_a_terminal(store, monkeypatch, stream, rank, shown):
    monkeypatch.setattr(sys, "stderr", stream)
    extract(CLIPS, ToyEncoder(), store, rank=rank, world_size=2, progress=True, **SMALL)
    assert ("extract" in stream.getvalue()) == shown


def test_a_clip_is_read_only_when_it_is_needed(store):
    reads = []
    clip = Clip("a", 1.0, lambda: reads.append(1) or make_waveform(0))
    extract([clip], ToyEncoder(), store)
    extract([clip], ToyEncoder(), store)
    assert len(reads) == 1


def test_a_batch_is_counted_as_the_encoder_pads_it(store):
    """Like Whisper: each clip takes 30 s, so batches of 60 s hold two clips, short as they are."""

    class Padding(ToyEncoder):
        sizes: ClassVar[list[int]] = []

        def padded_s(self, duration_s):
            return 30.0

        def encode(self, waveforms):
            self.sizes.append(len(waveforms))
            return super().encode(waveforms)

    extract(CLIPS, Padding(), store, batch_s=60.0)
    assert set(Padding.sizes) == {2}
