"""What heads learned, applied again: the probabilities of training, of any utterances, in any number."""

from typing import Any

import numpy as np
import pytest
import torch
from toy_frames import make_frames, make_splits, pool

from emobox_hf.probes import EmoboxHead, FrameInputs, LinearHead, Probed, VectorInputs, list_jobs

N = 60


def train(head: EmoboxHead | LinearHead, inputs: Any, labels: Any) -> tuple[list[Any], list[Probed]]:
    jobs = list_jobs(make_splits(N), head.seeds)
    return jobs, head.train(inputs, labels, 3, jobs)


def take_frames(inputs: FrameInputs, items: Any) -> FrameInputs:
    spans = torch.split(inputs.frames, torch.as_tensor(inputs.offsets).diff().tolist())
    lengths = torch.tensor([0, *(len(spans[item]) for item in items)])
    return FrameInputs(torch.cat([spans[item] for item in items]), lengths.cumsum(0))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_paper_s_head_gives_a_test_part_what_training_gave_it_to_the_bit(precision: Any) -> None:
    head = EmoboxHead(seeds=(0, 1), epochs=3, warmup_epochs=1, hidden_dim=16, precision=precision)
    frames, offsets, labels = make_frames(n=N)
    inputs = FrameInputs(frames, offsets)
    jobs, probed = train(head, inputs, labels)
    for job, one in zip(jobs, probed, strict=True):
        assert one.result.learned is not None
        (found,) = head.predict(take_frames(inputs, job.test), [one.result.learned])
        np.testing.assert_array_equal(found, one.result.test_probabilities)
    several = head.predict(inputs, [one.result.learned for one in probed if one.result.learned])
    assert several.shape == (4, N, 3)
    np.testing.assert_allclose(several[0, jobs[0].test], probed[0].result.test_probabilities, rtol=0, atol=1e-6)
    # One by one, utterances meet other neighbours in a batch, which changes their last digit at most.
    alone = [head.predict(take_frames(inputs, [item]), [probed[0].result.learned])[0, 0] for item in range(5)]
    np.testing.assert_allclose(alone, several[0, :5], rtol=0, atol=1e-6)


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("n_layers", [1, 6])
def test_logistic_regression_gives_a_test_part_what_training_gave_it(n_layers: int, refit: bool) -> None:
    head = LinearHead(refit=refit)
    frames, offsets, labels = make_frames(n=N)
    noise = torch.randn(N, n_layers, 8, generator=torch.Generator().manual_seed(1))
    inputs = VectorInputs(pool(frames, offsets)[:, None] + noise, tuple(range(n_layers)))
    jobs, probed = train(head, inputs, labels)
    for job, one in zip(jobs, probed, strict=True):
        results = [one.result, *(result for result in one.layers.values() if result.learned)]
        assert len(results) == (1 if n_layers == 1 else 3)  # the one that is scored twice, and the weighted sum
        for result in results:
            part = VectorInputs(inputs.vectors[job.test], inputs.layers)
            (found,) = head.predict(part, [result.learned])  # type: ignore[list-item]
            np.testing.assert_allclose(found, result.test_probabilities, rtol=0, atol=1e-7)


def test_a_class_that_training_lacks_gets_no_probability() -> None:
    head = LinearHead()
    frames, offsets, labels = make_frames(n=N)
    inputs = VectorInputs(pool(frames, offsets)[:, None], (4,))
    jobs = list_jobs(make_splits(N, folds=1), head.seeds)
    (one,) = head.train(inputs, labels.numpy(), 5, jobs)
    assert one.result.learned is not None
    (found,) = head.predict(inputs, [one.result.learned])
    assert not found[:, 3:].any()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
