"""Baselines as encoders: what they give, what tells two of them apart, what is refused."""

import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_encoders import noise
from transformers.audio_utils import mel_filter_bank, spectrogram

from emobox_hf.encoders import EncoderIdentity, TooShortError, identify
from emobox_hf.encoders.baselines import backbones
from emobox_hf.encoders.baselines.backbones import BACKBONES, mel_filters, one_hot
from emobox_hf.encoders.baselines.table import BASELINES, check_options
from emobox_hf.encoders.classifier import load_classifier
from emobox_hf.encoders.encoder import Encoder, load_encoder
from emobox_hf.encoders.known.inputs import EncoderInput, describe_input
from emobox_hf.errors import InputError
from emobox_hf.features.storage import dequantize, to_storage

HEARING = ("baseline:duration", "baseline:logmel")
FAKE_OPENSMILE = """
import enum, types
class FeatureSet(enum.Enum):
    eGeMAPSv02 = "eGeMAPSv02"
class FeatureLevel(enum.Enum):
    Functionals = "func"
class Table:
    def __init__(self, values):
        self.values = values
    def to_numpy(self):
        import numpy
        return numpy.array([self.values])
class Smile:
    def __init__(self, feature_set, feature_level):
        assert (feature_set.value, feature_level.value) == ("eGeMAPSv02", "func")
    def process_signal(self, signal, sampling_rate):
        assert sampling_rate == 16000
        return Table([float(signal[0]), *range(1, 88)])
"""


@pytest.fixture
def fake_opensmile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An opensmile that gives the first sample and 1 to 87."""
    (tmp_path / "opensmile.py").write_text(FAKE_OPENSMILE, encoding="utf-8")
    info = tmp_path / "opensmile-9.8.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: opensmile\nVersion: 9.8\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "opensmile", raising=False)
    backbones._smile.cache_clear()
    yield
    sys.modules.pop("opensmile", None)
    backbones._smile.cache_clear()


def load(name: str) -> Encoder:
    return load_encoder(identify(name))


def test_every_baseline_is_computed_and_has_no_layers() -> None:
    assert BACKBONES.keys() == BASELINES.keys()
    for make in BACKBONES.values():
        assert (make().n_layers, make().layer) == (0, 0)


@pytest.mark.parametrize("name", HEARING)
def test_a_clip_gives_the_same_alone_and_beside_others(name: str) -> None:
    encoder, clips = load(name), [noise(n, seed=n) for n in (16_000, 500, 500_000)]
    together = encoder.encode(clips)
    for clip, one in zip(clips, together, strict=True):
        (alone,) = encoder.encode([clip])
        assert torch.equal(alone.frames, one.frames)
        assert torch.equal(alone.pooled, one.pooled)
        assert len(one.frames) == encoder.count_frames(len(clip))
        assert one.frames.shape[1] == encoder.dim
        assert one.pooled.shape == (1, 2, encoder.dim)
        torch.testing.assert_close(one.pooled[0, 0], one.frames.mean(0), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(one.pooled[0, 1], one.frames.std(0, correction=0), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("duration_s", [0.25, 1.0, 61.5])  # the last is longer than a window
def test_duration_is_one_frame_of_log_seconds_and_seconds(duration_s: float) -> None:
    (encoded,) = load("baseline:duration").encode([noise(round(16_000 * duration_s))])
    torch.testing.assert_close(encoded.frames, torch.tensor([[math.log(duration_s), duration_s]]))


def test_mel_filters_are_those_of_transformers() -> None:
    filters = mel_filters()
    expected = mel_filter_bank(257, 80, 0.0, 8000.0, 16_000, norm=None, mel_scale="htk")
    np.testing.assert_allclose(filters.numpy(), expected, atol=1e-5)
    assert bool((filters.amax(0) > 0).all())  # no band hears nothing


def test_log_mel_frames_are_those_of_transformers() -> None:
    waveform = noise(16_000)
    (encoded,) = load("baseline:logmel").encode([waveform])
    window = torch.hann_window(400).numpy()
    expected = spectrogram(
        waveform, window, 400, 160, fft_length=512, power=2.0, center=False, mel_filters=mel_filters().numpy()
    ).T  # (time, bands)
    assert encoded.frames.shape == expected.shape == (98, 80)
    np.testing.assert_allclose(encoded.frames.numpy(), np.log(np.maximum(expected, 1e-10)), atol=2e-3)


def test_silence_has_the_lowest_log_mel_and_is_finite() -> None:
    (encoded,) = load("baseline:logmel").encode([np.zeros(1600, dtype=np.float32)])
    assert bool((encoded.frames == math.log(1e-10)).all())


def test_a_clip_too_short_for_one_log_mel_frame_is_refused() -> None:
    with pytest.raises(TooShortError, match="needs 400 samples"):
        load("baseline:logmel").encode([noise(399)])


@pytest.mark.parametrize("name", ["baseline:speaker", "baseline:sentence"])
def test_the_row_of_a_trait_is_its_frame(name: str) -> None:
    rows = load(name).encode([one_hot(2, 4), one_hot(None, 4)])
    assert [row.frames.tolist() for row in rows] == [[[0, 0, 1, 0]], [[0, 0, 0, 0]]]
    assert rows[0].pooled.tolist() == [[[0, 0, 1, 0], [0, 0, 0, 0]]]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "int8"])
def test_stored_rows_are_exact_and_stored_durations_nearly(dtype: Any) -> None:
    (row,) = load("baseline:speaker").encode([one_hot(1, 3)])
    (duration,) = load("baseline:duration").encode([noise(37_123)])
    for encoded, most in ((row, 0.0), (duration, 0.004 if dtype == "bfloat16" else 0.0005)):
        stored = to_storage("k", encoded, dtype)
        frames = stored.frames if stored.scales is None else dequantize(stored.frames, stored.scales)
        for kept, given in ((frames, encoded.frames), (stored.pooled, encoded.pooled)):
            torch.testing.assert_close(kept.float(), given, rtol=most, atol=0)


def test_egemaps_are_the_functionals_of_opensmile(fake_opensmile: None) -> None:
    encoder = load("baseline:egemaps")
    waveforms = [noise(960, seed=1), noise(960_000, seed=2)]  # the second is longer than a window
    for waveform, encoded in zip(waveforms, encoder.encode(waveforms), strict=True):
        assert encoded.frames.tolist() == [[pytest.approx(float(waveform[0])), *range(1, 88)]]
    assert encoder.identity.key == "baseline:egemaps@1-9.8"
    with pytest.raises(TooShortError, match="needs 960 samples"):
        encoder.encode([noise(959)])


def test_egemaps_by_opensmile_itself_are_finite() -> None:
    pytest.importorskip("opensmile")
    (encoded,) = load("baseline:egemaps").encode([noise(960)])
    assert encoded.frames.shape == (1, 88)
    assert bool(encoded.frames.isfinite().all())


def test_egemaps_without_opensmile_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = replace(BASELINES["baseline:egemaps"], needs="no-such-package")
    monkeypatch.setitem(BASELINES, absent.id, absent)
    with pytest.raises(InputError, match=r"baseline:egemaps needs no-such-package, the extra 'egemaps'.*\[egemaps\]"):
        identify(absent.id)


def test_the_identity_is_the_name_and_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = identify("baseline:duration")
    assert identity == EncoderIdentity("baseline:duration", "1", None, "baseline")
    assert (identity.key, identity.display_name) == ("baseline:duration@1", "baseline:duration")
    monkeypatch.setitem(BASELINES, identity.name, replace(BASELINES[identity.name], version=2))
    assert identify(identity.name).key == "baseline:duration@2"


def test_what_is_told_of_a_baseline_needs_no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emobox_hf.encoders.known.inputs._find_settings", lambda *_: pytest.fail("looked for settings"))
    assert describe_input(identify("baseline:logmel")) == EncoderInput()


def test_identifying_loads_neither_torch_nor_opensmile() -> None:
    code = (
        "import sys; from emobox_hf.encoders import identify; identify('baseline:logmel');"
        "print([m for m in ('torch', 'transformers', 'opensmile') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("baseline:durations", "no baseline 'baseline:durations'; did you mean 'baseline:duration'"),
        ("baseline:xyz", "no baseline 'baseline:xyz'"),
        ("duration", "did you mean 'baseline:duration'"),
    ],
)
def test_a_misspelt_baseline_gets_a_suggestion(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        identify(name)


def test_a_baseline_has_no_commits() -> None:
    with pytest.raises(InputError, match="'baseline:duration' is a baseline, of no commit: leave it out"):
        identify("baseline:duration", revision="main")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "all"}, "baseline:duration has no layers, found layer 'all'"),
        ({"layer": 0}, "baseline:duration has no layers, found layer 0"),
        ({"context": "clip"}, "context 'clip' is for Whisper; baseline:duration takes clips as they are"),
        ({"precision": "bf16"}, "baseline:duration is computed in float32, found mixed precision 'bf16'"),
    ],
)
def test_options_without_a_meaning_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_encoder(identify("baseline:duration"), **options)


def test_a_norm_over_one_frame_is_refused() -> None:
    with pytest.raises(InputError, match="baseline:duration gives one frame"):
        check_options("baseline:duration", output_norm=True)
    check_options("baseline:logmel", output_norm=True)
    check_options("wavlm-base", layer=3, precision="bf16", output_norm=True)


def test_a_baseline_is_no_classifier() -> None:
    with pytest.raises(InputError, match="baseline:duration has no weights to load"):
        load_classifier(identify("baseline:duration"))
