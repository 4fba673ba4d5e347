from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_probe import PlainHead, train_plain
from toy_frames import make_frames, make_splits

from emobox_hf.probes import EmoboxHead, Job, Split, list_jobs
from emobox_hf.probes.batches import Batch, BatchSource, list_batches
from emobox_hf.probes.data import check_data
from emobox_hf.probes.emobox import (
    Validation,
    WeightLayout,
    Weights,
    backward,
    best_validation,
    draw_weights,
    forward,
    generator_of,
    train_stack,
)

SETTINGS = EmoboxHead(epochs=12, warmup_epochs=2, hidden_dim=16, batch_size=8, learning_rates=(3e-2, 1e-3))
CPU = torch.device("cpu")


def make_source(dtype=torch.float32, **options):
    frames, offsets, labels = make_frames(**options)
    return BatchSource(check_data(frames, offsets, labels, 3), CPU, dtype)


def utterances_of(source):
    data = source.data
    return [data.frames[a:b].float() for a, b in zip(data.offsets[:-1], data.offsets[1:], strict=True)]


def train_alone(source, job, settings):
    (trained,) = train_stack(source, [job], settings, tick=abs)
    return trained


items_of_a_job = st.lists(st.integers(0, 59), min_size=1, max_size=9, unique=True)


@settings(max_examples=20, deadline=None)
@given(st.lists(items_of_a_job, min_size=1, max_size=3), st.integers(1, 3))
def test_logits_and_gradients_of_a_stack_equal_padded_and_masked_heads(parts, n_rates):
    source, layout = make_source(), WeightLayout(n_rates, 8, 16, 3)
    heads = [
        [draw_weights(8, 16, 3, torch.Generator().manual_seed(10 * j + r)) for r in range(n_rates)] for j in range(3)
    ]
    flat = torch.stack(
        [torch.cat([w.flatten() for layer in zip(*of_job, strict=True) for w in layer]) for of_job in heads]
    )
    flat = flat[: len(parts)].clone()
    gradient = torch.full_like(flat, float("nan"))
    (batch,) = source.read(list_batches([np.array(part) for part in parts], 9))
    backward(layout.view(flat), batch, layout.view(gradient))
    logits = forward(layout.view(flat), batch, batch.averages())[2]
    found = layout.view(gradient)
    for j, part in enumerate(parts):
        for r in range(n_rates):
            head = PlainHead(heads[j][r])
            expected = head([utterances_of(source)[i] for i in part])
            torch.nn.functional.cross_entropy(expected, torch.from_numpy(source.data.labels[part])).backward()
            torch.testing.assert_close(logits[j, r, : len(part)], expected.detach(), rtol=1e-5, atol=1e-6)
            rows = slice(16 * r, 16 * (r + 1))
            for ours, theirs in [
                (found.frame[j, rows], head.frame.weight),
                (found.frame_bias[j, 0, rows], head.frame.bias),
                (found.utterance[j, r], head.utterance.weight),
                (found.utterance_bias[j, r, 0], head.utterance.bias),
            ]:
                torch.testing.assert_close(ours, theirs.grad, rtol=1e-4, atol=1e-6)


def test_a_frame_whose_sum_is_zero_counts():
    weights = Weights(
        torch.tensor([[[2.0, 0.0]]]), torch.ones(1, 1, 1), torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    )
    frames = torch.tensor([[[1.0, -1.0], [0.0, 0.0], [4.0, 0.0]]])
    batch = Batch(frames, torch.zeros(1, 3, dtype=torch.int64), torch.tensor([[3]]), torch.tensor([[0]]))
    logits = forward(weights, batch, batch.averages())[2]
    assert float(logits) == pytest.approx((3 + 1 + 9) / 3)


def test_first_weights_follow_the_rule_of_torchs_linear():
    weights = draw_weights(100, 400, 5, torch.Generator().manual_seed(0))
    assert [tuple(tensor.shape) for tensor in weights] == [(400, 100), (400,), (5, 400), (5,)]
    for tensor, bound in zip(weights, [0.1, 0.1, 0.05, 0.05], strict=True):
        assert 0.5 * bound < tensor.abs().max() <= bound
    assert weights[0].std() == pytest.approx(0.1 / 3**0.5, rel=0.02)


def uneven_jobs():
    """Three jobs whose epochs have 5, 3 and 2 steps of 8, the last ones partial."""
    rng = np.random.default_rng(5)
    splits = {}
    for fold, n_train in (("a", 36), ("b", 20), ("c", 9)):
        order = rng.permutation(60)
        splits[fold] = Split(order[:n_train], order[n_train : n_train + 12], order[n_train + 12 :][: n_train - 2])
    return list_jobs(splits, SETTINGS.seeds)


def test_a_stack_equals_plain_loops_that_train_one_probe_each():
    """Batches, schedule, optimizer, early choice and prediction, of jobs of several sizes and two learning rates."""
    # So close are the classes that the best epoch is not the last one.
    source, jobs = make_source(distance=0.3), uneven_jobs()
    best_epochs = set()
    for job, (candidates, chosen, probabilities, *_) in zip(
        jobs, train_stack(source, jobs, SETTINGS, tick=abs), strict=True
    ):
        plain = {}
        for candidate, rate in zip(candidates, SETTINGS.learning_rates, strict=True):
            first = draw_weights(8, 16, 3, generator_of(job, "weights"))
            chance = generator_of(job, "batches")
            labels, utterances = source.data.labels, utterances_of(source)
            expected = train_plain(utterances, labels, 3, job, SETTINGS, rate, first_weights=first, chance=chance)
            plain[rate] = expected
            ua, loss = expected.history[expected.best]
            assert candidate.choice == {"learning_rate": rate, "epoch": expected.best + 1}
            assert (candidate.validation_ua, candidate.last_validation_ua) == (ua, expected.history[-1][0])
            assert candidate.validation_loss == pytest.approx(loss, rel=1e-4)
            assert candidate.last_validation_loss == pytest.approx(expected.history[-1][1], rel=1e-4)
            best_epochs.add(expected.best + 1)
        assert chosen in candidates
        expected = plain[chosen.choice["learning_rate"]]
        np.testing.assert_allclose(probabilities, expected.probabilities[expected.best], atol=1e-4)
    assert min(best_epochs) < SETTINGS.epochs


def test_neighbours_in_a_stack_change_a_job_by_rounding_alone():
    source, jobs = make_source(distance=0.6), uneven_jobs()
    for job, together in zip(jobs, train_stack(source, jobs, SETTINGS, tick=abs), strict=True):
        alone = train_alone(source, job, SETTINGS)
        assert alone.chosen.choice == together.chosen.choice
        np.testing.assert_allclose(alone.test_probabilities, together.test_probabilities, atol=1e-4)


@pytest.mark.parametrize(
    ("history", "best"),
    [
        ([(0.5, 1.0), (0.6, 2.0), (0.4, 0.1)], 1),
        ([(0.5, 1.0), (0.5, 0.9), (0.5, 1.1)], 1),
        ([(0.5, 1.0), (0.5, 1.0)], 0),
    ],
)
def test_best_ua_then_lower_loss_then_the_earlier(history, best):
    assert best_validation([Validation(*pair) for pair in history]) == best


def test_test_items_are_predicted_with_the_chosen_weights_only():
    """The chosen learning rate alone, in a run of its own, gives the same probabilities."""
    source, job = make_source(distance=0.6), list_jobs(make_splits(), SETTINGS.seeds)[0]
    candidates, chosen, probabilities, *_ = train_alone(source, job, SETTINGS)
    assert len(candidates) == 2
    alone = train_alone(source, job, replace(SETTINGS, learning_rates=(chosen.choice["learning_rate"],)))
    np.testing.assert_allclose(alone.test_probabilities, probabilities, atol=1e-5)


def test_prediction_does_not_depend_on_the_batch_size_beyond_rounding():
    source, layout = make_source(), WeightLayout(1, 8, 16, 3)
    drawn = draw_weights(8, 16, 3, torch.Generator().manual_seed(1))
    weights = layout.view(torch.cat([tensor.flatten() for tensor in drawn])[None])
    items = np.arange(60)[::-1].copy()
    one, many = (
        torch.cat([forward(weights, b, b.averages())[2] for b in source.read(list_batches([items], size))], dim=2)
        for size in (1, 60)
    )
    torch.testing.assert_close(one, many, rtol=1e-5, atol=1e-6)


def test_folds_and_seeds_draw_different_weights_and_batches():
    empty = np.zeros(0, dtype=np.int64)
    draws = {
        tuple(torch.randperm(30, generator=generator_of(Job(fold, empty, empty, empty, seed), purpose)).tolist())
        for fold in ("fold1", "fold2")
        for seed in (0, 1)
        for purpose in ("weights", "batches")
    }
    assert len(draws) == 8
