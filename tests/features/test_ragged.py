import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_clips import statistics_of

from emobox_hf.features import RaggedFrames, normalize_pooled, normalize_utterances
from emobox_hf.features.ragged import concatenate, join_frames

lengths = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def make_ragged(lengths, *, dtype=torch.float32):
    generator = torch.Generator().manual_seed(sum(lengths))
    return join_frames([(torch.randn(n, 4, generator=generator) * 3 + 1).to(dtype) for n in lengths])


@settings(max_examples=25, deadline=None)
@given(lengths, st.sampled_from([torch.float16, torch.bfloat16, torch.float32]))
def test_pooled_is_the_mean_of_each_utterance_in_float32(lengths, dtype):
    ragged = make_ragged(lengths, dtype=dtype)
    expected = []
    for i in range(len(lengths)):
        rows = ragged.frames[ragged.offsets[i] : ragged.offsets[i + 1]].float().numpy()
        expected.append(rows.astype(np.float64).mean(axis=0))
    assert ragged.pooled().dtype == torch.float32
    np.testing.assert_allclose(ragged.pooled().numpy(), np.array(expected), rtol=1e-6, atol=1e-7)


def test_pooled_does_not_overflow_or_stall_in_half_precision():
    # 3000 frames of 60000 exceed float16 from the second frame on; 2049 frames of 1 stall at 2048 there.
    ragged = join_frames([torch.full((3000, 1), 60000.0).half(), torch.ones(4001, 1).half()])
    assert ragged.pooled().flatten().tolist() == [60000.0, 1.0]


@settings(max_examples=25, deadline=None)
@given(lengths, st.data())
def test_select_takes_utterances_in_the_order_asked(lengths, data):
    ragged = make_ragged(lengths)
    picks = data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=8))
    selected = ragged.select(picks)
    assert len(selected) == len(picks)
    for found, pick in zip(selected.utterances(), picks, strict=True):
        assert torch.equal(found, ragged.utterances()[pick])


def test_normalizing_is_over_time_and_dim_at_once():
    ragged = make_ragged([5, 7], dtype=torch.float16)
    normalized = normalize_utterances(ragged)
    assert normalized.frames.dtype == torch.float32
    assert torch.equal(normalized.offsets, ragged.offsets)
    for before, after in zip(ragged.utterances(), normalized.utterances(), strict=True):
        values = before.double().numpy()
        expected = (values - values.mean()) / np.sqrt(values.var() + 1e-5)
        np.testing.assert_allclose(after.numpy(), expected, atol=1e-5)
        # Not frame by frame: a single frame keeps its own mean.
        assert after.mean(dim=1).abs().max() > 0.05


def test_normalizing_leaves_what_it_was_given():
    ragged = make_ragged([3])
    before = ragged.frames.clone()
    normalize_utterances(ragged)
    assert torch.equal(ragged.frames, before)


@settings(max_examples=25, deadline=None)
@given(lengths, st.floats(0.01, 30))
def test_the_norm_of_pooled_vectors_is_the_mean_of_normed_frames(lengths, scale):
    layers = [make_ragged(lengths), make_ragged([n + 1 for n in lengths]).select(range(len(lengths)))]
    layers = [RaggedFrames(scale * one.frames - 2, one.offsets) for one in layers]
    pooled = [torch.stack([statistics_of(frames) for frames in one.utterances()]) for one in layers]
    normed = normalize_pooled(torch.stack(pooled, dim=1))
    assert normed.dtype == torch.float32
    assert normed.shape == (len(lengths), 2, 4)
    for number, one in enumerate(layers):
        torch.testing.assert_close(normed[:, number], normalize_utterances(one).pooled(), atol=1e-4, rtol=0)


def test_one_dimension_with_a_large_mean_does_not_spoil_the_norm():
    frames = torch.randn(200, 32, generator=torch.Generator().manual_seed(1))
    frames[:, 5] += 900
    expected = normalize_utterances(join_frames([frames])).pooled()
    torch.testing.assert_close(normalize_pooled(statistics_of(frames)[None, None])[:, 0], expected, atol=1e-4, rtol=0)


def test_concatenating_puts_one_part_behind_the_other():
    one, two = make_ragged([3, 1]), make_ragged([2])
    both = concatenate([one, two])
    assert both.offsets.tolist() == [0, 3, 4, 6]
    for found, expected in zip(both.utterances(), one.utterances() + two.utterances(), strict=True):
        assert torch.equal(found, expected)
    assert concatenate([two]) is two


def test_frames_are_frozen():
    with pytest.raises(AttributeError):
        make_ragged([3]).frames = torch.zeros(1)  # type: ignore[misc]


def test_length_is_the_number_of_utterances():
    assert len(RaggedFrames(torch.zeros(5, 2), torch.tensor([0, 2, 5]))) == 2
