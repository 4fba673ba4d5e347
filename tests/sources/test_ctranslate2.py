"""A CTranslate2 Whisper becomes the very model it was made from, and a file that is not one is refused."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from tiny_encoders import WHISPER, noise

from emobox_hf.encoders import identify
from emobox_hf.encoders.encoder import load_encoder
from emobox_hf.errors import InputError
from emobox_hf.sources.ctranslate2 import convert_whisper, read_variables

CODES = {"float32": 0, "int8": 1, "int16": 2, "float16": 4}


def as_variables(model: transformers.WhisperModel) -> dict[str, np.ndarray]:
    """The model's tensors under CTranslate2's names, stacked as CTranslate2 stacks them, in float16."""
    state = {name: tensor.numpy().astype(np.float16) for name, tensor in model.state_dict().items()}
    variables = {"decoder/embeddings/weight": state["decoder.embed_tokens.weight"]}

    def copy(theirs: str, ours: str, *, kinds: tuple[str, str] = ("weight", "bias")) -> None:
        for kind, name in zip(kinds, ("weight", "bias"), strict=True):
            variables[f"{theirs}/{kind}"] = state[f"{ours}.{name}"]

    def stack(theirs: str, ours: str, letters: str) -> None:
        weights = [state[f"{ours}.{letter}_proj.weight"] for letter in letters]
        biases = [state.get(f"{ours}.{letter}_proj.bias", np.zeros(len(weights[0]), np.float16)) for letter in letters]
        variables[f"{theirs}/weight"], variables[f"{theirs}/bias"] = np.concatenate(weights), np.concatenate(biases)

    copy("encoder/conv1", "encoder.conv1")
    copy("encoder/conv2", "encoder.conv2")
    norm = ("gamma", "beta")
    for side, depth in (("encoder", 3), ("decoder", 1)):
        variables[f"{side}/num_heads"] = np.array(2, np.int16)
        variables[f"{side}/position_encodings/encodings"] = state[f"{side}.embed_positions.weight"]
        copy(f"{side}/layer_norm", f"{side}.layer_norm", kinds=norm)
        for i in range(depth):
            a, b = f"{side}/layer_{i}/", f"{side}.layers.{i}."
            copy(a + "self_attention/layer_norm", b + "self_attn_layer_norm", kinds=norm)
            copy(a + "ffn/layer_norm", b + "final_layer_norm", kinds=norm)
            stack(a + "self_attention/linear_0", b + "self_attn", "qkv")
            copy(a + "self_attention/linear_1", b + "self_attn.out_proj")
            copy(a + "ffn/linear_0", b + "fc1")
            copy(a + "ffn/linear_1", b + "fc2")
            if side == "decoder":
                copy(a + "attention/layer_norm", b + "encoder_attn_layer_norm", kinds=norm)
                stack(a + "attention/linear_0", b + "encoder_attn", "q")
                stack(a + "attention/linear_1", b + "encoder_attn", "kv")
                copy(a + "attention/linear_2", b + "encoder_attn.out_proj")
    return variables


def write_checkpoint(path: Path, variables: dict[str, np.ndarray], *, version: int = 6) -> Path:
    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    content = [struct.pack("<I", version), text("WhisperSpec"), struct.pack("<II", 3, len(variables))]
    for name, value in variables.items():
        content += [text(name), struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)]
        content += [struct.pack("<BI", CODES[value.dtype.name], value.nbytes), value.tobytes()]
    content += [struct.pack("<I", 1), text("decoder/projection/weight"), text("decoder/embeddings/weight")]
    path.write_bytes(b"".join(content))
    return path


@pytest.fixture(scope="module")
def model() -> transformers.WhisperModel:
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        # The file does not hold the ids of special tokens, so the vocabulary must be long enough for Whisper's own.
        model = transformers.WhisperModel(transformers.WhisperConfig(**WHISPER | {"vocab_size": 50_400}))
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter).half())
    return model.eval()


def test_the_converted_folder_is_the_model(tmp_path: Path, model: transformers.WhisperModel) -> None:
    checkpoint = write_checkpoint(tmp_path / "model.bin", as_variables(model))
    convert_whisper(checkpoint, tmp_path / "new" / "whisper")
    converted = transformers.AutoModel.from_pretrained(tmp_path / "new" / "whisper").eval()
    state = converted.state_dict()
    assert state.keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(state[name], tensor), name
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["whisper"]
    identity = identify(str(tmp_path / "new" / "whisper"))
    assert identity.model_type == "whisper"
    assert transformers.AutoFeatureExtractor.from_pretrained(identity.name).feature_size == 20
    assert load_encoder(identity, context="clip").encode([noise(8000)])[0].frames.shape == (25, 32)


def test_variables_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = {
        "a/b": np.arange(6, dtype=np.float32).reshape(2, 3),
        "scalar": np.array(7, np.int16),
        "none": np.zeros((0, 2), np.int8),
    }
    read = read_variables(write_checkpoint(tmp_path / "model.bin", written))
    assert read.keys() == written.keys()
    for name, value in written.items():
        assert read[name].dtype == value.dtype
        np.testing.assert_array_equal(read[name], value)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.99])
def test_a_file_cut_short_is_refused_and_leaves_nothing(
    tmp_path: Path, model: transformers.WhisperModel, share: float
) -> None:
    checkpoint = write_checkpoint(tmp_path / "model.bin", as_variables(model))
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match="cut short at byte"):
        convert_whisper(checkpoint, tmp_path / "whisper")
    assert [path.name for path in tmp_path.iterdir()] == ["model.bin"]


def test_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"version 6 .* found 5"):
        read_variables(write_checkpoint(tmp_path / "model.bin", {}, version=5))


def test_missing_variables_are_named(tmp_path: Path, model: transformers.WhisperModel) -> None:
    variables = as_variables(model)
    del variables["decoder/layer_0/attention/linear_1/bias"]
    with pytest.raises(InputError, match=r"1 variables missing: decoder/layer_0/attention/linear_1/bias"):
        convert_whisper(write_checkpoint(tmp_path / "model.bin", variables), tmp_path / "whisper")
    with pytest.raises(InputError, match=r"not a Whisper model: variable 'encoder/conv1/weight'"):
        convert_whisper(write_checkpoint(tmp_path / "model.bin", {}), tmp_path / "whisper")


def test_quantised_weights_are_refused(tmp_path: Path, model: transformers.WhisperModel) -> None:
    variables = as_variables(model)
    variables["encoder/layer_0/ffn/linear_0/weight"] = variables["encoder/layer_0/ffn/linear_0/weight"].astype(np.int8)
    with pytest.raises(InputError, match=r"quantised \(encoder/layer_0/ffn/linear_0/weight\)"):
        convert_whisper(write_checkpoint(tmp_path / "model.bin", variables), tmp_path / "whisper")


def test_wrong_shapes_are_refused(tmp_path: Path, model: transformers.WhisperModel) -> None:
    variables = as_variables(model)
    variables["encoder/conv2/bias"] = variables["encoder/conv2/bias"][:-1]
    with pytest.raises(InputError, match=r"do not have Whisper's shapes"):
        convert_whisper(write_checkpoint(tmp_path / "model.bin", variables), tmp_path / "whisper")


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exists already"):
        convert_whisper(tmp_path / "model.bin", tmp_path)
    with pytest.raises(InputError, match="no such file"):
        convert_whisper(tmp_path / "model.bin", tmp_path / "whisper")
