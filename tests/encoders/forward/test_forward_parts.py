"""The parts of the forward pass against torch's own functions."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_encoders import noise
from torch import nn
from torch.nn.functional import gelu
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import Wav2Vec2FeatureExtractor
from transformers.activations import GELUActivation

from emobox_hf.encoders.forward import attention, layout, positions
from emobox_hf.encoders.forward.attention import Gate, SelfAttention, _fit, attend, choose_way
from emobox_hf.encoders.forward.blocks import Stack
from emobox_hf.encoders.forward.convolutions import build_front_end
from emobox_hf.encoders.forward.layout import AttentionRows, join, lay_out, pad_rows, send_rows
from emobox_hf.encoders.forward.linear import Target, _can_pack
from emobox_hf.encoders.forward.positions import build_positions
from emobox_hf.encoders.forward.waveform import normalise_rows, normalises_plainly, prepare
from emobox_hf.encoders.native.extractor import Data2Vec2FeatureExtractor

CPU = torch.device("cpu")


class ConvLayer(nn.Module):
    """A first layer as the base models have it, its activation left out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.layer_norm, self.activation = nn.Conv1d(1, 4, 10, 5), nn.GroupNorm(4, 4), nn.Identity()


@pytest.fixture(autouse=True)
def seeded() -> object:
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(11)
        yield


def test_the_folded_group_norm_is_exact_where_a_filter_lets_nearly_nothing_pass() -> None:
    layer = ConvLayer()
    # A second difference on a loud, slow wave: of its power a hundred-millionth is left.
    layer.conv.weight[0, 0] = torch.tensor([1.0, -2.0, 1.0, 0, 0, 0, 0, 0, 0, 0])
    time = torch.arange(16_000) / 16_000
    waveform = torch.sin(2 * torch.pi * 60 * time) + 1e-4 * torch.randn(16_000)
    hidden = build_front_end([layer], Target(CPU, torch.float32)).run_piecewise(waveform)
    conv = nn.functional.conv1d(waveform.double()[None, None], layer.conv.weight.double(), layer.conv.bias.double(), 5)
    expected = nn.functional.group_norm(conv, 4, layer.layer_norm.weight.double(), layer.layer_norm.bias.double())
    torch.testing.assert_close(hidden.double().T[None], expected, atol=2e-3, rtol=0)
    torch.testing.assert_close(hidden.double().T[None, 1:], expected[:, 1:], atol=1e-5, rtol=0)


@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("loudness", [1.0, 20.0], ids=["bounded scores", "scores of any size"])
def test_attention_in_products_is_torchs_own(has_bias: bool, loudness: float, monkeypatch: pytest.MonkeyPatch) -> None:
    query = loudness * torch.randn(3, 4, 9, 8)
    key, value = torch.randn(2, 3, 4, 17, 8)
    bias = torch.randn(1, 4, 9, 17) if has_bias else None
    half = [None if part is None else part.bfloat16() for part in (query, key, value, bias)]
    q, k, v, added = (None if part is None else part.float() for part in half)
    scores = q @ k.transpose(2, 3) if added is None else q @ k.transpose(2, 3) + added
    expected = torch.softmax(scores.bfloat16().float(), -1) @ v
    whole = attend(*half)
    assert (attention._bound(half[0]) * attention._bound(half[1]) < attention._EXPONENT) == (loudness == 1.0)
    torch.testing.assert_close(whole.float(), expected, atol=0.05, rtol=0.02)
    monkeypatch.setattr(attention, "_SCORES", 9 * 17 * 5)  # five heads at a time
    torch.testing.assert_close(attend(*half), whole, atol=0, rtol=0)


def test_scores_at_the_bound_neither_overflow_nor_vanish() -> None:
    """Rows whose scores are all as high, or as low, as those that go without a maximum may be."""
    width, time = 64, 3000
    direction = torch.full((width,), width**-0.5)
    length = (0.99 * attention._EXPONENT) ** 0.5
    query = length * torch.stack([direction, -direction])[None, None]
    key = (length * direction).expand(1, 1, time, width)
    value = 1e4 * torch.randn(1, 1, time, width)
    heard = attend(query.bfloat16(), key.bfloat16(), value.bfloat16())
    expected = value.bfloat16().float().mean(2, keepdim=True).expand_as(heard)
    assert attention._bound(query) * attention._bound(key) < attention._EXPONENT
    torch.testing.assert_close(heard.float(), expected, atol=0.02 * 1e4, rtol=0)


@pytest.mark.skipif(sys.platform != "linux", reason="asks glibc, and counts pages as Linux does")
def test_freed_memory_stays_with_the_process() -> None:
    script = """
import resource, torch
from emobox_hf.encoders.forward.allocator import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        blocks = [torch.ones(n << 20) for n in (1, 2, 3)]  # 24 MB, freed at each turn
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
usual = faults()
print(keep_freed_memory(), usual, faults(), faults())
"""
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    can, usual, _, kept = printed.split()
    assert can == "True"
    assert int(usual) > 10_000
    assert int(kept) < int(usual) / 8


@pytest.mark.parametrize("kernel", [7, 8])
def test_the_grouped_convolution_in_pieces_is_torchs_own(kernel: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = nn.Module()
    layer.conv, layer.activation = nn.Conv1d(12, 12, kernel, padding=kernel // 2, groups=3), gelu
    built = build_positions(layer, Target(CPU, torch.float32))
    layout = lay_out([40, 5, 40, 13, 5], CPU)
    frames = torch.randn(103, 12)
    expected = []
    for row in torch.split(frames, [40, 40, 13, 5, 5]):
        expected.append(gelu(layer.conv(row.T[None])[0, :, : len(row)].T))
    for step in (400, 16, 1):
        monkeypatch.setattr(positions, "_WINDOWS", step)
        torch.testing.assert_close(built(frames, layout.kept), torch.cat(expected), atol=1e-5, rtol=0)


class Calls(TorchDispatchMode):
    """Counts operations by their names; a cast is one that gives another dtype."""

    def __init__(self) -> None:
        super().__init__()
        self.n: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        name = func._schema.name
        if name not in ("aten::to", "aten::_to_copy"):
            self.n[name] += 1
        elif result.dtype != args[0].dtype:
            self.n["cast"] += 1
        return result


@pytest.mark.parametrize("is_normed", [False, True])
@pytest.mark.parametrize("kernel", [7, 8])
def test_positions_of_many_lengths_are_one_convolution_a_layer_and_see_no_padding(
    kernel: int, is_normed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedding, lengths = nn.Module(), [40, 23, 9, 9, 1]
    embedding.layers = nn.ModuleList()
    for _ in range(3):
        layer = nn.Module()
        layer.conv, layer.activation = nn.Conv1d(12, 12, kernel, padding=kernel // 2, groups=3), gelu
        if is_normed:
            layer.batch_norm = nn.BatchNorm1d(12).eval()
            layer.batch_norm.running_mean += 3.0
        embedding.layers.append(layer)
    monkeypatch.setattr(Target, "is_cpu", False)
    built, laid = build_positions(embedding, Target(CPU, torch.float32)), lay_out(lengths, CPU)
    frames = 5 + torch.randn(sum(lengths), 12)
    row_by_row = [built(row, ((1, len(row)),)) for row in torch.split(frames, lengths)]
    with Calls() as calls:
        together = built(frames, laid.kept, pad_rows(lengths, CPU))
    assert calls.n["aten::conv1d"] == 3
    torch.testing.assert_close(together, torch.cat(row_by_row), atol=1e-5, rtol=0)


def test_frames_are_cast_once_for_queries_keys_and_values() -> None:
    target = Target(CPU, torch.bfloat16)
    heads = SelfAttention(
        2, target.linear(nn.Linear(8, 8)), target.linear(nn.Linear(8, 16)), target.linear(nn.Linear(8, 8))
    )
    rows, frames = lay_out([5, 5], CPU).whole, torch.randn(10, 8)
    with Calls() as calls:
        heads(frames, frames, rows, {})
    assert calls.n["cast"] == 1
    assert calls.n["aten::cat"] == 0


class Largest(TorchDispatchMode):
    """Keeps the largest bytes that an operation gave in four dimensions, views aside."""

    def __init__(self) -> None:
        super().__init__()
        self.n_bytes: Counter[torch.dtype] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.ndim == 4 and not func.is_view:
            self.n_bytes[result.dtype] = max(self.n_bytes[result.dtype], result.numel() * result.element_size())
        return result


@pytest.mark.parametrize("way", ["groups", "grid"])
def test_a_gated_bias_is_never_in_float32_for_every_row(way: layout.Way) -> None:
    target, heads, time = Target(CPU, torch.bfloat16), 2, 40
    gate = Gate(torch.randn(4, 2), torch.randn(2), torch.randn(heads))
    linears = [target.linear(nn.Linear(8, width)) for width in (8, 16, 8)]
    laid = lay_out([time - n for n in range(6)], CPU, way=way).whole
    frames = torch.randn(sum(time - n for n in range(6)), 8)
    biases = {time - n: torch.randn(1, heads, time - n, time - n).bfloat16() for n in range(6)}
    with Largest() as largest:
        SelfAttention(heads, *linears, gate)(frames, frames, laid, biases)
    assert largest.n_bytes[torch.bfloat16] >= heads * (time - 5) ** 2 * 2
    assert largest.n_bytes[torch.float32] < heads * (time - 5) ** 2


@pytest.mark.parametrize("is_padded", [False, True])
@pytest.mark.parametrize("is_gated", [False, True])
def test_a_bias_is_laid_out_as_a_gpu_takes_it_without_a_copy(is_gated: bool, is_padded: bool) -> None:
    rows, heads, time = 3, 2, 13
    bias, factors = torch.randn(1, heads, time, time), torch.randn(rows, time, heads)
    is_key = (torch.arange(time) < torch.tensor([[13], [9], [1]]))[:, None, None]
    made = _fit(bias, factors if is_gated else None, is_key if is_padded else None)
    expected = factors.transpose(1, 2)[..., None] * bias if is_gated else bias
    expected = expected.masked_fill(~is_key, -torch.inf) if is_padded else expected
    torch.testing.assert_close(made, expected, atol=1e-6, rtol=0)
    if is_gated or is_padded:
        assert made.stride(-1) == 1
        assert all(stride % 8 == 0 for stride in made.stride()[:-1])


def test_a_gpu_takes_rows_as_they_stand_where_its_attention_can(monkeypatch: pytest.MonkeyPatch) -> None:
    capability = {"cuda": (8, 0)}
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability[device.type])
    monkeypatch.setattr(attention, "VARLEN", attend)
    half, cuda = torch.bfloat16, torch.device("cuda")
    assert choose_way(Target(CPU, half), width=64, is_biased=False) == "groups"
    assert choose_way(Target(torch.device("mps"), half), width=64, is_biased=False) == "grid"
    assert choose_way(Target(cuda, half), width=64, is_biased=False) == "packed"
    assert choose_way(Target(cuda, torch.float16), width=80, is_biased=False) == "packed"
    assert choose_way(Target(cuda, half), width=64, is_biased=True) == "grid"
    assert choose_way(Target(cuda, half), width=60, is_biased=False) == "grid"
    assert choose_way(Target(cuda, torch.float32), width=64, is_biased=False) == "grid"
    capability["cuda"] = (7, 5)
    assert choose_way(Target(cuda, half), width=64, is_biased=False) == "grid"
    capability["cuda"] = (9, 0)
    monkeypatch.setattr(attention, "VARLEN", None)
    assert choose_way(Target(cuda, half), width=64, is_biased=False) == "grid"


def test_rows_that_stand_one_behind_another_are_told_by_their_beginnings() -> None:
    laid = lay_out([5, 4, 3], CPU, widths=[5, 5, 3], way="packed")
    whole, valid = laid.whole.packed, laid.valid.packed
    assert whole is not None
    assert valid is not None
    assert (whole.queries.tolist(), whole.keys.tolist(), whole.queries.dtype) == ([0, 5, 10, 13],) * 2 + (torch.int32,)
    assert (valid.queries.tolist(), valid.keys.tolist()) == ([0, 5, 9, 12], [0, 5, 10, 13])
    assert (valid.most_queries, valid.most_keys) == (5, 5)
    assert lay_out([4, 4], CPU, way="packed").whole.packed is None  # one group needs no such thing


def test_a_single_part_is_not_copied() -> None:
    part = torch.ones(2, 3)
    assert join([part]) is part
    assert torch.equal(join([part, part]), torch.ones(4, 3))


def test_a_pass_sends_its_lengths_once_and_makes_the_biases_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU is sent while the blocks run, it waits for; and biases of all lengths would fill it."""
    lengths, asked = [7, 6, 5, 3, 2, 1], []
    laid = replace(lay_out(lengths, CPU, way="grid"), lengths=torch.tensor(lengths))
    monkeypatch.setattr(layout, "send", None)
    stack = Stack((), None, lambda time: asked.append(time) or torch.zeros(2, time, time))
    frames, pooled = stack.run(torch.randn(24, 4), laid)
    assert asked == [7]
    for row, (mean, deviation) in zip(torch.split(frames, lengths), pooled[:, 0], strict=True):
        torch.testing.assert_close(mean, row.mean(0))
        torch.testing.assert_close(deviation, row.std(0, correction=0))


class Loud(Wav2Vec2FeatureExtractor):
    def __call__(self, *args: object, **settings: object) -> dict[str, list[np.ndarray]]:
        return {"input_values": [2 * super().__call__(*args, **settings)["input_values"][0]]}


@pytest.mark.parametrize("is_masked", [False, True])
@pytest.mark.parametrize("normalises", [False, True])
@pytest.mark.parametrize("kind", [Wav2Vec2FeatureExtractor, Data2Vec2FeatureExtractor, Loud])
def test_a_window_is_prepared_as_its_extractor_does(
    kind: type[Wav2Vec2FeatureExtractor], normalises: bool, is_masked: bool
) -> None:
    extractor = kind(do_normalize=normalises, return_attention_mask=is_masked)
    for waveform in (noise(9001, seed=2), 1e-4 * noise(400, seed=3), np.zeros(500, np.float32)):
        expected = extractor(waveform, sampling_rate=16_000, return_tensors="np")["input_values"][0]
        found = prepare(extractor, waveform)
        assert found.dtype == torch.float32
        assert torch.equal(found, torch.from_numpy(expected))


def test_rows_normalised_together_on_a_device_are_those_that_the_extractor_normalises_one_by_one() -> None:
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True)
    waveforms = [noise(9001, seed=2), 1e-4 * noise(400, seed=3), np.zeros(500, np.float32), 0.3 + noise(5000, seed=4)]
    lengths = [len(waveform) for waveform in waveforms]
    padded = send_rows([torch.from_numpy(one) for one in waveforms], 9600, CPU)
    found = normalise_rows(padded, torch.tensor(lengths))
    for row, waveform, length in zip(found, waveforms, lengths, strict=True):
        torch.testing.assert_close(row[:length], prepare(extractor, waveform), atol=1e-5, rtol=1e-5)
        assert not row[length:].any()
    assert normalises_plainly(extractor)
    for other in (Wav2Vec2FeatureExtractor(do_normalize=False), Loud(do_normalize=True)):
        assert not normalises_plainly(other)


def test_rows_are_sent_with_silence_behind_them() -> None:
    waveforms = [torch.ones(2), torch.ones(3), torch.ones(1)]
    assert send_rows(waveforms, 4, CPU).tolist() == [[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0]]


def test_rows_are_laid_out_by_length_and_their_valid_frames_found() -> None:
    layout = lay_out([2, 3, 3], CPU, widths=[4, 4, 3])
    assert layout.order == [1, 0, 2]
    assert layout.groups == ((2, 4), (1, 3))
    assert layout.kept == ((1, 3), (1, 2), (1, 3))
    assert layout.whole == AttentionRows(layout.groups, layout.groups)
    assert layout.valid == AttentionRows(layout.kept, ((1, 4), (1, 4), (1, 3)))
    assert layout.keep(torch.arange(11)[:, None]).flatten().tolist() == [0, 1, 2, 4, 5, 8, 9, 10]


def test_many_groups_are_padded_together() -> None:
    layout = lay_out([5, 4, 3, 2, 1], CPU, widths=[5, 5, 5, 5, 5], way="grid")
    assert layout.whole.padded is None
    padded = layout.valid.padded
    assert padded is not None
    assert padded.is_key is None
    frames = torch.arange(15)
    assert frames[padded.queries][2].tolist() == [9, 10, 11, 0, 0]
    assert frames[padded.queries].flatten()[padded.back].tolist() == frames.tolist()
    assert padded.keys.flatten().tolist() == list(range(25))


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [
        (torch.float32, 1e-5),
        pytest.param(
            torch.bfloat16,
            0.02,
            marks=pytest.mark.skipif(not _can_pack(torch.bfloat16), reason="no bfloat16 in oneDNN on this processor"),
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("activation", [None, gelu, GELUActivation(), nn.ReLU()], ids=repr)
def test_a_packed_weight_gives_what_a_plain_one_gives(
    activation: Callable[[torch.Tensor], torch.Tensor] | None,
    dtype: torch.dtype,
    tolerance: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    linear, values = nn.Linear(96, 64), torch.randn(5, 7, 96)
    packed = Target(CPU, dtype).linear(linear, activation=activation)
    monkeypatch.setattr("emobox_hf.encoders.forward.linear._can_pack", lambda _: False)
    plain = Target(CPU, dtype).linear(linear, activation=activation)
    assert (packed.is_packed, plain.is_packed) == (True, False)
    assert packed(values).dtype == plain(values).dtype == dtype
    torch.testing.assert_close(packed(values), plain(values), atol=tolerance / 2, rtol=tolerance / 2)
    expected = linear(values) if activation is None else activation(linear(values))
    torch.testing.assert_close(packed(values).float(), expected, atol=tolerance, rtol=tolerance / 2)
