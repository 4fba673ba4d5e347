"""The native data2vec 2.0 and emotion2vec: FunASR's numbers, alone as in a batch, in any precision."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from emotion2vec_checkpoints import CASES, EVERY, make_sound, make_weights
from tiny_encoders import noise
from torch.nn.functional import layer_norm

from emobox_hf.encoders.native import register_native_models
from emobox_hf.encoders.native.convert import convert_data2vec2
from emobox_hf.encoders.native.extractor import Data2Vec2FeatureExtractor
from emobox_hf.encoders.native.model import Data2Vec2ForSequenceClassification, Data2Vec2Model

register_native_models()

TABLE = json.loads(Path(__file__).with_name("emotion2vec_reference.json").read_text(encoding="utf-8"))
LENGTHS = (8000, 3000, 16000, 640)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Models this small only wait for each other's threads where the cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every case of FunASR's table, converted; not to be changed by a test."""
    root = tmp_path_factory.mktemp("native")
    for name, case in CASES.items():
        weights = {key: torch.from_numpy(value) for key, value in make_weights(case).items()}
        torch.save({"model": weights}, root / f"{name}.pt")
        convert_data2vec2(root / f"{name}.pt", root / name)
    return {name: root / name for name in CASES}


def load(folder: Path, **settings: object) -> Data2Vec2Model:
    return transformers.AutoModel.from_pretrained(folder, **settings).eval()


def extract(folder: Path, clips: list[np.ndarray]) -> dict[str, torch.Tensor]:
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    return dict(extractor(clips, sampling_rate=16_000, padding=True, return_tensors="pt"))


@pytest.mark.parametrize("name", CASES)
def test_frames_are_those_of_funasr(folders: dict[str, Path], name: str) -> None:
    with torch.inference_mode():
        frames = load(folders[name])(torch.from_numpy(make_sound())[None]).last_hidden_state[0]
    expected = torch.tensor(TABLE[name]["frames"])
    assert frames.shape == (24, CASES[name].dim)
    torch.testing.assert_close(frames[:, ::EVERY], expected, atol=1e-4, rtol=0)


def test_the_head_gives_funasrs_logits_and_names_their_labels(folders: dict[str, Path]) -> None:
    model = transformers.AutoModelForAudioClassification.from_pretrained(folders["emotion2vec+"]).eval()
    with torch.inference_mode():
        output = model(torch.from_numpy(make_sound())[None], labels=torch.tensor([3]))
    torch.testing.assert_close(output.logits[0], torch.tensor(TABLE["emotion2vec+"]["logits"]), atol=1e-4, rtol=0)
    assert output.loss == pytest.approx(float(-output.logits[0].log_softmax(-1)[3]), abs=1e-5)
    assert model.config.id2label[3] == "happy"
    assert model.config.id2label[8] == "unknown"


def test_the_encoder_of_a_classifier_loads_without_its_head(folders: dict[str, Path]) -> None:
    _, report = Data2Vec2Model.from_pretrained(folders["emotion2vec+"], output_loading_info=True)
    assert not any(report.values())


@pytest.mark.parametrize("name", CASES)
def test_every_weight_changes_the_frames_by_more_than_the_table_forgives(folders: dict[str, Path], name: str) -> None:
    model, sound = load(folders[name]), torch.from_numpy(make_sound(3000))[None]
    with torch.inference_mode():
        before = model(sound).last_hidden_state
        for weight_name, weight in model.named_parameters():
            kept = weight.clone()
            weight.add_(0.2 * kept.abs().mean() * torch.arange(weight.numel()).cos().reshape(weight.shape))
            change = (model(sound).last_hidden_state - before)[..., ::EVERY].abs().max()
            weight.copy_(kept)
            assert change > 3e-4, weight_name


@pytest.mark.parametrize("name", CASES)
def test_a_clip_gives_the_same_frames_alone_and_in_a_batch(folders: dict[str, Path], name: str) -> None:
    model, clips = load(folders[name]), [noise(n, seed=i) for i, n in enumerate(LENGTHS)]
    with torch.inference_mode():
        together = model(**extract(folders[name], clips), output_hidden_states=True)
        for i, clip in enumerate(clips):
            alone = model(**extract(folders[name], [clip]), output_hidden_states=True)
            n_frames = alone.last_hidden_state.shape[1]
            assert n_frames == (len(clip) - 400) // 320 + 1
            assert len(alone.hidden_states) == model.config.num_hidden_layers + 1
            for one, many in zip(alone.hidden_states, together.hidden_states, strict=True):
                torch.testing.assert_close(many[i, :n_frames], one[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(together.hidden_states[-1], together.last_hidden_state, atol=0, rtol=0)


def test_a_clip_gives_the_same_logits_alone_and_in_a_batch(folders: dict[str, Path]) -> None:
    folder, clips = folders["emotion2vec+"], [noise(n, seed=i) for i, n in enumerate(LENGTHS)]
    model = Data2Vec2ForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        together = model(**extract(folder, clips)).logits
        alone = torch.cat([model(extract(folder, [clip])["input_values"]).logits for clip in clips])
    assert together.std(0).min() > 1e-3
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("is_autocast", [True, False], ids=["autocast", "cast weights"])
@pytest.mark.parametrize("name", ["emotion2vec", "norm-first"])
def test_half_precision_gives_nearly_the_same_frames(
    folders: dict[str, Path], name: str, dtype: torch.dtype, is_autocast: bool
) -> None:
    inputs = extract(folders[name], [noise(n, seed=i) for i, n in enumerate(LENGTHS)])
    exact = load(folders[name])
    half = exact if is_autocast else load(folders[name], dtype=dtype)
    sound = inputs["input_values"] if is_autocast else inputs["input_values"].to(dtype)
    n_frames = [(n - 400) // 320 + 1 for n in LENGTHS]
    with torch.inference_mode():
        expected = exact(**inputs).last_hidden_state
        with torch.autocast("cpu", dtype, enabled=is_autocast):
            frames = half(sound, inputs["attention_mask"]).last_hidden_state
    assert frames.isfinite().all()
    error = torch.cat([(frames - expected)[i, :n].float().flatten() for i, n in enumerate(n_frames)])
    scale = torch.cat([expected[i, :n].flatten() for i, n in enumerate(n_frames)])
    assert 0 < error.norm() / scale.norm() < (0.05 if dtype == torch.bfloat16 else 0.01)


def test_saving_and_loading_changes_nothing(folders: dict[str, Path], tmp_path: Path) -> None:
    model = load(folders["emotion2vec"])
    model.save_pretrained(tmp_path)
    again = load(tmp_path)
    assert again.config.to_diff_dict() == model.config.to_diff_dict()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_a_fresh_model_starts_where_training_did() -> None:
    config = transformers.AutoConfig.for_model(
        "emobox-data2vec2", hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        conv_dim=[8] * 7, num_extra_tokens=4,
    )  # fmt: skip
    encoder = transformers.AutoModel.from_config(config).encoder
    assert torch.equal(encoder.alibi_scale, torch.ones(2))
    assert encoder.extra_tokens.std() > 0.5
    assert encoder.layers[0].attention.qkv.bias.abs().max() == 0


def test_training_drops_out_and_reaches_every_weight(folders: dict[str, Path]) -> None:
    model = Data2Vec2ForSequenceClassification.from_pretrained(folders["emotion2vec+"]).train()
    inputs = extract(folders["emotion2vec+"], [noise(n, seed=i) for i, n in enumerate(LENGTHS)])
    with torch.random.fork_rng():
        torch.manual_seed(1)
        one, two = (model(**inputs, labels=torch.tensor([0, 1, 2, 3])) for _ in range(2))
    assert not torch.equal(one.logits, two.logits)
    one.loss.backward()
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in model.parameters())


@pytest.mark.parametrize("level", [1.0, 1e-3])
def test_a_clip_is_normalised_as_torchs_layer_norm_does(level: float) -> None:
    clips = [level * noise(n, seed=i) for i, n in enumerate((5000, 2000))]
    batch = Data2Vec2FeatureExtractor()(clips, sampling_rate=16_000, padding=True, return_tensors="pt")
    for i, clip in enumerate(clips):
        expected = layer_norm(torch.from_numpy(clip), (len(clip),))
        torch.testing.assert_close(batch["input_values"][i, : len(clip)], expected, atol=1e-5, rtol=1e-5)
        alone = Data2Vec2FeatureExtractor()(clip, sampling_rate=16_000, return_tensors="pt")["input_values"][0]
        assert torch.equal(alone, batch["input_values"][i, : len(clip)])
    assert batch["input_values"][1, 2000:].abs().max() == 0
    assert batch["attention_mask"].sum(1).tolist() == [5000, 2000]
