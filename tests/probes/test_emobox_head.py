import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_frames import make_frames, make_splits

from emobox_hf.probes import Job, ProbeSettings, list_jobs
from emobox_hf.probes.data import averaging_matrix, check_data
from emobox_hf.probes.emobox import Validation, Weights, best_of, draw_weights, forward, predict, train_emobox
from emobox_hf.scores import compute_scores

SETTINGS = ProbeSettings(epochs=12, warmup_epochs=2, hidden_dim=16, batch_size=8, learning_rates=(3e-2, 1e-3))


def make_data(**options):
    frames, offsets, labels = make_frames(**options)
    return check_data(frames, offsets, labels, 3)


def padded_forward(weights, utterances):
    """The head as EmoBox describes it: padded batch, explicit mask, masked mean."""
    longest = max(map(len, utterances))
    padded = torch.full((len(utterances), longest, utterances[0].shape[1]), 7.0)  # padding that a leak would show
    mask = torch.zeros(len(utterances), longest)
    for row, frames in enumerate(utterances):
        padded[row, : len(frames)] = frames
        mask[row, : len(frames)] = 1
    hidden = torch.nn.functional.linear(padded, weights.frame, weights.frame_bias).relu()
    pooled = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
    return torch.nn.functional.linear(pooled, weights.utterance, weights.utterance_bias)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 59), min_size=1, max_size=9, unique=True))
def test_logits_and_gradients_equal_a_padded_and_masked_head(items):
    data = make_data()
    drawn = draw_weights(8, 16, 3, torch.Generator().manual_seed(1))
    results = []
    for is_ragged in (True, False):
        weights = Weights(*(tensor.clone().requires_grad_() for tensor in drawn))
        if is_ragged:
            logits = forward(weights, *data.batch(np.array(items), dtype=torch.float32))
        else:
            spans = [data.frames[data.offsets[item] : data.offsets[item + 1]].float() for item in items]
            logits = padded_forward(weights, spans)
        torch.nn.functional.cross_entropy(logits, data.targets(np.array(items))).backward()
        results.append([logits.detach(), *(tensor.grad for tensor in weights)])
    for ragged, padded in zip(*results, strict=True):
        torch.testing.assert_close(ragged, padded, rtol=1e-5, atol=1e-6)


def test_a_frame_whose_sum_is_zero_counts():
    weights = Weights(torch.zeros(1, 2), torch.ones(1), torch.ones(1, 1), torch.zeros(1))
    weights.frame[0, 0] = 2.0
    frames = torch.tensor([[1.0, -1.0], [0.0, 0.0], [4.0, 0.0]])
    logits = forward(weights, frames, averaging_matrix(torch.tensor([3])))
    assert float(logits) == pytest.approx((3 + 1 + 9) / 3)


def test_first_weights_follow_the_rule_of_torchs_linear():
    weights = draw_weights(100, 400, 5, torch.Generator().manual_seed(0))
    assert [tuple(tensor.shape) for tensor in weights] == [(400, 100), (400,), (5, 400), (5,)]
    for tensor, bound in zip(weights, [0.1, 0.1, 0.05, 0.05], strict=True):
        assert 0.5 * bound < tensor.abs().max() <= bound
    assert weights.frame.std() == pytest.approx(0.1 / 3**0.5, rel=0.02)


def test_one_learning_rate_equals_a_plain_loop():
    """Batches, schedule, optimizer and prediction against a loop written here from the documentation alone."""
    # So close are the classes that the best epoch is not the last one.
    data, job = make_data(distance=0.3), list_jobs(make_splits(), SETTINGS)[0]
    plain = ProbeSettings(epochs=3, warmup_epochs=1, hidden_dim=16, batch_size=8, learning_rates=(1e-2,))
    from emobox_hf.probes.emobox import _generator

    drawn = draw_weights(8, 16, 3, _generator(job, "weights"))
    weights = Weights(*(tensor.requires_grad_() for tensor in drawn))
    chance = _generator(job, "batches")
    utterances = [data.frames[data.offsets[i] : data.offsets[i + 1]].float() for i in range(60)]
    history, snapshots = [], []
    moments = [[torch.zeros_like(tensor), torch.zeros_like(tensor)] for tensor in weights]
    step = 0
    for rate in (0.5e-2, 1e-2, 0.5e-2):
        order = job.train[torch.randperm(36, generator=chance).numpy()]
        for batch in np.split(order, [8, 16, 24, 32]):
            logits = padded_forward(weights, [utterances[i] for i in batch])
            loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(data.labels[batch]))
            step += 1
            for tensor, gradient, (m, v) in zip(weights, torch.autograd.grad(loss, weights), moments, strict=True):
                m.mul_(0.9).add_(0.1 * gradient)
                v.mul_(0.999).add_(0.001 * gradient**2)
                tensor.data -= rate * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
        with torch.no_grad():
            logits = padded_forward(weights, [utterances[i] for i in job.validation])
            expected = data.labels[job.validation]
            loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(expected))
            history.append((compute_scores(expected, logits.argmax(1).numpy(), 3).ua, -float(loss)))
            snapshots.append(padded_forward(weights, [utterances[i] for i in job.test]).softmax(1).numpy())
    best = history.index(max(history))
    assert best < 2

    (candidate,), chosen, probabilities = train_emobox(data, job, plain, dtype=torch.float32, tick=list)
    assert chosen is candidate
    assert candidate.choice == {"learning_rate": 1e-2, "epoch": best + 1}
    assert (candidate.validation_ua, candidate.last_validation_ua) == (history[best][0], history[-1][0])
    assert candidate.validation_loss == pytest.approx(-history[best][1], rel=1e-4)
    assert candidate.last_validation_loss == pytest.approx(-history[-1][1], rel=1e-4)
    np.testing.assert_allclose(probabilities, snapshots[best], atol=1e-4)


@pytest.mark.parametrize(
    ("history", "best"),
    [
        ([(0.5, 1.0), (0.6, 2.0), (0.4, 0.1)], 1),
        ([(0.5, 1.0), (0.5, 0.9), (0.5, 1.1)], 1),
        ([(0.5, 1.0), (0.5, 1.0)], 0),
    ],
)
def test_best_ua_then_lower_loss_then_the_earlier(history, best):
    assert best_of([Validation(*pair) for pair in history]) == best


def test_test_items_are_predicted_with_the_chosen_weights_only():
    """The chosen learning rate alone, in a run of its own, gives the same probabilities."""
    data, job = make_data(distance=0.6), list_jobs(make_splits(), SETTINGS)[0]
    candidates, chosen, probabilities = train_emobox(data, job, SETTINGS, dtype=torch.float32, tick=list)
    assert len(candidates) == 2
    alone = ProbeSettings(
        epochs=12, warmup_epochs=2, hidden_dim=16, batch_size=8, learning_rates=(chosen.choice["learning_rate"],)
    )
    np.testing.assert_array_equal(train_emobox(data, job, alone, dtype=torch.float32, tick=list)[2], probabilities)


def test_prediction_does_not_depend_on_the_batch_size_beyond_rounding():
    data = make_data()
    weights = draw_weights(8, 16, 3, torch.Generator().manual_seed(1))
    items = np.arange(60)[::-1].copy()
    one, many = (predict(weights, data, items, batch_size=size, dtype=torch.float32) for size in (1, 60))
    torch.testing.assert_close(one, many, rtol=1e-5, atol=1e-6)


def test_folds_and_seeds_draw_different_weights_and_batches():
    from emobox_hf.probes.emobox import _generator

    empty = np.zeros(0, dtype=np.int64)
    draws = {
        tuple(torch.randperm(30, generator=_generator(Job(fold, empty, empty, empty, seed), purpose)).tolist())
        for fold in ("fold1", "fold2")
        for seed in (0, 1)
        for purpose in ("weights", "batches")
    }
    assert len(draws) == 8
