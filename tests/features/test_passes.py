"""Batches that do not fit in memory, and batches that hold a clip the encoder refuses."""

import numpy as np
import pytest
import torch
from toy_clips import KEY, ToyEncoder, encoded_of, make_clips

from emobox_hf.encoders.forward.backbone import Encoded
from emobox_hf.errors import InputError
from emobox_hf.features import FeatureStore, extract
from emobox_hf.features.passes import Passes, fetch, is_out_of_memory
from emobox_hf.features.storage import READ_DTYPES, convert_batch, split_batch, to_storage

CLIPS = make_clips(40)
OPTIONS = {"batch_s": 6.0, "n_workers": 0}
ERRORS = {
    "a GPU's": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee the manual"),
    "a CPU's": lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 2 bytes"),
    "Python's": MemoryError,
    "cuDNN 8's": lambda: RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    "cuDNN 9's": lambda: RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    "cuDNN's in general": lambda: RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"),
    "torch's, of cuDNN": lambda: RuntimeError("GET was unable to find an engine to execute this computation"),
    "torch's, of older cuDNN": lambda: RuntimeError("Unable to find an engine to execute this computation"),
}


class Cramped(ToyEncoder):
    """Has memory for so many seconds at once, padding included."""

    def __init__(self, room_s, make_error=MemoryError):
        super().__init__()
        self.room_s, self.make_error, self.tried_s = room_s, make_error, []

    def encode(self, waveforms):
        self.tried_s.append(len(waveforms) * max(map(len, waveforms)) / 16000)
        if self.tried_s[-1] > self.room_s:
            raise self.make_error()
        return super().encode(waveforms)


@pytest.fixture
def store(tmp_path):
    return FeatureStore.open(tmp_path, KEY)


@pytest.mark.parametrize("kind", ERRORS)
def test_batches_are_halved_until_they_fit_and_stay_so(store, kind):
    encoder = Cramped(1.7, ERRORS[kind])
    report = extract(CLIPS, encoder, store, **OPTIONS)
    assert report.n_extracted == 40
    assert store.verify() == []
    failed = [size_s for size_s in encoder.tried_s if size_s > encoder.room_s]
    # The first batch is the largest, so it alone fails: 6 s, 3 s; from then on none is larger than 1.5 s.
    assert 1 <= len(failed) <= 2
    assert encoder.tried_s[: len(failed)] == failed
    assert max(encoder.tried_s[len(failed) :]) <= failed[-1] / 2 + 1e-6
    assert sum(encoder.seen) == 40


def test_a_copy_to_the_cpu_that_does_not_fit_halves_the_batch_too(store, monkeypatch):
    """On a GPU the frames of a batch are joined there, and page-locked memory is taken for them."""
    tried = []

    def fetch_few(encoded, dtype):
        tried.append(len(encoded))
        if len(encoded) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return fetch(encoded, dtype)

    monkeypatch.setattr("emobox_hf.features.extraction.fetch", fetch_few)
    assert extract(CLIPS, ToyEncoder(), store, **OPTIONS).n_extracted == 40
    assert max(tried) > 3
    assert store.keys() == {clip.key for clip in CLIPS}


@pytest.mark.parametrize("is_initialized", [True, False])
def test_after_a_batch_that_did_not_fit_a_gpu_gives_back_what_torch_keeps_of_it(store, monkeypatch, is_initialized):
    emptied = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: is_initialized)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(len(encoder.tried_s)))
    encoder = Cramped(1.7, ERRORS["a GPU's"])
    extract(CLIPS, encoder, store, **OPTIONS)
    failed = [number for number, size_s in enumerate(encoder.tried_s, 1) if size_s > encoder.room_s]
    assert emptied == (failed if is_initialized else [])


def test_what_failed_is_not_counted_as_computed():
    encoder = Cramped(3.0)
    passes = Passes(encoder.encode, encoder.padded_s)
    batch = [(clip, clip.read()) for clip in CLIPS[:12]]
    done = list(passes.run(batch))
    assert [clip for clips, _ in done for clip in clips] == CLIPS[:12]
    assert max(encoder.tried_s) > 3.0
    assert passes.computed_s == pytest.approx(sum(size_s for size_s in encoder.tried_s if size_s <= 3.0))


def test_a_clip_that_does_not_fit_alone_says_what_to_do(store):
    longest = max(CLIPS, key=lambda clip: clip.duration_s)
    too_long = {clip.key for clip in CLIPS if clip.duration_s > 0.7}
    assert longest.key in too_long
    with pytest.raises(
        InputError, match=r"utterance toy-\d+ cannot be encoded: 0\.\d s .* even alone .*--max-duration-s"
    ):
        extract(CLIPS, Cramped(0.7), store, **OPTIONS)
    report = extract(CLIPS, Cramped(0.7), store, on_error="skip", **OPTIONS)
    assert {one.key for one in report.left_out} == too_long
    assert len(store.keys()) == 40 - len(too_long)


def test_other_errors_of_the_encoder_are_raised_as_they_are(store):
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        extract(CLIPS, Cramped(0.0, lambda: RuntimeError("shapes do not fit")), store, **OPTIONS)


def test_torch_says_on_a_cpu_what_is_looked_for():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_out_of_memory(caught.value)


class Picky(ToyEncoder):
    """Refuses a batch that holds a clip below eight frames, as an encoder does that needs so much."""

    def encode(self, waveforms):
        if min(map(len, waveforms)) < 8 * 320:
            raise InputError("too short")
        return super().encode(waveforms)


def test_a_clip_the_encoder_refuses_does_not_take_its_batch_along(store):
    short = {clip.key for clip in CLIPS if clip.duration_s < 8 * 0.02}
    report = extract(CLIPS, Picky(), store, on_error="skip", batch_s=2.0, n_workers=0)
    assert {one.key for one in report.left_out} == short != set()
    assert {one.reason for one in report.left_out} == {"too short"}
    assert store.keys() == {clip.key for clip in CLIPS} - short


def test_a_refused_clip_leaves_its_neighbours_in_order():
    batch = [(clip, clip.read()) for clip in sorted(CLIPS, key=lambda clip: -clip.duration_s)]
    done = list(Passes(Picky().encode).run(batch))
    assert [clip for clips, _ in done for clip in clips] == [clip for clip, _ in batch]


def test_fetching_gives_the_same_numbers_on_the_cpu():
    encoded = ToyEncoder().encode([np.ones(640, np.float32), np.zeros(320, np.float32)])
    for given, found in zip(encoded, fetch(encoded, "float16")(), strict=True):
        assert torch.equal(given.frames, found.frames)
        assert torch.equal(given.pooled, found.pooled)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "int8"])
def test_what_an_accelerator_converts_is_stored_as_what_a_cpu_converts(dtype):
    generator = torch.Generator().manual_seed(0)
    encoded = encoded_of(*(30 * torch.randn(n, 70, generator=generator) for n in (3, 1, 40)))
    converted = split_batch(convert_batch(encoded, dtype), [3, 1, 40])
    for given, found in zip(encoded, converted, strict=True):
        for one, other in zip(to_storage("a", given, dtype), to_storage("a", found, dtype), strict=True):
            assert one is other or torch.equal(one, other)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "int8"])
@pytest.mark.parametrize("part", ["frames", "pooled"])
@pytest.mark.parametrize("value", [7e4, -7e4, 65519.0, 65520.0, 3.4e38, float("nan"), float("inf"), float("-inf")])
def test_what_cannot_be_stored_is_refused_in_the_same_words_wherever_it_was_converted(dtype, part, value):
    encoded = encoded_of(torch.ones(3, 70), torch.ones(2, 70))
    getattr(encoded[1], part).view(-1)[17] = value
    words = []
    for one in (encoded[1], split_batch(convert_batch(encoded, dtype), [3, 2])[1]):
        try:
            to_storage("a", one, dtype)
            words.append("stored")
        except InputError as error:
            words.append(str(error))
    assert words[0] == words[1]
    assert (words[0] == "stored") == bool(torch.tensor(value).to(READ_DTYPES[dtype]).isfinite())


def test_a_device_that_is_no_cpu_converts_before_its_output_comes_back(store, monkeypatch):
    """The meta device holds no numbers, but tells what would come back."""
    asked = []
    monkeypatch.setattr("emobox_hf.features.passes.split_batch", lambda batch, lengths: asked.append((batch, lengths)))
    given = [Encoded(torch.empty(n, 8, device="meta"), torch.empty(3, 2, 8, device="meta")) for n in (5, 2)]
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: tensor)
    fetch(given, "float16")()
    ((batch, lengths),) = asked
    assert lengths == [5, 2]
    assert [(one.dtype, tuple(one.shape)) for one in batch] == [
        (torch.float16, (7, 8)),
        (torch.float16, (2, 3, 2, 8)),
        (torch.float32, (7,)),
        (torch.float32, (2,)),
    ]
