"""A converted data2vec 2.0 or emotion2vec through `load_encoder`, like any other encoder of waveforms."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from emotion2vec_checkpoints import CASES, make_weights
from one_device import ELSEWHERE, encode_elsewhere
from tiny_encoders import noise

from emobox_hf.encoders import identify
from emobox_hf.encoders.encoder import Encoder, load_encoder
from emobox_hf.encoders.native.convert import convert_data2vec2
from emobox_hf.encoders.native.extractor import Data2Vec2FeatureExtractor
from emobox_hf.encoders.native.model import Data2Vec2Model

LENGTHS = (8000, 3000, 16000, 640)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("native")
    for name, case in CASES.items():
        torch.save({name: torch.from_numpy(array) for name, array in make_weights(case).items()}, root / "model.pt")
        convert_data2vec2(root / "model.pt", root / name)
    return {name: root / name for name in CASES}


def frames_of(encoder: Encoder, clips: list[np.ndarray]) -> list[torch.Tensor]:
    return [encoded.frames for encoded in encoder.encode(clips)]


@pytest.mark.parametrize("layer", [0, 1, "last"])
@pytest.mark.parametrize("name", CASES)
def test_frames_are_the_models_own_alone_and_in_a_batch(folders: dict[str, Path], name: str, layer: int | str) -> None:
    encoder = load_encoder(identify(str(folders[name])), layer=layer)
    clips = [noise(n, seed=i) for i, n in enumerate(LENGTHS)]
    together = frames_of(encoder, clips)
    model, extractor = Data2Vec2Model.from_pretrained(folders[name]).eval(), Data2Vec2FeatureExtractor()
    for clip, frames in zip(clips, together, strict=True):
        sound = extractor(clip, sampling_rate=16_000, return_tensors="pt")["input_values"]
        with torch.inference_mode():
            states = model(sound, output_hidden_states=True).hidden_states
        expected = states[-1 if layer == "last" else layer][0]
        assert len(frames) == encoder.count_frames(len(clip)) == len(expected)
        torch.testing.assert_close(frames, expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(frames_of(encoder, [clip])[0], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("precision", ["no", "bf16", "fp16"])
@pytest.mark.parametrize("name", CASES)
def test_all_that_a_pass_computes_with_is_on_the_encoders_device(
    folders: dict[str, Path], name: str, precision: str
) -> None:
    encoder = load_encoder(identify(str(folders[name])), precision=precision, device=ELSEWHERE)
    for clips in ([noise(n) for n in LENGTHS], [noise(n) for n in range(8000, 1600, -800)]):
        encoded = encode_elsewhere(encoder, clips)
        assert {(one.frames.device, one.pooled.device) for one in encoded} == {(ELSEWHERE, ELSEWHERE)}


def test_a_pass_makes_no_list_of_slopes(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent to a GPU, it would wait for all that is under way there."""
    encoder = load_encoder(identify(str(folders["emotion2vec"])))
    monkeypatch.setattr("emobox_hf.encoders.native.layers._alibi_slopes", None)
    assert len(encoder.encode([noise(n) for n in LENGTHS])) == len(LENGTHS)


def test_the_numbers_that_describe_it_are_exact(folders: dict[str, Path]) -> None:
    encoder = load_encoder(identify(str(folders["emotion2vec"])))
    assert (encoder.n_layers, encoder.dim, encoder.frame_rate_hz) == (4, 48, 50.0)
    assert encoder.counts_are_exact


def test_a_fresh_process_loads_it(folders: dict[str, Path]) -> None:
    code = (
        "import sys; from emobox_hf.encoders import identify; from emobox_hf.encoders.encoder import load_encoder;"
        "print(load_encoder(identify(sys.argv[1])).dim)"
    )
    command = [sys.executable, "-c", code, str(folders["emotion2vec+"])]
    assert subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL).strip() == "32"
