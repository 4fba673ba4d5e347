"""Mean and deviation of every layer are those of transformers' hidden states, whatever else is in the batch."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
import transformers
from tiny_encoders import WAVEFORM_CONFIGS, noise, saved

from emobox_hf.encoders import identify
from emobox_hf.encoders.encoder import Encoder, load_encoder
from emobox_hf.encoders.forward.pooling import merge, pool

LENGTHS = (9000, 400, 16_000, 5333, 16_000)


def moments(frames: torch.Tensor) -> torch.Tensor:
    """The definition in float64: (time, dim) -> (2, dim)."""
    frames = frames.double()
    return torch.stack([frames.mean(0), frames.std(0, correction=0)]).float()


@cache
def load(name: str, **options: object) -> Encoder:
    return load_encoder(identify(str(saved(name))), **options)


@cache
def load_plain(name: str) -> tuple[torch.nn.Module, Callable[..., dict[str, torch.Tensor]]]:
    model = transformers.AutoModel.from_pretrained(saved(name)).eval()
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    return model, transformers.AutoFeatureExtractor.from_pretrained(saved(name))


@torch.inference_mode()
def expect_pooled(name: str, waveform: np.ndarray, n_frames: int) -> torch.Tensor:
    """Moments of each of transformers' hidden states, (layers, 2, dim); the last is the model's output."""
    model, extractor = load_plain(name)
    inputs = extractor(waveform, sampling_rate=16_000, return_tensors="pt")
    output = model(inputs[model.main_input_name], output_hidden_states=True)
    states = [*output.hidden_states[:-1], output.last_hidden_state]
    return torch.stack([moments(state[0, :n_frames]) for state in states])


@pytest.mark.parametrize("name", [*WAVEFORM_CONFIGS, "whisper", "conformer"])
def test_every_layer_is_pooled_as_transformers_hidden_states_would_be(name: str) -> None:
    encoder = load(name)
    waveforms = [noise(n, seed=seed) for seed, n in enumerate(LENGTHS)]
    for waveform, (frames, pooled) in zip(waveforms, encoder.encode(waveforms), strict=True):
        assert (pooled.shape, pooled.dtype) == ((4, 2, 32), torch.float32)
        torch.testing.assert_close(pooled, expect_pooled(name, waveform, len(frames)), atol=1e-5, rtol=0)
        torch.testing.assert_close(pooled[-1], moments(frames), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["wav2vec2-layer", "whisper", "conformer"])
def test_layers_up_to_the_chosen_one_are_pooled_and_no_other(name: str) -> None:
    waveform = noise(9000)
    (last,) = load(name).encode([waveform])
    for layer in range(4):
        (encoded,) = load(name, layer=layer).encode([waveform])
        torch.testing.assert_close(encoded.pooled, last.pooled[: layer + 1], atol=1e-6, rtol=0)
        torch.testing.assert_close(encoded.pooled[-1], moments(encoded.frames), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["hubert-group", "whisper"])
def test_a_clip_in_several_windows_is_pooled_over_all_its_frames(name: str) -> None:
    encoder = load(name)
    short, long = encoder.encode([noise(8000), noise(30 * 16_000 + 5000)])
    assert len(long.frames) > 1500
    torch.testing.assert_close(long.pooled[-1], moments(long.frames), atol=1e-5, rtol=0)
    assert long.pooled.shape == short.pooled.shape


def test_a_model_without_hidden_states_has_one_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = transformers.Wav2Vec2ConformerModel.forward

    def silent(self: torch.nn.Module, *args: object, **kwargs: object) -> object:
        output = forward(self, *args, **kwargs)
        output.hidden_states = None
        return output

    monkeypatch.setattr(transformers.Wav2Vec2ConformerModel, "forward", silent)
    encoder = load_encoder(identify(str(saved("conformer"))))
    (encoded,) = encoder.encode([noise(9000)])
    assert encoder.n_layers == encoder.layer == 0
    torch.testing.assert_close(encoded.pooled, moments(encoded.frames)[None], atol=1e-6, rtol=0)


def test_both_ways_to_pool_give_the_moments_of_each_row() -> None:
    groups = ((2, 30), (1, 7), (3, 1))
    # A mean a thousand times the deviation: squares subtracted from squares would leave noise.
    frames = 1000 + torch.randn(70, 5, generator=torch.Generator().manual_seed(3))
    rows = torch.split(frames, [30, 30, 7, 1, 1, 1])
    expected = torch.stack([moments(row) for row in rows])
    for lengths in (None, torch.tensor([30, 30, 7, 1, 1, 1])):
        torch.testing.assert_close(pool(frames, groups, lengths), expected, atol=2e-4, rtol=0)


def test_windows_are_merged_by_their_frames() -> None:
    frames = 1000 + torch.arange(30.0)[:, None] * torch.tensor([1.0, 0.1])
    parts = [frames[:4], frames[4:29], frames[29:]]
    merged = merge([moments(part)[None] for part in parts], [4, 25, 1])
    torch.testing.assert_close(merged, moments(frames)[None], atol=2e-4, rtol=0)
