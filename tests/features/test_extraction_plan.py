from hypothesis import given
from hypothesis import strategies as st

from emobox_hf.features.plan import make_batches, share_batches

seconds = st.lists(st.floats(0.1, 100), max_size=60)


@given(seconds, st.floats(1, 200))
def test_batches_hold_every_clip_once_and_keep_the_limit(durations_s, batch_s):
    batches = make_batches(durations_s, batch_s=batch_s)
    assert sorted(index for batch in batches for index in batch) == list(range(len(durations_s)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(durations_s[index] for index in batch) <= batch_s
    ordered = [durations_s[index] for batch in batches for index in batch]
    assert ordered == sorted(durations_s, reverse=True)


def test_batches_by_hand():
    assert make_batches([1.0, 4.0, 2.0, 4.0, 30.0], batch_s=8.0) == [[4], [1, 3], [2, 0]]


@given(seconds, st.integers(1, 9))
def test_shares_are_a_partition_balanced_in_seconds(costs_s, world_size):
    shares = [share_batches(costs_s, rank=rank, world_size=world_size) for rank in range(world_size)]
    assert sorted(index for share in shares for index in share) == list(range(len(costs_s)))
    loads = [sum(costs_s[index] for index in share) for share in shares]
    assert max(loads) - min(loads) <= max(costs_s, default=0) + 1e-9


def test_shares_count_seconds_and_not_rows():
    assert share_batches([60, 20, 20, 20], rank=0, world_size=2) == [0]
    assert share_batches([60, 20, 20, 20], rank=1, world_size=2) == [1, 2, 3]
