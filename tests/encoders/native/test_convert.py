"""Converting a checkpoint: what is kept, what is refused, and that nothing in it is ever run."""

import hashlib
import json
import os
import subprocess
import sys
from argparse import Namespace
from collections import OrderedDict, defaultdict
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from emotion2vec_checkpoints import AUDIO, CASES, SPEC, make_weights
from safetensors.torch import load_file

from emobox_hf.encoders.native.checkpoint import read_checkpoint
from emobox_hf.encoders.native.convert import convert_data2vec2
from emobox_hf.errors import InputError


def weights(name: str = "emotion2vec") -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(value) for key, value in make_weights(CASES[name]).items()}


def save(folder: Path, content: object) -> Path:
    torch.save(content, folder / "model.pt")
    return folder / "model.pt"


def convert(folder: Path, content: object) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    convert_data2vec2(save(folder, content), folder / "out")
    config = json.loads((folder / "out" / "config.json").read_text(encoding="utf-8"))
    return config, load_file(folder / "out" / "model.safetensors")


class Leftover:
    """An object of the trainer, of a class that the reader of its checkpoint does not know."""

    def __init__(self) -> None:
        self.values = {"a": [1, 2]}


class Settings:
    """An object that holds a dictionary, as omegaconf's."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self.origin = Path("a")


class Modality(Enum):
    AUDIO = "audio"


class Call:
    """Pickled as a call of `function` when read."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def test_shapes_tell_the_settings(tmp_path: Path) -> None:
    config, _ = convert(tmp_path, {"model": weights("norm-first")})
    expected = {
        "model_type": "emobox-data2vec2", "architectures": ["Data2Vec2Model"], "hidden_size": 32,
        "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64, "layer_norm_first": True,
        "layer_norm_eps": 1e-5, "conv_dim": [16] * 7, "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
        "conv_stride": [5, 2, 2, 2, 2, 2, 2], "num_conv_pos_embeddings": 5, "conv_pos_kernel_size": 4,
        "num_conv_pos_embedding_groups": 4, "num_extra_tokens": 3,
    }  # fmt: skip
    assert {name: config[name] for name in expected} == expected


def test_the_checkpoints_own_configuration_tells_what_shapes_do_not(tmp_path: Path) -> None:
    audio = {"feature_encoder_spec": SPEC.replace("10, 5", "10, 4")}
    cfg = {"model": {"norm_eps": 1e-6, "num_heads": 6, "modalities": {"audio": audio}}, "task": {"normalize": False}}
    config, _ = convert(tmp_path, {"model": weights(), "cfg": cfg})
    assert config["layer_norm_eps"] == 1e-6
    assert config["conv_stride"] == [4, 2, 2, 2, 2, 2, 2]
    extractor = json.loads((tmp_path / "out" / "preprocessor_config.json").read_text(encoding="utf-8"))
    assert extractor["do_normalize"] is False


def test_the_folder_says_where_its_weights_come_from(tmp_path: Path) -> None:
    config, _ = convert(tmp_path, {"model": weights()})
    digest = hashlib.sha256((tmp_path / "model.pt").read_bytes()).hexdigest()
    assert (config["source_file"], config["source_sha256"]) == ("model.pt", digest)


@pytest.mark.parametrize("place", ["model", "state_dict", None])
@pytest.mark.parametrize("prefix", ["", "d2v_model."])
def test_tensors_are_found_wherever_fairseq_and_funasr_put_them(tmp_path: Path, place: str, prefix: str) -> None:
    head = {"proj.weight", "proj.bias"}
    named = {name if name in head else prefix + name: tensor for name, tensor in weights("emotion2vec+").items()}
    config, kept = convert(tmp_path, {place: named} if place else named)
    assert config["architectures"] == ["Data2Vec2ForSequenceClassification"]
    assert torch.equal(kept["classifier.bias"], named["proj.bias"])
    assert torch.equal(kept["data2vec2.encoder.extra_tokens"], named[f"{prefix}{AUDIO}extra_tokens"][0])


def test_half_precision_is_widened_without_loss(tmp_path: Path) -> None:
    halved = {name: tensor.half() for name, tensor in weights().items()}
    _, kept = convert(tmp_path, {"model": halved})
    assert {tensor.dtype for tensor in kept.values()} == {torch.float32}
    assert torch.equal(kept["encoder.layers.2.attention.qkv.weight"], halved["blocks.0.attn.qkv.weight"].float())


def test_what_serves_pretraining_alone_is_left_out(tmp_path: Path) -> None:
    teacher = {"blocks.0.norm1.weight": torch.zeros(48)}
    decoder = {f"{AUDIO}decoder.proj.weight": torch.zeros(4, 4), "recon_proj.bias": torch.zeros(4)}
    with_more = convert(tmp_path, {"model": {**weights(), **decoder, "_ema": teacher}})[1]
    (tmp_path / "plain").mkdir()
    plain = convert(tmp_path / "plain", {"model": weights()})[1]
    assert with_more.keys() == plain.keys()
    assert all(torch.equal(with_more[name], plain[name]) for name in plain)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blocks.1.norm2.bias": None}, r"1 tensors missing: blocks\.1\.norm2\.bias; 0 unknown"),
        ({"blocks.1.gate.weight": torch.zeros(3)}, r"0 tensors missing; 1 unknown: blocks\.1\.gate\.weight"),
        ({"blocks.0.attn.proj.bias": torch.zeros(3)}, r"1 tensors are misshapen: blocks\.0\.attn\.proj\.bias"),
        ({f"{AUDIO}alibi_scale": None}, r"no audio model of data2vec 2\.0.*alibi_scale"),
        ({f"{AUDIO}local_encoder.conv_layers.6.0.weight": torch.zeros(16, 16, 3)}, "strides are not known"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, change: dict[str, torch.Tensor | None], message: str
) -> None:
    tensors = {name: tensor for name, tensor in {**weights(), **change}.items() if tensor is not None}
    with pytest.raises(InputError, match=message):
        convert_data2vec2(save(tmp_path, {"model": tensors}), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


def test_a_head_of_other_labels_is_kept_with_numbers_for_names(tmp_path: Path) -> None:
    tensors = weights("emotion2vec+") | {"proj.weight": torch.ones(4, 32), "proj.bias": torch.zeros(4)}
    config, kept = convert(tmp_path, {"model": tensors})
    assert config["id2label"] == {str(i): f"LABEL_{i}" for i in range(4)}
    assert kept["classifier.weight"].shape == (4, 32)


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="exists already"):
        convert_data2vec2(save(tmp_path, {"model": weights()}), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_objects_of_unknown_classes_are_passed_over(tmp_path: Path) -> None:
    content = {
        "model": {**weights(), "_ema": {"blocks.0.norm1.weight": torch.zeros(1)}},
        "args": Namespace(depth=8),
        "cfg": Settings({"depth": 8}),
        "extra_state": [Leftover(), Modality.AUDIO, defaultdict(list, a=[1]), {"loss": np.float64(1), "seen": {1, 2}}],
        "history": OrderedDict(state=np.arange(3), kind={Modality.AUDIO: torch.float16}),
    }
    tensors, cfg = read_checkpoint(save(tmp_path, content))
    assert tensors.keys() == weights().keys()
    assert cfg == {}


def test_what_cannot_be_read_is_said_without_advice_to_run_it(tmp_path: Path) -> None:
    torch.save({"model": weights()}, tmp_path / "model.pt", pickle_protocol=4)
    with pytest.raises(InputError, match=r"cannot be read as tensors and plain values.*operand") as refused:
        read_checkpoint(tmp_path / "model.pt")
    assert "weights_only" not in str(refused.value)


@pytest.mark.parametrize("place", ["args", "cfg", "model"])
@pytest.mark.parametrize("function", [os.system, subprocess.check_call, exec, getattr], ids=lambda f: f.__name__)
def test_a_malicious_checkpoint_runs_nothing(tmp_path: Path, function: Any, place: str) -> None:
    touched = tmp_path / "touched"
    argument: dict[Any, tuple[object, ...]] = {
        os.system: (f"touch {touched}",),
        subprocess.check_call: (["touch", str(touched)],),
        exec: (f"open({str(touched)!r}, 'w').close()",),
        getattr: (Call(getattr, Path(touched), "touch"), "__call__"),
    }
    content = {"model": weights(), "args": None, "cfg": {}} | {place: Call(function, *argument[function])}
    checkpoint = save(tmp_path, content)
    with suppress(InputError):
        read_checkpoint(checkpoint)
    assert not touched.exists()
    if function is not getattr:  # the file does what it is said to do, where it is read carelessly
        torch.load(checkpoint, weights_only=False)
        assert touched.exists()


def test_what_reaches_for_the_system_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.pt names (posix|nt)\.system.*do not open it"):
        read_checkpoint(save(tmp_path, {"model": weights(), "args": Call(os.system, "true")}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"not a zip", "is not a checkpoint that torch.save writes"),
        ([1, 2], "a dictionary of tensors was expected, found list"),
        ({"cfg": {"a": 1}}, "holds no tensors.*it has cfg"),
        ({"model": {"a": 1}}, "holds no tensors"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "model.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=message):
        read_checkpoint(path)


def test_a_checkpoint_cut_short_is_refused(tmp_path: Path) -> None:
    checkpoint = save(tmp_path, {"model": weights()})
    checkpoint.write_bytes(checkpoint.read_bytes()[:-3000])
    with pytest.raises(InputError, match="cut short"):
        read_checkpoint(checkpoint)


def test_the_package_is_cheap_to_import() -> None:
    code = "import sys, emobox_hf.encoders.native; print([m for m in ('torch', 'transformers') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
