import hashlib
import os
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_frames import make_frames, make_splits, pool

from emobox_hf.errors import InputError
from emobox_hf.probes import EmoboxHead, Job, LinearHead, linear, list_jobs, train
from emobox_hf.probes.linear import train_linear_probes
from emobox_hf.probes.train import train_probes

SMALL = EmoboxHead(epochs=15, warmup_epochs=2, hidden_dim=16, batch_size=8, learning_rates=(3e-2, 1e-3))
LINEAR = LinearHead()

# A shape (7 classes x 32 utterances x 256) that MKL adds up in another order on two cores than on one, so that the
# tests of equal bits fail if an operation of the `emobox` head is ever shared between cores.
WIDE = {"n": 140, "n_classes": 7, "dim": 32, "distance": 0.2}
WIDE_SETTINGS = EmoboxHead(epochs=3, warmup_epochs=1, seeds=(0, 1))


def run(settings, *, n_threads=1, jobs=None, toy=None, labels=None, **options):
    toy = toy or {}
    frames, offsets, drawn = make_frames(**toy)
    jobs = list_jobs(make_splits(), settings.seeds) if jobs is None else jobs
    drawn = drawn if labels is None else labels
    n_classes = toy.get("n_classes", 3)
    if isinstance(settings, LinearHead):
        options |= {"n_threads": n_threads}
        found = train_linear_probes(pool(frames, offsets)[:, None], drawn, n_classes, [-1], jobs, settings, **options)
        return [one.by_layer[0] for one in found]
    return train_probes(frames, offsets, drawn, n_classes, jobs, settings, n_threads=n_threads, **options)


def fingerprint(results):
    digest = hashlib.sha256()
    for result in results:
        digest.update(repr((result.fold, result.seed, result.candidates)).encode())
        digest.update(result.test_probabilities.tobytes())
    return digest.hexdigest()


def wide_fingerprint(head):
    settings = WIDE_SETTINGS if head == WIDE_SETTINGS.name else LINEAR
    return fingerprint(run(settings, jobs=list_jobs(make_splits(140), settings.seeds), toy=WIDE, n_threads=None))


@pytest.mark.parametrize("settings", [SMALL, LINEAR], ids=["emobox", "linear"])
def test_classes_that_can_be_told_apart_are_learned(settings):
    labels = make_frames()[2].numpy()
    jobs = list_jobs(make_splits(), settings.seeds)
    results = run(settings, toy={"distance": 4.0})
    assert [result.fold for result in results] == ["fold1", "fold2"]
    for job, result in zip(jobs, results, strict=True):
        assert result.test_probabilities.shape == (12, 3)
        assert result.test_probabilities.dtype == np.float32
        np.testing.assert_allclose(result.test_probabilities.sum(1), 1, atol=1e-5)
        assert np.mean(result.test_probabilities.argmax(1) == labels[job.test]) == 1.0
        assert result.validation_ua == 1.0
        assert result.untrained_classes == ()
        assert result.seconds > 0


@pytest.mark.parametrize("settings", [SMALL, LINEAR], ids=["emobox", "linear"])
def test_test_labels_change_neither_choice_nor_probabilities(settings):
    (job, _) = jobs = list_jobs(make_splits(), settings.seeds)
    labels = make_frames()[2].clone()
    labels[job.test] = (labels[job.test] + 1) % 3
    clean = run(settings, jobs=jobs[:1], toy={"distance": 0.5})
    poisoned = run(settings, jobs=jobs[:1], toy={"distance": 0.5}, labels=labels)
    assert fingerprint(clean) == fingerprint(poisoned)
    assert clean[0].chosen == poisoned[0].chosen


@pytest.mark.parametrize("settings", [SMALL, LINEAR], ids=["emobox", "linear"])
def test_validation_labels_decide(settings):
    (job, _) = jobs = list_jobs(make_splits(), settings.seeds)
    labels = make_frames()[2].clone()
    labels[job.validation] = (labels[job.validation] + 1) % 3
    clean = run(settings, jobs=jobs[:1], toy={"distance": 2.0})
    poisoned = run(settings, jobs=jobs[:1], toy={"distance": 2.0}, labels=labels)
    assert clean[0].validation_ua > poisoned[0].validation_ua


def test_the_chosen_candidate_is_the_one_with_the_best_validation_ua():
    for result in run(SMALL, toy={"distance": 0.5}):
        best = max(result.candidates, key=lambda one: (one.validation_ua, -one.validation_loss))
        assert result.chosen == best.choice
        assert result.validation_ua == best.validation_ua
        assert [one.choice["learning_rate"] for one in result.candidates] == [3e-2, 1e-3]
        assert all(1 <= one.choice["epoch"] <= 15 for one in result.candidates)


def test_seeds_repeat_and_differ():
    settings = replace(SMALL, seeds=(1, 2))
    jobs = list_jobs(make_splits(folds=1), settings.seeds)
    first, again = run(settings, jobs=jobs), run(settings, jobs=jobs)
    assert fingerprint(first) == fingerprint(again)
    assert not np.array_equal(first[0].test_probabilities, first[1].test_probabilities)


def test_nothing_is_drawn_from_the_global_seed():
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first = fingerprint(run(SMALL))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(4)
    assert fingerprint(run(SMALL)) == first


@pytest.mark.parametrize("head", ["emobox", "linear"])
def test_results_are_the_same_bits_on_any_number_of_threads_and_processes(head):
    settings = WIDE_SETTINGS if head == WIDE_SETTINGS.name else LINEAR
    jobs = list_jobs(make_splits(140, folds=3), settings.seeds)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        whole = fingerprint(run(settings, jobs=jobs, toy=WIDE, n_threads=1))
        torch.set_num_threads(2)
        assert fingerprint(run(settings, jobs=jobs, toy=WIDE, n_threads=2)) == whole
        halves = [run(settings, jobs=jobs[rank::2], toy=WIDE, n_threads=2) for rank in range(2)]
    finally:
        torch.set_num_threads(before)
    order = [halves[i % 2][i // 2] for i in range(len(jobs))]
    assert fingerprint(order) == whole


def test_results_are_the_same_bits_under_torchruns_single_thread():
    code = "from test_train_probes import wide_fingerprint as f; print(f('emobox'), f('linear'))"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent)]),
        "OMP_NUM_THREADS": "1",
        "LOCAL_WORLD_SIZE": "2",
    }
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        here = [wide_fingerprint("emobox"), wide_fingerprint("linear")]
    finally:
        torch.set_num_threads(before)
    done = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 0
    assert done.stdout.split() == here


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("settings", [SMALL, LINEAR], ids=["emobox", "linear"])
def test_jobs_compute_on_one_core_and_the_process_is_as_before_afterwards(settings, fails, monkeypatch):
    inside = []
    module, name = (train, "train_stack") if isinstance(settings, EmoboxHead) else (linear, "_fit_layers")
    real = getattr(module, name)

    def watch(*args, **kwargs):
        inside.append(torch.get_num_threads())
        if fails:
            raise InputError("as asked")
        return real(*args, **kwargs)

    monkeypatch.setattr(module, name, watch)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(InputError, match="as asked") if fails else nullcontext():
            run(settings, n_threads=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert inside
    assert set(inside) == {1}


def test_float16_frames_give_what_their_float32_values_give():
    frames, offsets, labels = make_frames()
    jobs = list_jobs(make_splits(), SMALL.seeds)
    half = train_probes(frames, offsets, labels, 3, jobs, SMALL, n_threads=1)
    full = train_probes(frames.float(), offsets.numpy(), labels.numpy(), 3, jobs, SMALL, n_threads=1)
    assert fingerprint(half) == fingerprint(full)


def test_bfloat16_stays_close_to_float32_and_still_learns():
    full = run(SMALL, toy={"distance": 2.0})
    half = run(replace(SMALL, precision="bfloat16"), toy={"distance": 2.0})
    for one, other in zip(full, half, strict=True):
        assert other.validation_ua == pytest.approx(one.validation_ua, abs=0.1)
        assert not np.array_equal(one.test_probabilities, other.test_probabilities)


def test_a_process_without_jobs_has_no_results():
    assert run(SMALL, jobs=[]) == []


def test_a_class_that_only_the_test_part_has_is_recorded():
    labels = make_frames()[2].clone()
    (job, _) = jobs = list_jobs(make_splits(), SMALL.seeds)
    for part in (job.train, job.validation):
        labels[part] = labels[part] % 2
    (result,) = run(SMALL, jobs=jobs[:1], labels=labels)
    assert result.untrained_classes == (2,)


def corrupt(**changes):
    frames, offsets, labels = make_frames()
    job = list_jobs(make_splits(folds=1), SMALL.seeds)[0]
    parts = {name: changes.get(name, getattr(job, name)) for name in ("train", "validation", "test")}
    given = {"frames": frames, "offsets": offsets, "labels": labels} | changes
    return given["frames"], given["offsets"], given["labels"], Job("fold1", **parts, seed=0)


FRAMES, OFFSETS, LABELS = make_frames()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation": np.zeros(0, dtype=np.int64)}, "fold1 has no utterance in validation"),
        ({"train": np.zeros(0, dtype=np.int64)}, "fold1 has no utterance in train"),
        ({"test": np.array([60])}, "test lie from 0 to 59, found 60 to 60"),
        ({"test": np.array([-1])}, "test lie from 0 to 59"),
        ({"train": np.arange(0, 60), "test": np.array([4])}, "train and validation share|train and test share"),
        ({"train": np.arange(0, 60, 3), "validation": np.array([1]), "test": np.array([2])}, "two classes or more"),
        ({"train": np.array([0.0, 1.0])}, "train are whole numbers"),
        ({"labels": torch.where(LABELS == 2, 3, LABELS)}, r"labels lie from 0 to 2.* 2 \(3\), 5 \(3\)"),
        ({"labels": LABELS - 1}, r"labels lie from 0 to 2.* 0 \(-1\)"),
        ({"labels": LABELS[:-1]}, "offsets of 59 labelled utterances"),
        ({"offsets": OFFSETS + 1}, "offsets of 60 labelled utterances run from 0"),
        ({"frames": FRAMES[:-1]}, "run from 0 to"),
        ({"frames": FRAMES.long()}, "floating point"),
        ({"frames": FRAMES[0]}, "floating point"),
        ({"offsets": torch.cat([OFFSETS[:3], OFFSETS[2:3], OFFSETS[4:]])}, "have none: 2$"),
    ],
)
def test_input_that_does_not_fit_is_refused(changes, message):
    frames, offsets, labels, job = corrupt(**changes)
    with pytest.raises(InputError, match=message):
        train_probes(frames, offsets, labels, 3, [job], SMALL, n_threads=1)


def test_frames_that_are_not_finite_are_refused():
    frames = FRAMES.clone()
    frames[:] = float("nan")
    with pytest.raises(InputError, match="fold1: the validation loss is not finite"):
        train_probes(frames, OFFSETS, LABELS, 3, list_jobs(make_splits(folds=1), SMALL.seeds), SMALL, n_threads=1)
