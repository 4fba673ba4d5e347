"""What is said of families of models holds, on small random ones."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tiny_encoders import noise, save_encoder
from tiny_families import FAMILIES as TINY
from tiny_families import saved_family

from emobox_hf.encoders import identify
from emobox_hf.encoders.encoder import Encoder, load_encoder
from emobox_hf.encoders.forward import single_clips
from emobox_hf.encoders.forward.waveform import WAVEFORM_TYPES
from emobox_hf.encoders.known.families import BATCHED, CODEC, CONVERTED, FAMILIES, PADDED, REFUSED, SINGLE
from emobox_hf.encoders.known.inputs import EncoderInput, describe_input
from emobox_hf.errors import InputError

WORKING = [name for name in TINY if FAMILIES[name].how != REFUSED]
TO_WINDOWS = [name for name in TINY if FAMILIES[name].how == PADDED]


def load(name: str, **options: object) -> Encoder:
    return load_encoder(identify(str(saved_family(name))), **options)


def test_every_family_that_is_named_is_tried_here_or_runs_in_batches() -> None:
    others = {name for name, family in FAMILIES.items() if family.how not in (BATCHED, CONVERTED)}
    assert set(TINY) == others
    batched = {name for name, family in FAMILIES.items() if family.how in (BATCHED, CONVERTED)}
    assert batched == {*WAVEFORM_TYPES, "whisper"}


@pytest.mark.parametrize("name", WORKING)
def test_frames_grow_with_the_clip_and_are_the_same_in_a_batch(name: str) -> None:
    encoder = load(name)
    waveforms = [noise(n, seed=n) for n in (8_000, 16_000, 40_000)]
    encoded = encoder.encode(waveforms)
    lengths = [len(one.frames) for one in encoded]
    assert lengths[0] < lengths[1] < lengths[2]
    assert lengths[2] == pytest.approx(2.5 * lengths[1], rel=0.2)
    for waveform, one in zip(waveforms, encoded, strict=True):
        assert bool(np.isfinite(one.frames.numpy()).all())
        assert one.frames.shape[1] == encoder.dim
        assert np.array_equal(one.frames, encoder.encode([waveform])[0].frames)
        assert encoder.count_frames(len(waveform)) == pytest.approx(len(one.frames), abs=2)
        assert len(one.pooled) == encoder.n_layers + 1
    assert (encoder.n_layers == 0) == (FAMILIES[name].how == CODEC)


@pytest.mark.parametrize("name", TO_WINDOWS)
def test_half_precision_of_padded_windows_is_near_float32(name: str) -> None:
    plain, half = (load(name, precision=precision).encode([noise(20_000)])[0] for precision in ("no", "bf16"))
    torch.testing.assert_close(half.frames, plain.frames, atol=0.2, rtol=0)
    assert 0 < (half.frames - plain.frames).abs().mean() < 0.03


@pytest.mark.parametrize("name", [name for name in TINY if FAMILIES[name].how == REFUSED])
def test_a_family_without_frames_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(InputError, match=rf"{FAMILIES[name].note}\..*`emobox encoders --families`") as raised:
        load(name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", TO_WINDOWS)
def test_what_is_padded_is_trimmed_and_long_clips_are_heard_to_their_end(name: str) -> None:
    encoder = load(name)
    window_s = encoder.padded_s(0.1)
    assert describe_input(encoder.identity).window_s == pytest.approx(window_s)
    assert f"padded windows of {window_s:g} s" in str(describe_input(encoder.identity))
    long = noise(round(2.5 * window_s * 16_000), seed=1)
    changed = long.copy()
    changed[-4000:] = noise(4000, seed=2)
    before, after = (encoder.encode([waveform])[0].frames for waveform in (long, changed))
    assert len(before) == pytest.approx(encoder.frame_rate_hz * len(long) / 16_000, rel=0.25)
    assert not np.allclose(before[-1], after[-1])
    assert np.array_equal(before[0], after[0])


@pytest.mark.parametrize("name", [name for name in TINY if FAMILIES[name].how in (PADDED, SINGLE)])
def test_frames_of_every_layer_are_counted(name: str) -> None:
    """Some towers halve the number of frames behind their last block."""
    for layer in range(load(name).n_layers + 1):
        encoder = load(name, layer=layer)
        for n_samples in (16_000, 20_000, 32_000):
            ((frames, _),) = encoder.encode([noise(n_samples)])
            within = 0 if encoder.counts_are_exact else 2
            assert encoder.count_frames(n_samples) == pytest.approx(len(frames), abs=within)


@torch.inference_mode()
def test_qwen2_audio_attends_to_the_clip_alone_as_its_own_model_lets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = noise(20_000)
    folder = saved_family("qwen2_audio")
    ((frames, _),) = load("qwen2_audio").encode([clip])
    model = transformers.AutoModel.from_pretrained(folder).eval()
    given: list[torch.Tensor] = []
    model.audio_tower.register_forward_hook(lambda _, __, output: given.append(output.last_hidden_state[0]))
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    inputs = extractor(clip, sampling_rate=16_000, return_tensors="pt", return_attention_mask=True)
    tokens = torch.full((1, 31), model.config.audio_token_id)  # the model checks that it gives so many frames
    model(tokens, inputs["input_features"], feature_attention_mask=inputs["attention_mask"])
    assert len(frames) == 31
    torch.testing.assert_close(frames, given[0][:31], atol=1e-5, rtol=0)
    monkeypatch.setattr(single_clips, "_MASKED_TOWERS", frozenset())
    ((without, _),) = load("qwen2_audio").encode([clip])
    assert not torch.allclose(without, frames, atol=1e-3)


@pytest.mark.parametrize("name", ["qwen2_audio", "mimi"])
def test_settings_inside_those_of_a_processor_are_read(name: str, tmp_path: Path) -> None:
    """So processors save those of their feature extractor since transformers 5."""
    shutil.copytree(saved_family(name), tmp_path, dirs_exist_ok=True)
    inner = json.loads((tmp_path / "preprocessor_config.json").read_text())
    (tmp_path / "preprocessor_config.json").unlink()
    (tmp_path / "processor_config.json").write_text(json.dumps({"feature_extractor": inner}))
    taken = describe_input(identify(str(tmp_path)))
    assert taken == describe_input(identify(str(saved_family(name)))) != EncoderInput()
    assert len(load_encoder(identify(str(tmp_path))).encode([noise(16_000)])) == 1


def test_an_extractor_that_cuts_clips_off_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = transformers.Wav2Vec2FeatureExtractor.__call__

    def cut(self: Any, sound: Any, **options: Any) -> Any:
        return whole(self, sound[: 11 * 16_000], **options)

    monkeypatch.setattr(transformers.Wav2Vec2FeatureExtractor, "__call__", cut)
    with pytest.raises(InputError, match=r"Wav2Vec2FeatureExtractor cuts every clip off after about 11 s"):
        load("wav2vec2-conformer")


@pytest.mark.parametrize("name", TO_WINDOWS)
def test_the_context_of_the_clip_cannot_be_had_of_what_pads(name: str) -> None:
    with pytest.raises(InputError, match=r"pads every clip to .* s and takes no other"):
        load(name, context="clip")


def test_an_output_of_one_length_that_nobody_can_trim_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_clips, "read_input", lambda settings, model_type: EncoderInput())  # as if unknown
    with pytest.raises(InputError, match=r"gives 50 frames for one second and for two.*scored on padding"):
        load("qwen2_audio")


def test_another_sample_rate_is_resampled_and_recorded(tmp_path: Path) -> None:
    save_encoder(tmp_path, "wav2vec2-group")
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=24_000).save_pretrained(tmp_path)
    encoder = load_encoder(identify(str(tmp_path)))
    assert encoder.frame_rate_hz == 75
    assert str(describe_input(encoder.identity)) == "16000 Hz sound resampled to 24000 Hz"


@pytest.mark.parametrize("name", [name for name in TINY if FAMILIES[name].how == SINGLE])
def test_what_is_taken_as_it_is_needs_no_word(name: str) -> None:
    assert str(describe_input(identify(str(saved_family(name))))) == ""
