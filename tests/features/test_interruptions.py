"""Real processes, really stopped: what they leave behind is whole, and the next run ends with the same bits."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_clips import CLIPS, KEY, SMALL, ToyEncoder, assert_complete

from emobox_hf.features import FeatureStore, extract

ROOT = Path(__file__).parents[2]

# An encoder that says when it starts and takes its time; it waits for a word before the first batch.
SLOW = """
import sys, time
from pathlib import Path
from emobox_hf.features import FeatureStore, extract
from toy_clips import KEY, ToyEncoder, make_clips

class Slow(ToyEncoder):
    def encode(self, waveforms):
        print("batch", flush=True)
        if not self.seen:
            sys.stdin.readline()
        time.sleep(float(sys.argv[2]))
        return super().encode(waveforms)

if __name__ == "__main__":
    store = FeatureStore.open(Path(sys.argv[1]), KEY)
    extract(make_clips(40), Slow(), store, batch_s=2.0, shard_s=float(sys.argv[3]), n_workers=int(sys.argv[4]))
"""


def start_python(code, *arguments):
    paths = [str(ROOT), str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def list_children(pid):
    return [int(number) for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid):
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and command.read_bytes() != b""  # empty once it has ended, though nobody has asked how


def wait_for_batches(process, n):
    for number in range(n):
        assert process.stdout.readline() == "batch\n", process.stderr.read()
        if number == 0 < n - 1:
            go_on(process)


def go_on(process):
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_run_killed_again_and_again_ends_with_the_same_bits(store, undisturbed, tmp_path):
    chance = random.Random(3)
    before = 0
    for n_workers in (0, 2, 0):
        process = start_python(SLOW, tmp_path, 0.02, 1.0, n_workers)
        wait_for_batches(process, 3)
        time.sleep(chance.random() / 10)
        process.kill()
        process.wait(timeout=60)
        assert store.verify() == []
        assert before <= len(store.keys()) < 40
        before = len(store.keys())
    assert before > 0
    # Going on as two processes.
    reports = [extract(CLIPS, ToyEncoder(), store, rank=rank, world_size=2, **SMALL) for rank in range(2)]
    assert sum(report.n_extracted for report in reports) == 40 - before
    assert_complete(store, undisturbed)


@pytest.mark.skipif(sys.platform != "linux", reason="children are looked up in /proc")
def test_workers_of_a_killed_run_end_though_nobody_reads_what_they_decoded(tmp_path):
    process = start_python(SLOW, tmp_path, 0.02, 1.0, 3)
    wait_for_batches(process, 1)
    workers = list_children(process.pid)
    assert len(workers) >= 3
    time.sleep(1)  # until the pipe is full: a batch is larger than what it holds
    process.kill()
    process.wait(timeout=60)
    deadline = time.monotonic() + 30
    while alive := [pid for pid in workers if is_running(pid)]:
        assert time.monotonic() < deadline, f"{alive} live on"
        time.sleep(0.1)


def test_a_program_that_keeps_an_unfinished_extraction_ends_all_the_same():
    """As a notebook does whose last error is kept, with every frame that it went through."""
    code = """
from emobox_hf.features.decoding import decode_ahead
from toy_clips import make_clips
if __name__ == "__main__":
    kept = decode_ahead([[clip] for clip in make_clips(40)], n_workers=2)
    print(len(next(kept)))
"""
    process = start_python(code)
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (0, "1\n", "")


def test_a_writer_killed_in_the_middle_of_a_shard_leaves_a_hidden_part_alone(store, undisturbed, tmp_path):
    code = """
import os, signal, sys, time
from pathlib import Path
from emobox_hf.features import FeatureStore, extract, tensorfile
from toy_clips import KEY, ToyEncoder, make_clips

write, calls = tensorfile.write, []
def die_in_the_third_write(file, extents, metadata, content):
    calls.append(file)
    if len(calls) == 3:
        file.write(b"half a shard")
        file.flush()
        while len(list(Path(sys.argv[1]).rglob("[!.]*.safetensors"))) < 2:  # others are written at the same time
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    if len(calls) > 3:
        time.sleep(60)
    write(file, extents, metadata, content)
tensorfile.write = die_in_the_third_write
extract(make_clips(40), ToyEncoder(), FeatureStore.open(Path(sys.argv[1]), KEY), batch_s=2.0, shard_s=3.0, n_workers=0)
"""
    process = start_python(code, tmp_path)
    assert process.wait(timeout=60) == -signal.SIGKILL, process.stderr.read()
    assert len(list(store.folder.glob("*.safetensors"))) == 2
    assert len(list(store.folder.glob(".*.part"))) >= 1
    before = store.keys()
    assert 0 < len(before) < 40
    assert store.verify() == []
    report = extract(CLIPS, ToyEncoder(), store, **SMALL)
    assert (report.n_extracted, report.n_cached) == (40 - len(before), len(before))
    assert_complete(store, undisturbed)


@pytest.mark.parametrize("n_workers", [0, 2])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_a_signal_loses_the_batch_in_the_making_alone(store, tmp_path, number, code, n_workers):
    process = start_python(SLOW, tmp_path, 0.3, 1e9, n_workers)
    wait_for_batches(process, 4)
    os.kill(process.pid, number)
    assert process.wait(timeout=60) == code, process.stderr.read()
    assert store.verify() == []
    sizes = ToyEncoder()
    extract(CLIPS, sizes, FeatureStore.open(tmp_path / "whole", KEY), **SMALL)
    # The shard would have held everything: what is there was written because of the signal.
    assert len(list(store.folder.glob("*.safetensors"))) == 1
    assert len(store.keys()) == sum(sizes.seen[:3])


def test_two_runs_at_once_do_not_harm_each_other(store, undisturbed, tmp_path):
    # Shards of different sizes, so that keys come to lie in two shards.
    processes = [start_python(SLOW, tmp_path, 0.01, shard_s, 1) for shard_s in (3.0, 5.0)]
    for process in processes:
        wait_for_batches(process, 1)  # neither has found anything of the other's
    for process in processes:
        go_on(process)
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    held = [len(shard.keys) for shard in store.shards()]
    assert sum(held) == 80
    assert_complete(store, undisturbed)
