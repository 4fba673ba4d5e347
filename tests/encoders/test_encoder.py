"""The frames of every layer are the model's own, alone and in a batch; precisions are in `test_matrix.py`."""

import itertools
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from one_device import ELSEWHERE, encode_elsewhere
from tiny_encoders import WAVEFORM_CONFIGS, noise, save_encoder, saved

from emobox_hf.encoders import TooShortError, identify
from emobox_hf.encoders.encoder import Encoder, load_encoder
from emobox_hf.encoders.forward import attention
from emobox_hf.encoders.forward.waveform import BATCH_S, batch_s_on
from emobox_hf.errors import InputError

# Rounding again: measured 1.2e-5 at most.
PLAIN = {"atol": 2e-5, "rtol": 0}
LENGTHS = (9000, 400, 16_000, 719, 720, 5333)
BATCHED = [*WAVEFORM_CONFIGS, "whisper"]


@cache
def load(folder: Path, **options: object) -> Encoder:
    return load_encoder(identify(str(folder)), **options)


@cache
def model_and_extractor(folder: Path) -> tuple[torch.nn.Module, Callable[..., dict[str, torch.Tensor]]]:
    model = transformers.AutoModel.from_pretrained(folder).eval()
    return model, transformers.AutoFeatureExtractor.from_pretrained(folder)


@torch.inference_mode()
def plain_hidden_states(folder: Path, waveform: np.ndarray) -> tuple[list[torch.Tensor], torch.Tensor]:
    """What transformers gives for one clip without any help: hidden states and the last one, (time, dim) each."""
    model, extractor = model_and_extractor(folder)
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    inputs = extractor(waveform, sampling_rate=16_000, return_tensors="pt")
    output = model(inputs[model.main_input_name], output_hidden_states=True)
    return [state[0] for state in output.hidden_states], output.last_hidden_state[0]


@pytest.mark.parametrize("name", WAVEFORM_CONFIGS)
def test_hidden_layers_too_are_the_same_alone_and_in_a_batch(name: str) -> None:
    for layer in range(3):
        encoder = load(saved(name), layer=layer)
        batch = encoder.encode([noise(4000, seed=1), noise(9000, seed=2)])
        (alone,) = encoder.encode([noise(4000, seed=1)])
        torch.testing.assert_close(batch[0].frames, alone.frames, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", [*BATCHED, "conformer"])
def test_one_clip_gives_what_transformers_gives(name: str) -> None:
    waveform = noise(9137, seed=3)
    encoder = load(saved(name))
    encoder.encode([noise(700), noise(9000)])  # a padded batch before must leave no trace
    ((frames, _),) = encoder.encode([waveform])
    _, last = plain_hidden_states(saved(name), waveform)
    torch.testing.assert_close(frames, last[: len(frames)], **PLAIN)
    assert len(frames) == (9137 // 320 if name == "whisper" else len(last))


@pytest.mark.parametrize("name", [*BATCHED, "conformer"])
def test_each_layer_is_the_hidden_state_of_that_number(name: str) -> None:
    waveform = noise(9137, seed=3)
    states, last = plain_hidden_states(saved(name), waveform)
    assert len(states) == 4
    expected = [*states[:-1], last]
    for earlier, later in itertools.pairwise(expected):
        assert not torch.allclose(earlier, later, atol=1e-3)
    for layer, state in enumerate(expected):
        encoder = load(saved(name), layer=layer)
        assert (encoder.layer, encoder.n_layers) == (layer, 3)
        ((frames, _),) = encoder.encode([waveform])
        torch.testing.assert_close(frames, state[: len(frames)], **PLAIN)


@pytest.mark.parametrize("name", ["wav2vec2-layer", "hubert-layer", "whisper"])
def test_the_last_layer_is_after_the_models_final_norm(name: str) -> None:
    """For these families the output of the last block is not the model's last hidden state."""
    model, extractor = model_and_extractor(saved(name))
    stack = model.encoder
    raw: list[torch.Tensor] = []
    hook = stack.layers[-1].register_forward_hook(lambda _, __, output: raw.append(output))
    encoder = load(saved(name), layer=3)
    assert encoder.layer == load(saved(name), layer="last").layer
    ((frames, _),) = encoder.encode([noise(8000)])
    inputs = extractor(noise(8000), sampling_rate=16_000, return_tensors="pt")
    with torch.inference_mode():
        (stack if name == "whisper" else model)(**inputs)
        hook.remove()
        normed = stack.layer_norm(raw[0])[0, : len(frames)]
    torch.testing.assert_close(frames, normed, **PLAIN)
    assert not torch.allclose(frames, raw[0][0, : len(frames)], atol=1e-2)


@pytest.mark.parametrize("layer", [-1, 4, "first", 1.0])
@pytest.mark.parametrize("name", ["hubert-group", "whisper", "conformer"])
def test_a_layer_the_model_lacks_is_refused_with_the_range(name: str, layer: object) -> None:
    with pytest.raises(InputError, match=r"no layer .* 0 to 3"):
        load.__wrapped__(saved(name), layer=layer)


def test_frames_come_in_the_order_given() -> None:
    encoder = load(saved("wav2vec2-group"))
    waveforms = [noise(n, seed=n) for n in (3000, 9000, 1000, 6000)]
    forward, backward = encoder.encode(waveforms), encoder.encode(waveforms[::-1])
    for there, back in zip(forward, backward[::-1], strict=True):
        torch.testing.assert_close(there.frames, back.frames, atol=1e-5, rtol=0)


def test_no_clips_give_no_frames() -> None:
    assert load(saved("whisper")).encode([]) == []


@pytest.mark.parametrize("name", ["wav2vec2-group", "data2vec"])
def test_clips_over_30_s_are_joined_from_windows(name: str) -> None:
    encoder = load(saved(name))
    clip = noise(30 * 16_000 + 5000)
    ((frames, _),) = encoder.encode([clip])
    windows = encoder.encode([clip[: 30 * 16_000]]) + encoder.encode([clip[30 * 16_000 :]])
    assert len(frames) == encoder.count_frames(len(clip)) == 1499 + 15
    torch.testing.assert_close(frames, torch.cat([window.frames for window in windows]), atol=1e-5, rtol=0)


def test_a_rest_too_short_for_a_window_is_part_of_the_one_before() -> None:
    encoder = load(saved("hubert-group"))
    ((frames, _),) = encoder.encode([noise(30 * 16_000 + 399)])
    assert len(frames) == encoder.count_frames(30 * 16_000 + 399) == 1500


def test_long_and_short_clips_share_a_batch() -> None:
    encoder = load(saved("whisper"))  # windows of 2 s here
    waveforms = [noise(n, seed=n) for n in (5000, 32_000 + 5000, 32_000 + 319, 8000)]
    batch = encoder.encode(waveforms)
    assert (
        [len(frames) for frames, _ in batch] == [15, 115, 100, 25] == [encoder.count_frames(len(w)) for w in waveforms]
    )
    for waveform, (frames, _) in zip(waveforms, batch, strict=True):
        torch.testing.assert_close(frames, encoder.encode([waveform])[0].frames, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("name", "shortest"), [("wav2vec2-group", 400), ("data2vec", 400), ("whisper", 320)])
def test_a_clip_too_short_for_a_frame_is_refused_with_the_numbers(name: str, shortest: int) -> None:
    encoder = load(saved(name))
    assert [len(frames) for frames, _ in encoder.encode([noise(shortest)])] == [1] == [encoder.count_frames(shortest)]
    with pytest.raises(TooShortError, match=rf"{shortest - 1} samples.*needs {shortest}"):
        encoder.encode([noise(16_000), noise(shortest - 1)])
    with pytest.raises(TooShortError, match=rf"{shortest - 1} samples"):
        encoder.count_frames(shortest - 1)


@pytest.mark.parametrize("name", WAVEFORM_CONFIGS)
def test_frame_counts_are_the_models_own(name: str) -> None:
    model, _ = model_and_extractor(saved(name))
    encoder = load(saved(name))
    lengths = torch.arange(400, 5000, 7)
    counted = [encoder.count_frames(int(n)) for n in lengths]
    assert counted == model._get_feat_extract_output_lengths(lengths).tolist()
    assert (encoder.frame_rate_hz, encoder.dim, encoder.counts_are_exact) == (50, 32, True)


def test_whisper_frames_stop_at_the_clip_and_depend_on_the_silence_behind_it() -> None:
    clip = noise(8000)
    ((full, _),) = load(saved("whisper")).encode([clip])
    ((short, _),) = load(saved("whisper"), context="clip").encode([clip])
    assert full.shape == short.shape == (25, 32)
    assert not torch.allclose(full, short, atol=1e-2)


def test_whisper_in_the_context_of_the_clip_is_the_model_on_the_clip_alone(tmp_path: Path) -> None:
    """A Whisper whose context is as long as the clip needs no cut, so both contexts must agree there."""
    clip = noise(32_000)
    ((full, _),) = load(saved("whisper")).encode([clip])
    ((short, _),) = load(saved("whisper"), context="clip").encode([clip])
    torch.testing.assert_close(short, full, atol=1e-6, rtol=0)


@pytest.mark.parametrize("layer", [0, 1, 3])
def test_whisper_in_the_context_of_the_clip_is_the_same_alone_and_in_a_batch(layer: int) -> None:
    encoder = load(saved("whisper"), context="clip", layer=layer)
    waveforms = [noise(n, seed=n) for n in (5001, 32_000, 5120, 640, 5119, 320, 32_319)]
    for waveform, encoded in zip(waveforms, encoder.encode(waveforms), strict=True):
        (alone,) = encoder.encode([waveform])
        assert len(encoded.frames) == encoder.count_frames(len(waveform))
        torch.testing.assert_close(encoded.frames, alone.frames, atol=1e-5, rtol=0)
        torch.testing.assert_close(encoded.pooled, alone.pooled, atol=1e-5, rtol=0)


def test_the_context_of_the_clip_is_for_whisper_alone() -> None:
    with pytest.raises(InputError, match=r"takes clips as they are already: use 'full'"):
        load(saved("wavlm-group"), context="clip")
    with pytest.raises(InputError, match="did you mean 'clip'"):
        load(saved("whisper"), context="clips")


@pytest.mark.parametrize("name", ["wav2vec2-group", "whisper"])
def test_a_callers_autocast_changes_nothing(name: str) -> None:
    encoder = load(saved(name))
    (plain,) = encoder.encode([noise(9000)])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (inside,) = encoder.encode([noise(9000)])
    torch.testing.assert_close(inside.frames, plain.frames, atol=0, rtol=0)
    torch.testing.assert_close(inside.pooled, plain.pooled, atol=0, rtol=0)


@pytest.mark.parametrize("name", ["conformer"])
def test_a_model_of_an_unknown_kind_is_run_clip_by_clip(name: str) -> None:
    encoder = load(saved(name))
    waveforms = [noise(n, seed=n) for n in (3000, 9000, 16_000)]
    batch = encoder.encode(waveforms)
    for waveform, (frames, _) in zip(waveforms, batch, strict=True):
        torch.testing.assert_close(frames, encoder.encode([waveform])[0].frames, atol=0, rtol=0)
        assert encoder.count_frames(len(waveform)) == pytest.approx(len(frames), abs=1)
    assert (encoder.dim, encoder.counts_are_exact) == (32, False)
    assert encoder.frame_rate_hz == {"conformer": 50}[name]


def test_an_adapter_on_top_makes_a_waveform_model_one_of_an_unknown_kind(tmp_path: Path) -> None:
    config = transformers.Wav2Vec2Config(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        conv_dim=(16,) * 7,
        add_adapter=True,
    )
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    encoder = load(tmp_path)
    assert not encoder.counts_are_exact
    assert len(encoder.encode([noise(16_000)])[0].frames) == encoder.count_frames(16_000) < 20


def test_a_model_for_text_is_refused(tmp_path: Path) -> None:
    config = transformers.BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=9
    )
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="no feature extractor"):
        load(tmp_path)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    with pytest.raises(InputError, match="no part of it makes frames"):
        load(tmp_path)


def test_weights_that_lack_a_part_are_refused_instead_of_filled_at_random(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    save_encoder(tmp_path, "hubert-group")
    weights = load_file(tmp_path / "model.safetensors")
    del weights["encoder.layers.1.attention.k_proj.weight"], weights["masked_spec_embed"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lack 1 that the model needs: encoder\.layers\.1\.attention\.k_proj\.weight"):
        load(tmp_path)


def test_weights_with_the_old_names_of_weight_norm_load_whole(tmp_path: Path) -> None:
    """The published base and large checkpoints date from before torch renamed the two parts of a normed weight."""
    from safetensors.torch import load_file, save_file

    save_encoder(tmp_path, "wavlm-layer")
    conv = "encoder.pos_conv_embed.conv."
    renamed = {f"{conv}parametrizations.weight.original{i}": f"{conv}weight_{letter}" for i, letter in enumerate("gv")}
    weights = {renamed.get(name, name): tensor for name, tensor in load_file(tmp_path / "model.safetensors").items()}
    assert conv + "weight_g" in weights
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    waveform = noise(9000)
    (old,), (new,) = load(tmp_path).encode([waveform]), load(saved("wavlm-layer")).encode([waveform])
    torch.testing.assert_close(old.frames, new.frames, atol=0, rtol=0)


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    save_encoder(tmp_path, "whisper")
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[:1000])
    with pytest.raises(InputError, match="cannot be loaded by AutoModel"):
        load(tmp_path)


def test_nothing_is_left_to_train_and_no_padding_is_kept() -> None:
    for name in ("whisper", "hubert-group"):
        batch = load(saved(name)).encode([noise(8000), noise(16_000)])
        assert not any(frames.requires_grad or pooled.requires_grad for frames, pooled in batch)
        storage = batch[0].frames.untyped_storage()
        assert storage.nbytes() == sum(frames.numel() * 4 for frames, _ in batch)


def test_whisper_says_that_it_pads_and_others_that_they_do_not() -> None:
    whisper, other = (load_encoder(identify(str(saved(name)))) for name in ("whisper", "wavlm-group"))
    assert [whisper.padded_s(duration_s) for duration_s in (0.5, 2.0, 2.5)] == [2.0, 2.0, 4.0]
    assert load_encoder(identify(str(saved("whisper"))), context="clip").padded_s(0.5) == 0.5
    assert other.padded_s(0.5) == 0.5


@pytest.mark.parametrize(("precision", "atol"), [("bf16", 0.2), ("fp16", 0.1)])
@pytest.mark.parametrize("name", ["conformer", "ast"])
def test_half_precision_of_a_single_clip_is_near_float32(name: str, precision: str, atol: float) -> None:
    """Models under autocast; those that run in batches are in `test_matrix.py`."""
    plain, half = (
        load(saved(name), precision=choice).encode([noise(16000, seed=1)])[0] for choice in ("no", precision)
    )
    assert plain.frames.dtype == half.frames.dtype == half.pooled.dtype == torch.float32
    torch.testing.assert_close(half.frames, plain.frames, atol=atol, rtol=0)
    assert 0 < (half.frames - plain.frames).abs().mean() < atol / 8
    torch.testing.assert_close(half.pooled, plain.pooled, atol=atol / 2, rtol=0)


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'bf16'"):
        load(saved("whisper"), precision="bf61")


CONTEXTS = [*((name, "full") for name in BATCHED), ("whisper", "clip")]


@pytest.mark.parametrize("precision", ["no", "bf16", "fp16"])
@pytest.mark.parametrize(("name", "context"), CONTEXTS, ids=lambda text: text)
def test_all_that_a_pass_computes_with_is_on_the_encoders_device(name: str, context: str, precision: str) -> None:
    look_elsewhere(load.__wrapped__(saved(name), context=context, precision=precision, device=ELSEWHERE))


def look_elsewhere(encoder: Encoder) -> None:
    waveforms = [noise(n, seed=seed) for seed, n in enumerate(LENGTHS)]
    for waveform, (frames, pooled) in zip(waveforms, encode_elsewhere(encoder, waveforms), strict=True):
        assert (frames.device, frames.shape) == (ELSEWHERE, (encoder.count_frames(len(waveform)), encoder.dim))
        assert (pooled.device, pooled.shape) == (ELSEWHERE, (4, 2, encoder.dim))


@pytest.mark.skipif(attention.VARLEN is None, reason="this torch has no attention of variable length")
@pytest.mark.parametrize("name", ["wav2vec2-layer", "whisper"])
def test_torchs_attention_of_variable_length_takes_what_it_is_given(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kernel runs on a GPU alone; here what torch checks before."""
    monkeypatch.setattr(attention, "_takes_packed", lambda *_: True)
    look_elsewhere(load.__wrapped__(saved(name), precision="bf16", device=ELSEWHERE))


def test_batches_suit_the_device_and_depend_on_nothing_else() -> None:
    """Processes that share a corpus must agree on the batches, whatever memory is free on each."""
    assert load(saved("wavlm-group")).batch_s == 16
    assert load(saved("whisper")).batch_s == 30
    assert [batch_s_on(torch.device(name), BATCH_S) for name in ("cpu", "cuda:1", "mps")] == [16, 480, 120]
