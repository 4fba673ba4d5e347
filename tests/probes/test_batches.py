import numpy as np
import pytest
import torch
from toy_frames import make_frames

from emobox_hf.probes.adam import Adam
from emobox_hf.probes.batches import BatchSource, free_memory, list_batches, longest_batch, make_batch_source
from emobox_hf.probes.data import check_data


def make_data():
    frames, offsets, labels = make_frames()
    return check_data(frames, offsets, labels, 3)


def test_batches_keep_the_order_of_each_job_and_pad_with_no_item():
    items = list_batches([np.array([4, 2, 9, 7, 1]), np.array([3])], 2)
    assert items.tolist() == [[[4, 2], [3, -1]], [[9, 7], [-1, -1]], [[1, -1], [-1, -1]]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_batch_holds_each_items_frames_end_to_end_and_nothing_of_padding(dtype):
    data = make_data()
    parts = [np.array([5, 40, 3]), np.array([17])]
    (batch,) = BatchSource(data, torch.device("cpu"), dtype).read(list_batches(parts, 3))
    means = batch.averages() @ batch.frames.float()
    for row, part in enumerate(parts):
        spans = [data.frames[data.offsets[i] : data.offsets[i + 1]].to(dtype) for i in part]
        laid = torch.cat(spans)
        assert torch.equal(batch.frames[row, : len(laid)], laid)
        assert (batch.owner[row, len(laid) :] == 3).all()
        assert batch.targets[row, : len(part)].tolist() == data.labels[part].tolist()
        torch.testing.assert_close(means[row, : len(part)], torch.stack([one.float().mean(0) for one in spans]))
        assert (means[row, len(part) :] == 0).all()


def test_a_step_is_as_long_as_its_longest_job():
    data = make_data()
    lengths = np.diff(data.offsets)
    parts = [np.arange(7), np.arange(20, 25)]
    source = BatchSource(data, torch.device("cpu"), torch.float32)
    found = [batch.frames.shape[:2] for batch in source.read(list_batches(parts, 4))]
    assert found == [(2, max(lengths[:4].sum(), lengths[20:24].sum())), (2, max(lengths[4:7].sum(), lengths[24]))]
    assert longest_batch(source, 4) == np.sort(lengths)[-4:].sum()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_streamed_batches_equal_resident_ones(monkeypatch):
    device, data = torch.device("cuda", 0), make_data()
    items = list_batches([np.arange(30), np.arange(30, 50)], 8)
    resident = make_batch_source(data, device, torch.float32)
    monkeypatch.setattr("emobox_hf.probes.batches.MOST_OF_FREE_MEMORY", 0.0)
    streamed = make_batch_source(data, device, torch.float32)
    assert (resident.data.frames.device.type, streamed.data.frames.device.type) == ("cuda", "cpu")
    for one, other in zip(resident.read(items), streamed.read(items), strict=True):
        assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))


def test_what_torch_keeps_of_earlier_work_counts_as_free(monkeypatch):
    memory = {"free": 10, "kept": 50}

    def empty_cache():
        memory["free"] += memory.pop("kept", 0)

    monkeypatch.setattr(torch.cuda, "empty_cache", empty_cache)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (memory["free"], 100))
    assert free_memory(torch.device("cuda")) == 60
    memory |= {"free": 0, "kept": 2**40}
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *_: self)
    data = make_data()
    source = make_batch_source(data, torch.device("cuda"), torch.float32)
    assert source.data is not data  # else they were streamed


def test_stacked_adam_equals_torchs_for_each_job_and_rests_where_a_job_has_no_batch():
    rng = torch.Generator().manual_seed(3)
    start = torch.randn(2, 6, generator=rng)
    rates = torch.tensor([1e-1, 1e-1, 1e-1, 1e-3, 1e-3, 1e-3])
    is_active = np.array([[True, True], [True, False], [True, True], [True, False]])
    scales = (0.5, 1.0, 0.25)
    gradients = torch.randn(len(scales), 4, 2, 6, generator=rng) * 10
    expected = []
    for job in range(2):
        halves = [start[job, :3].clone(), start[job, 3:].clone()]
        optimizer = torch.optim.Adam(
            [{"params": [half], "lr": rate} for half, rate in zip(halves, (1e-1, 1e-3), strict=True)]
        )
        for epoch, scale in enumerate(scales):
            for group, rate in zip(optimizer.param_groups, (1e-1, 1e-3), strict=True):
                group["lr"] = rate * scale
            for step in np.flatnonzero(is_active[:, job]):
                halves[0].grad, halves[1].grad = gradients[epoch, step, job].split(3)
                optimizer.step()
        expected.append(torch.cat(halves))
    flat = start.clone()
    adam = Adam(flat, rates)
    for epoch, scale in enumerate(scales):
        for step, factors in enumerate(adam.plan(is_active, scale)):
            adam.step(flat, gradients[epoch, step].clone(), factors)
    torch.testing.assert_close(flat, torch.stack(expected), rtol=1e-5, atol=1e-6)
