"""Folders that are no encoder, by accident or malice: each is refused with one line, and nothing in it is run."""

import json
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emobox_hf.encoders.encoder import load_encoder
from emobox_hf.encoders.known.identity import identify
from emobox_hf.errors import InputError

CONFIG, EXTRACTOR, WEIGHTS, PICKLED = (
    "config.json",
    "preprocessor_config.json",
    "model.safetensors",
    "pytorch_model.bin",
)
INDEX = "model.safetensors.index.json"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 3\n"
Fault = Callable[[Path], object]


class Trap:
    """Unpickling it makes a file beside the working folder's."""

    def __reduce__(self) -> Any:
        return open, ("sprung", "w")


def put(name: str, content: bytes) -> Fault:
    return lambda folder: (folder / name).write_bytes(content)


def put_pickle(content: bytes) -> Fault:
    return lambda folder: ((folder / WEIGHTS).unlink(), (folder / PICKLED).write_bytes(content))


def put_index(table: object) -> Fault:
    return lambda folder: ((folder / WEIGHTS).unlink(), (folder / INDEX).write_text(json.dumps(table)))


def save_pickle(content: object) -> Fault:
    return lambda folder: ((folder / WEIGHTS).unlink(), torch.save(content, folder / PICKLED))


def change(name: str, **values: object) -> Fault:
    def write(folder: Path) -> None:
        settings = json.loads((folder / name).read_text(encoding="utf-8"))
        (folder / name).write_text(json.dumps(settings | values), encoding="utf-8")

    return write


def recode(name: str, encoding: str) -> Fault:
    return lambda folder: (folder / name).write_bytes((folder / name).read_text(encoding="utf-8").encode(encoding))


def cut(name: str, n_bytes: int) -> Fault:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:n_bytes])


FAULTS: dict[str, tuple[Fault, str]] = {
    "git-lfs safetensors": (put(WEIGHTS, LFS), "git-lfs pointer, not weights: run `git lfs pull`"),
    "git-lfs pickle": (put_pickle(LFS), "git-lfs pointer, not weights: run `git lfs pull`"),
    "web page": (put(WEIGHTS, b"<!doctype html>"), "web page, not weights"),
    "empty weights": (put(WEIGHTS, b""), r"empty \(0 bytes\)"),
    "empty pickle": (put_pickle(b""), r"empty \(0 bytes\)"),
    "cut weights": (cut(WEIGHTS, 5000), "cannot be loaded by AutoModel: "),
    "only a header": (cut(WEIGHTS, 100), "cannot be loaded by AutoModel: "),
    "endless header": (put(WEIGHTS, struct.pack("<Q", 2**62) + b"{}"), "cannot be loaded by AutoModel: .*too large"),
    "header that is no JSON": (put(WEIGHTS, struct.pack("<Q", 5) + b"{" * 5), "cannot be loaded by AutoModel: "),
    "no tensors": (put(WEIGHTS, struct.pack("<Q", 2) + b"{}"), "its weights lack "),
    "foreign pickle": (
        put_pickle(pickle.dumps(Trap())),
        "no file of tensors alone, and nothing else in it is read or run",
    ),
    "foreign object": (save_pickle({"a": Trap()}), "no file of tensors alone, and nothing else in it is read or run"),
    "pickled list": (save_pickle([1, 2]), "cannot be loaded by AutoModel: "),
    "pickled None": (save_pickle(None), "cannot be loaded by AutoModel: "),
    "text as pickle": (put_pickle(b"hello" * 99), "cannot be loaded by AutoModel: "),
    "index of another shape": (put_index([]), "cannot be loaded by AutoModel: "),
    "index of absent files": (put_index({"metadata": {}, "weight_map": {"a": "b.safetensors"}}), "No such file"),
    "weights that are a folder": (lambda f: ((f / WEIGHTS).unlink(), (f / WEIGHTS).mkdir()), "has no weights"),
    "weights that link to themselves": (
        lambda f: ((f / WEIGHTS).unlink(), (f / WEIGHTS).symlink_to(WEIGHTS)),
        "has no weights",
    ),
    "settings in UTF-16": (recode(CONFIG, "utf-16"), r"config\.json: not text in utf-8.*save or fetch"),
    "settings in Latin-1": (put(CONFIG, b'{"model_type": "\xfc"}'), r"config\.json: not text in utf-8.*save or fetch"),
    "settings as a list": (put(CONFIG, b"[]"), "does not say its model_type"),
    "settings nested deep": (put(CONFIG, b"[" * 100_000), r"config\.json: JSON that is nested too deep"),
    "an endless number": (put(CONFIG, b'{"a": ' + b"9" * 5000 + b"}"), r"config\.json: not JSON"),
    "no settings": (put(CONFIG, b""), r"config\.json: not JSON"),
    "unknown type": (change(CONFIG, model_type="nonsense"), "cannot be loaded by AutoModel: "),
    "model of text": (change(CONFIG, model_type="bert"), "its weights lack "),
    "code of its own": (
        change(CONFIG, model_type="x", auto_map={"AutoModel": "x.X", "AutoConfig": "x.X"}),
        "contains custom code which must be executed",
    ),
    **{
        f"{name} = {value!r}": (
            change(CONFIG, **{name: value}),
            "cannot be loaded by AutoModel: |is no encoder: |lack ",
        )
        for name, values in {
            "hidden_size": (0, "a", None),
            "num_attention_heads": (0, 3),
            "num_hidden_layers": (0, -1, "two"),
            "intermediate_size": (0,),
            "conv_dim": ([0] * 7, []),
            "conv_stride": ([0] * 7,),
            "conv_kernel": ([0] * 7,),
            "num_conv_pos_embeddings": (0,),
            "num_conv_pos_embedding_groups": (0,),
            "hidden_act": ("nope", None),
            "layer_norm_eps": ("x",),
            "quantization_config": ("yes", {"a": 1}),
        }.items()
        for value in values
    },
    **{
        f"extractor {name}": (fault, "no feature extractor that|names no sampling rate|makes frames|is no encoder: ")
        for name, fault in {
            "empty": put(EXTRACTOR, b""),
            "a list": put(EXTRACTOR, b"[]"),
            "in UTF-16": recode(EXTRACTOR, "utf-16"),
            "nested deep": put(EXTRACTOR, b"[" * 100_000),
            "absent": lambda folder: (folder / EXTRACTOR).unlink(),
            "at 0 Hz": change(EXTRACTOR, sampling_rate=0),
            "at x Hz": change(EXTRACTOR, sampling_rate="x"),
            "of no type": change(EXTRACTOR, feature_extractor_type=3),
            "of an unknown type": change(EXTRACTOR, feature_extractor_type="Foo"),
            "of another model": change(EXTRACTOR, feature_extractor_type="WhisperFeatureExtractor"),
        }.items()
    },
}


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_folder_that_is_no_encoder_is_refused_with_a_line(
    fault: str, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path(shutil.copytree(encoder, tmp_path / "encoder"))
    inject, message = FAULTS[fault]
    inject(folder)
    with pytest.raises(InputError, match=message) as caught:
        load_encoder(identify(str(folder))).encode([np.zeros(16_000, dtype=np.float32)])
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["encoder"]


def test_the_trap_of_these_tests_would_spring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Trap())).close()  # noqa: S301
    assert (tmp_path / "sprung").is_file()
