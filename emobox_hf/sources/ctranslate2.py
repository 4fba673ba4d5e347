"""A CTranslate2 Whisper checkpoint -> a Hugging Face Whisper folder: some weights are only to be had in that form.

The file is little endian: version u32, name of the model's kind, revision u32, number of variables u32; for each
variable its name, rank u8, dimensions u32, type u8, size in bytes u32 and values; then aliases, which are not needed
here. A text is its length u16, which counts a closing zero byte, and its bytes.
"""

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import numpy as np

from emobox_hf.encoders.progress_bars import no_progress_bars
from emobox_hf.errors import InputError, first_five

_VERSION = 6
_MOST_DIMENSIONS = 3  # of a Whisper's variables: those of its convolutions
_DTYPES = {code: np.dtype(name) for code, name in enumerate(("<f4", "<i1", "<i2", "<i4", "<f2"))}

Variables = dict[str, np.ndarray[Any, Any]]


def convert_whisper(model_bin: Path, out: Path) -> None:
    """Write the folder `out` (config, float32 safetensors, feature extractor) that `AutoModel.from_pretrained` loads.

    The folder appears whole or not at all. Values are widened from float16, so none of them changes.

    Args:
        model_bin: CTranslate2's `model.bin`, format version 6, not quantised.
        out: a folder that does not exist yet.

    Raises:
        InputError: the file is missing, of another version, cut short, quantised or not a whole Whisper, or `out`
            exists.
    """
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    if out.exists():
        raise InputError(f"{out} exists already; give a new folder, or remove it")
    variables = read_variables(model_bin)
    sizes = _read_sizes(model_bin, variables)
    sources = dict(_name_sources(sizes["encoder_layers"], sizes["decoder_layers"]))
    missing = sorted({source for source, _, _ in sources.values()} - variables.keys())
    if missing:
        raise InputError(f"{model_bin}: not a whole Whisper: {len(missing)} variables missing: {first_five(missing)}")
    quantised = sorted(source for source, _, _ in sources.values() if variables[source].dtype.kind != "f")
    if quantised:
        raise InputError(f"{model_bin}: is quantised ({first_five(quantised)}); a float16 checkpoint was expected")
    config: Any = WhisperConfig  # transformers' signatures are not for type checkers
    model = WhisperModel(config(**sizes))
    try:
        model.load_state_dict(
            {
                ours: torch.from_numpy(np.split(variables[source].astype(np.float32), parts)[part])
                for ours, (source, part, parts) in sources.items()
            }
        )
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{model_bin}: its variables do not have Whisper's shapes: {error}") from error
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        whole = Path(scratch, out.name)
        with no_progress_bars():
            model.save_pretrained(whole)
        extractor: Any = WhisperFeatureExtractor
        extractor(feature_size=sizes["num_mel_bins"]).save_pretrained(whole)
        whole.rename(out)


def read_variables(model_bin: Path) -> Variables:
    """The variables of a CTranslate2 file by name, in the type they are stored in.

    Raises:
        InputError: the file is missing, of another version, damaged or cut short.
    """
    if not model_bin.is_file():
        raise InputError(f"{model_bin}: no such file; CTranslate2's model.bin was expected")
    with model_bin.open("rb") as file:
        (version,) = _unpack(file, "I")
        if version != _VERSION:
            raise InputError(f"{model_bin}: version {_VERSION} of CTranslate2's format was expected, found {version}")
        _read_text(file)
        _, n_variables = _unpack(file, "II")
        return dict(_read_variable(file) for _ in range(n_variables))


def _read_variable(file: BinaryIO) -> tuple[str, np.ndarray[Any, Any]]:
    name = _read_text(file)
    (rank,) = _unpack(file, "B")
    if rank > _MOST_DIMENSIONS:
        raise InputError(f"{file.name}: variable {name!r} is damaged ({rank} dimensions)")
    shape = _unpack(file, f"{rank}I")
    code, n_bytes = _unpack(file, "BI")
    if code not in _DTYPES or n_bytes != _DTYPES[code].itemsize * int(np.prod(shape, dtype=np.int64)):
        raise InputError(f"{file.name}: variable {name!r} is damaged (type {code}, shape {shape}, {n_bytes} bytes)")
    return name, np.frombuffer(_read(file, n_bytes), dtype=_DTYPES[code]).reshape(shape)


def _read_text(file: BinaryIO) -> str:
    (length,) = _unpack(file, "H")
    return _read(file, length)[:-1].decode("utf-8", errors="replace")


def _unpack(file: BinaryIO, layout: str) -> tuple[int, ...]:
    return struct.unpack(f"<{layout}", _read(file, struct.calcsize(f"<{layout}")))


def _read(file: BinaryIO, n_bytes: int) -> bytes:
    content = file.read(n_bytes)
    if len(content) < n_bytes:
        raise InputError(f"{file.name}: cut short at byte {file.tell()}; fetch it again, or join its parts")
    return content


def _read_sizes(model_bin: Path, variables: Variables) -> dict[str, int]:
    """The arguments of `WhisperConfig` in which Whisper models differ."""
    try:
        width, n_mel_bins, _ = variables["encoder/conv1/weight"].shape
        sizes = {
            "d_model": width,
            "num_mel_bins": n_mel_bins,
            "max_source_positions": len(variables["encoder/position_encodings/encodings"]),
            "max_target_positions": len(variables["decoder/position_encodings/encodings"]),
            "vocab_size": len(variables["decoder/embeddings/weight"]),
        }
        for side in ("encoder", "decoder"):
            layers = {found[0] for name in variables if (found := re.match(rf"{side}/layer_\d+", name))}
            sizes[f"{side}_layers"] = len(layers)
            sizes[f"{side}_attention_heads"] = int(variables[f"{side}/num_heads"])
            sizes[f"{side}_ffn_dim"] = len(variables[f"{side}/layer_0/ffn/linear_0/bias"])
    except KeyError as error:
        raise InputError(f"{model_bin}: not a Whisper model: variable {error} is missing") from error
    return sizes


# Our name of a tensor, and where it comes from: a variable, which part of its rows, and how many parts are stacked.
_Named = tuple[str, tuple[str, int, int]]


def _name_sources(n_encoder_layers: int, n_decoder_layers: int) -> Iterator[_Named]:
    """Every tensor of a `WhisperModel` and its place in the file."""
    yield from _linear("encoder/conv1", "encoder.conv1")
    yield from _linear("encoder/conv2", "encoder.conv2")
    yield "decoder.embed_tokens.weight", ("decoder/embeddings/weight", 0, 1)
    for side, depth in (("encoder", n_encoder_layers), ("decoder", n_decoder_layers)):
        yield f"{side}.embed_positions.weight", (f"{side}/position_encodings/encodings", 0, 1)
        yield from _norm(f"{side}/layer_norm", f"{side}.layer_norm")
        for i in range(depth):
            theirs, ours = f"{side}/layer_{i}", f"{side}.layers.{i}"
            yield from _norm(f"{theirs}/self_attention/layer_norm", f"{ours}.self_attn_layer_norm")
            yield from _linear(
                f"{theirs}/self_attention/linear_0", *(f"{ours}.self_attn.{name}_proj" for name in ("q", "k", "v"))
            )
            yield from _linear(f"{theirs}/self_attention/linear_1", f"{ours}.self_attn.out_proj")
            if side == "decoder":
                yield from _norm(f"{theirs}/attention/layer_norm", f"{ours}.encoder_attn_layer_norm")
                yield from _linear(f"{theirs}/attention/linear_0", f"{ours}.encoder_attn.q_proj")
                yield from _linear(
                    f"{theirs}/attention/linear_1", f"{ours}.encoder_attn.k_proj", f"{ours}.encoder_attn.v_proj"
                )
                yield from _linear(f"{theirs}/attention/linear_2", f"{ours}.encoder_attn.out_proj")
            yield from _norm(f"{theirs}/ffn/layer_norm", f"{ours}.final_layer_norm")
            yield from _linear(f"{theirs}/ffn/linear_0", f"{ours}.fc1")
            yield from _linear(f"{theirs}/ffn/linear_1", f"{ours}.fc2")


def _linear(theirs: str, *ours: str) -> Iterator[_Named]:
    """Weights and biases of projections that are stacked in one variable."""
    for part, name in enumerate(ours):
        yield f"{name}.weight", (f"{theirs}/weight", part, len(ours))
        if not name.endswith("k_proj"):  # Whisper's keys have no bias; the file holds zeros there
            yield f"{name}.bias", (f"{theirs}/bias", part, len(ours))


def _norm(theirs: str, ours: str) -> Iterator[_Named]:
    yield f"{ours}.weight", (f"{theirs}/gamma", 0, 1)
    yield f"{ours}.bias", (f"{theirs}/beta", 0, 1)
