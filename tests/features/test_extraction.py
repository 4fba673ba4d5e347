import dataclasses
import io
import itertools
import logging
import sys
from typing import ClassVar

import numpy as np
import pytest
import torch
from toy_clips import CLIPS, KEY, KEYS, SMALL, ToyEncoder, assert_complete, make_clips, make_waveform, statistics_of

from emobox_hf.errors import InputError, MissingPackageError
from emobox_hf.features import Clip, FeatureStore, LeftOut, extract
from emobox_hf.features.writing import ShardWriter
from emobox_hf.progress import Pace


def test_every_clip_is_stored_with_its_frames(store):
    report = extract(CLIPS, ToyEncoder(), store, **SMALL)
    assert (report.n_extracted, report.n_cached, report.left_out) == (40, 0, ())
    assert report.audio_s == pytest.approx(sum(clip.duration_s for clip in CLIPS))
    assert report.wall_s > 0
    pooled = store.read_pooled(KEYS)
    for number, found in enumerate(store.read(KEYS).utterances()):
        blocks = torch.from_numpy(make_waveform(number)).reshape(-1, 320)
        assert torch.equal(found[:, 0], blocks.mean(1))
        assert torch.equal(pooled[number, -1], statistics_of(found))
    assert len(list(store.folder.glob("*.safetensors"))) > 3


def test_a_second_run_encodes_nothing(store):
    extract(CLIPS, ToyEncoder(), store, **SMALL)
    encoder = ToyEncoder()
    report = extract(CLIPS, encoder, store, **SMALL)
    assert (report.n_extracted, report.n_cached, encoder.seen) == (0, 40, [])


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


def test_stopping_at_a_clip_keeps_what_was_done(store):
    clips = make_clips(40, unreadable=[11])
    with pytest.raises(InputError, match=r"toy-011 cannot be encoded: file 11 is torn; .*on_error"):
        extract(clips, ToyEncoder(), store, batch_s=2.0, n_workers=0)
    assert 0 < len(store.keys()) < 40
    report = extract(CLIPS, ToyEncoder(), store, batch_s=2.0, n_workers=0)
    assert report.n_cached + report.n_extracted == 40


def test_skipping_reports_each_clip_left_out(store):
    report = extract(make_clips(40, unreadable=[3, 11]), ToyEncoder(), store, on_error="skip", **SMALL)
    assert report.n_extracted == 38
    assert sorted(report.left_out, key=lambda one: one.key) == [
        LeftOut("toy-003", "file 3 is torn"),
        LeftOut("toy-011", "file 11 is torn"),
    ]
    assert store.keys() == set(KEYS) - {"toy-003", "toy-011"}


@pytest.mark.parametrize("n_workers", [0, 1])
def test_a_package_that_is_not_installed_leaves_out_no_clip(store, n_workers):
    def lack(number):
        raise MissingPackageError("soxr is not installed")

    with pytest.raises(MissingPackageError, match="soxr is not installed"):
        extract(make_clips(3, read=lack), ToyEncoder(), store, n_workers=n_workers, on_error="skip")


def test_frames_that_are_not_finite_name_their_clip(store):
    class Overflowing(ToyEncoder):
        def encode(self, waveforms):
            outputs = super().encode(waveforms)
            return [
                one._replace(frames=one.frames / 0) if np.array_equal(waveform, make_waveform(5)) else one
                for waveform, one in zip(waveforms, outputs, strict=True)
            ]

    with pytest.raises(InputError, match=r"utterance toy-005.*not finite"):
        extract(CLIPS, Overflowing(), store, **SMALL)
    report = extract(CLIPS, Overflowing(), store, on_error="skip", **SMALL)
    assert [one.key for one in report.left_out] == ["toy-005"]
    assert store.keys() == set(KEYS) - {"toy-005"}


def test_two_clips_with_one_key_are_refused(store):
    with pytest.raises(InputError, match="come twice: toy-004"):
        extract([*CLIPS, CLIPS[4]], ToyEncoder(), store)


@pytest.mark.parametrize("wrong", [{"batch_s": 0}, {"shard_s": -1.0}, {"batch_s": float("nan")}, {"n_workers": -1}])
def test_sizes_that_are_not_positive_are_refused(store, wrong):
    with pytest.raises(InputError, match=r"above 0|0 or more"):
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


@pytest.mark.parametrize("rank", [0, 1])
def test_lines_are_of_the_first_process_where_there_is_no_terminal(store, monkeypatch, caplog, rank):
    now = itertools.count(step=10)
    monkeypatch.setattr("emobox_hf.progress.PACE", Pace(clock=lambda: next(now), tick_s=0))
    caplog.set_level(logging.INFO, logger="emobox_hf")
    extract(CLIPS, ToyEncoder(), store, rank=rank, world_size=2, progress=True, **SMALL)
    assert [line.startswith("extract: ") for line in caplog.messages[:2]] == [True, True][: 2 * (1 - rank)]
    assert any("extract: done, " in line for line in caplog.messages) == (rank == 0)
    caplog.clear()
    now = itertools.count()  # nothing is missing the second time, which takes a second
    extract(CLIPS, ToyEncoder(), store, rank=rank, world_size=2, progress=True, **SMALL)
    assert caplog.messages == []


def test_a_clip_is_read_only_when_it_is_needed(store):
    reads = []
    clip = Clip("a", 1.0, lambda: reads.append(1) or make_waveform(0))
    for _ in range(2):
        extract([clip], ToyEncoder(), store, n_workers=0)
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

    report = extract(CLIPS, Padding(), store, batch_s=60.0, n_workers=0)
    assert set(Padding.sizes) == {2}
    assert report.computed_s == 40 * 30
    assert report.padding == pytest.approx(1 - report.audio_s / 1200)


def test_the_report_counts_padding(store):
    report = extract(CLIPS, ToyEncoder(), store, **SMALL)
    assert report.audio_s < report.computed_s
    assert 0 < report.padding < 0.05
    assert extract(CLIPS, ToyEncoder(), store, **SMALL).padding == 0


def test_a_full_disk_stops_the_run_and_keeps_whole_shards(store, monkeypatch):
    write, calls = FeatureStore.write_stored, []

    def fill_up(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return write(self, *args, **kwargs)

    monkeypatch.setattr(FeatureStore, "write_stored", fill_up)
    with pytest.raises(OSError, match="No space left"):
        extract(CLIPS, ToyEncoder(), store, **SMALL)
    assert 0 < len(store.keys()) < 40
    assert store.verify() == []


def test_a_slow_encoders_work_is_written_every_minute(store, monkeypatch):
    monkeypatch.setattr("emobox_hf.features.writing.FLUSH_S", 0.0)
    extract(CLIPS, encoder := ToyEncoder(), store, batch_s=2.0, n_workers=0)
    assert len(list(store.folder.glob("*.safetensors"))) == len(encoder.seen)


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_pooled_vectors_and_frames_share_a_shard_in_any_dtype(tmp_path, dtype):
    store = FeatureStore.open(tmp_path, dataclasses.replace(KEY, storage_dtype=dtype))
    extract(CLIPS, ToyEncoder(), store, **SMALL)
    expected = [statistics_of(frames.float()) for frames in store.read(KEYS).utterances()]
    found = store.read_pooled(KEYS)[:, -1]
    # The third dimension is a length in samples, up to 12,480: half precision knows it to 4.
    torch.testing.assert_close(found, torch.stack(expected), atol=4.0, rtol=0)
    torch.testing.assert_close(found[..., :2], torch.stack(expected)[..., :2], atol=0.02, rtol=0)


def test_the_thread_that_writes_leaves_the_cores_to_the_encoder(store):
    before = torch.get_num_threads()
    counted = []

    def fetched():
        counted.append(torch.get_num_threads())
        return [ToyEncoder().encode([make_waveform(0)])[0]]

    torch.set_num_threads(2)
    try:
        with ShardWriter(store, writer=0, shard_s=3.0, report=lambda _: None) as writer:
            writer.put(CLIPS[:1], fetched)
        assert counted == [1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
