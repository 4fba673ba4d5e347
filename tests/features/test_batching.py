import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emobox_hf.features.batching import MAX_PADDING, make_batches, share_batches

seconds = st.lists(st.floats(0.1, 100), max_size=60)


@given(seconds, st.floats(1, 200))
def test_batches_hold_every_clip_once_and_keep_the_limits(durations_s, batch_s):
    batches = make_batches(durations_s, batch_s=batch_s)
    assert sorted(index for batch in batches for index in batch) == list(range(len(durations_s)))
    for batch in batches:
        lengths_s = [durations_s[index] for index in batch]
        padded_s = len(batch) * max(lengths_s)
        assert len(batch) == 1 or padded_s <= batch_s
        assert padded_s - sum(lengths_s) <= MAX_PADDING * padded_s + 1e-9
    ordered = [durations_s[index] for batch in batches for index in batch]
    assert ordered == sorted(durations_s, reverse=True)


def test_batches_by_hand():
    assert make_batches([2.0, 4.0, 1.98, 4.0, 30.0], batch_s=8.0) == [[4], [1, 3], [0, 2]]
    assert make_batches([2.0, 4.0, 1.0, 4.0], batch_s=100.0) == [[1, 3], [0], [2]]


@pytest.mark.parametrize("batch_s", [60.0, 240.0, 2000.0])
@pytest.mark.parametrize(("n", "median_s", "sigma"), [(500, 3.0, 0.5), (500, 4.0, 0.8), (5000, 2.8, 0.35)])
def test_under_5_percent_of_the_frames_are_padding_in_few_batches(n, median_s, sigma, batch_s):
    drawn_s = np.random.default_rng(n).lognormal(np.log(median_s), sigma, n)
    durations_s = np.clip(drawn_s, 0.5, 30)
    n_frames = (durations_s * 16000 - 400) // 320 + 1
    batches = make_batches(durations_s.tolist(), batch_s=batch_s)
    padded = sum(len(batch) * n_frames[batch[0]] for batch in batches)
    assert padded / n_frames.sum() - 1 < 0.05
    assert len(batches) < durations_s.sum() / batch_s + 60


@given(seconds, st.integers(1, 9))
def test_shares_are_a_partition_balanced_in_seconds(costs_s, world_size):
    shares = [share_batches(costs_s, rank=rank, world_size=world_size) for rank in range(world_size)]
    assert sorted(index for share in shares for index in share) == list(range(len(costs_s)))
    loads = [sum(costs_s[index] for index in share) for share in shares]
    assert max(loads) - min(loads) <= max(costs_s, default=0) + 1e-9


def test_shares_count_seconds_and_not_rows():
    assert share_batches([60, 20, 20, 20], rank=0, world_size=2) == [0]
    assert share_batches([60, 20, 20, 20], rank=1, world_size=2) == [1, 2, 3]
