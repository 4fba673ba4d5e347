"""A checkpoint of data2vec 2.0 (fairseq) or emotion2vec (FunASR, fairseq) -> a folder that transformers loads."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from emobox_hf.encoders.known.table import KNOWN_ENCODERS
from emobox_hf.encoders.native.checkpoint import Tensors, read_checkpoint
from emobox_hf.encoders.native.config import Data2Vec2Config
from emobox_hf.encoders.native.extractor import Data2Vec2FeatureExtractor
from emobox_hf.encoders.native.model import (
    Data2Vec2ForSequenceClassification,
    Data2Vec2Model,
    Data2Vec2PreTrainedModel,
)
from emobox_hf.encoders.progress_bars import no_progress_bars
from emobox_hf.errors import InputError, first_five, suggest
from emobox_hf.files import sha256_of_file

# The order in which emotion2vec's and emotion2vec+'s heads give them (its model card).
LABELS = ("angry", "disgusted", "fearful", "happy", "neutral", "other", "sad", "surprised", "unknown")

_AUDIO = "modality_encoders.AUDIO."
# Of pretraining alone: what predicts the masked frames, and the teacher.
_PRETRAINING = (f"{_AUDIO}decoder.", "shared_decoder.", "recon_proj.", "_ema.")
# A block's modules: their names there, and here.
_IN_BLOCK = {
    "norm1": "attention_layer_norm",
    "attn.qkv": "attention.qkv",
    "attn.proj": "attention.out_proj",
    "norm2": "final_layer_norm",
    "mlp.fc1": "feed_forward.fc1",
    "mlp.fc2": "feed_forward.fc2",
}
# What no shape tells, as every published checkpoint has it; (kernel, stride) of the convolutions on the waveform.
_NORM_EPS = 1e-5
_CONVOLUTIONS = [(10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2)]


def convert_data2vec2(checkpoint: Path, out: Path, *, encoder_id: str | None = None) -> Data2Vec2Config:
    """Write the folder `out` (config, float32 safetensors, feature extractor); its configuration.

    The folder appears whole or not at all. Values are widened from half precision, so none of them changes. Where the
    checkpoint has a classification head, the folder has it too, and `AutoModel` loads the encoder alone.

    Args:
        checkpoint: fairseq's or FunASR's file; nothing that stands in it is run.
        out: a folder that does not exist yet.
        encoder_id: the encoder of the table that this is, for the configuration to say so.

    Raises:
        InputError: the file is missing or damaged, is no such model, lacks tensors or has ones that no such model has,
            is of another size than `encoder_id`, or `out` exists.
    """
    if out.exists():
        raise InputError(f"{out} exists already; give a new folder, or remove it")
    tensors, cfg = read_checkpoint(checkpoint)
    tensors = _keep_encoder(tensors)
    settings = _read_settings(checkpoint, tensors, cfg)
    config = Data2Vec2Config(
        **settings,
        source_file=checkpoint.name,
        source_sha256=sha256_of_file(checkpoint),
        encoder_id=None if encoder_id is None else _check_id(checkpoint, encoder_id, settings),
    )
    model = (Data2Vec2ForSequenceClassification if "proj.weight" in tensors else Data2Vec2Model)(config)
    model.load_state_dict(_translate(checkpoint, tensors, model, config))
    normalize = _look_up(cfg, "task").get("normalize", True)
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        whole = Path(scratch, out.name)
        with no_progress_bars():
            model.save_pretrained(whole)
        Data2Vec2FeatureExtractor(do_normalize=bool(normalize)).save_pretrained(whole)
        whole.rename(out)
    return config


def _check_id(checkpoint: Path, encoder_id: str, settings: Mapping[str, Any]) -> str:
    """The id, where the table has it as a model of the checkpoint's size that is converted."""
    convertible = {known.id: known for known in KNOWN_ENCODERS.values() if known.checkpoint}
    if encoder_id not in convertible:
        raise InputError(f"no encoder {encoder_id!r} to convert{suggest(encoder_id, convertible)}")
    known = convertible[encoder_id]
    found = (settings["num_hidden_layers"], settings["hidden_size"])
    if found != (known.n_layers, known.dim):
        raise InputError(
            f"{encoder_id} has {known.n_layers} blocks of width {known.dim}, but {checkpoint} has {found[0]} of width "
            f"{found[1]}: it is another encoder"
        )
    return encoder_id


def _keep_encoder(tensors: Tensors) -> Tensors:
    """The tensors of the encoder and its head under the names they have in data2vec 2.0."""
    named = {name.removeprefix("d2v_model."): tensor for name, tensor in tensors.items()}
    return {name: tensor for name, tensor in named.items() if not name.startswith(_PRETRAINING)}


def _read_settings(checkpoint: Path, tensors: Tensors, cfg: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `Data2Vec2Config`: from the tensors' shapes, and from `cfg` what they do not tell."""
    try:
        filters = [
            tensors[f"{_AUDIO}local_encoder.conv_layers.{i}.0.weight"].shape
            for i in range(_count(tensors, f"{_AUDIO}local_encoder.conv_layers."))
        ]
        position = tensors[f"{_AUDIO}relative_positional_encoder.1.0.weight"].shape
        feed_forward, dim = tensors["blocks.0.mlp.fc1.weight"].shape
        settings: dict[str, Any] = {
            "hidden_size": dim,
            "num_hidden_layers": _count(tensors, f"{_AUDIO}context_encoder.blocks.") + _count(tensors, "blocks."),
            "num_attention_heads": tensors[f"{_AUDIO}alibi_scale"].numel(),
            "intermediate_size": feed_forward,
            "layer_norm_first": "norm.weight" in tensors,
            "conv_dim": [width for width, _, _ in filters],
            "conv_kernel": [kernel for _, _, kernel in filters],
            "num_conv_pos_embeddings": _count(tensors, f"{_AUDIO}relative_positional_encoder."),
            "conv_pos_kernel_size": position[2],
            "num_conv_pos_embedding_groups": position[0] // position[1],
        }
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(
            f"{checkpoint} is no audio model of data2vec 2.0 or emotion2vec (missing or misshapen: {error}); found "
            f"{len(tensors)} tensors: {first_five(tensors)}"
        ) from error
    if (tokens := tensors.get(f"{_AUDIO}extra_tokens")) is not None:
        settings["num_extra_tokens"] = tokens.shape[-2]
    if (head := tensors.get("proj.weight")) is not None:
        labels = LABELS if len(head) == len(LABELS) else [f"LABEL_{i}" for i in range(len(head))]
        settings["id2label"] = dict(enumerate(labels))
        settings["label2id"] = {label: i for i, label in enumerate(labels)}
    model = _look_up(cfg, "model")
    settings["layer_norm_eps"] = float(model.get("norm_eps", _NORM_EPS))
    settings["conv_stride"] = _read_strides(checkpoint, settings["conv_kernel"], _look_up(model, "modalities", "audio"))
    return settings


def _count(tensors: Tensors, prefix: str) -> int:
    """How many numbers stand behind a prefix: `blocks.0.…`, `blocks.1.…` are 2."""
    return len({name[len(prefix) :].partition(".")[0] for name in tensors if name.startswith(prefix)})


def _look_up(cfg: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """A dictionary inside `cfg`; empty where there is none."""
    found: Any = cfg
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _read_strides(checkpoint: Path, kernels: list[int], audio: Mapping[str, Any]) -> list[int]:
    """The convolutions' strides, which no shape tells: from `cfg`, else those of every published checkpoint."""
    spec = re.sub(r"\s", "", str(audio.get("feature_encoder_spec", "")))
    # Such as [(512,10,5)]+[(512,3,2)]*4: width, kernel, stride, and how often.
    found = re.findall(r"\[\((\d+),(\d+),(\d+)\)\](?:\*(\d+))?", spec)
    layers = [(int(kernel), int(stride)) for _, kernel, stride, times in found for _ in range(int(times or 1))]
    layers = layers or _CONVOLUTIONS
    if [kernel for kernel, _ in layers] != kernels:
        raise InputError(
            f"{checkpoint}: convolutions on the waveform with kernels {kernels} were found and their strides are not "
            f"known; {spec or 'nothing'} was said of them"
        )
    return [stride for _, stride in layers]


def _translate(checkpoint: Path, tensors: Tensors, model: Data2Vec2PreTrainedModel, config: Data2Vec2Config) -> Tensors:
    """The state of `model`, float32, from tensors under their original names.

    Raises:
        InputError: tensors are missing, unknown or of another shape.
    """
    sources = dict(_name_sources(config, _count(tensors, f"{_AUDIO}context_encoder.blocks.")))
    shapes = {ours: parameter.shape for ours, parameter in model.named_parameters()}
    if len(shapes) > len(sources):  # the encoder has a head on it
        sources = {f"{model.base_model_prefix}.{ours}": theirs for ours, theirs in sources.items()}
        sources |= {f"classifier.{kind}": f"proj.{kind}" for kind in ("weight", "bias")}
    missing, unknown = sorted(set(sources.values()) - tensors.keys()), sorted(tensors.keys() - set(sources.values()))
    if missing or unknown:
        raise InputError(
            f"{checkpoint} is not the data2vec 2.0 or emotion2vec it looks like: {len(missing)} tensors missing"
            f"{': ' + first_five(missing) if missing else ''}; {len(unknown)} unknown"
            f"{': ' + first_five(unknown) if unknown else ''}"
        )
    misshapen = [theirs for ours, theirs in sources.items() if tensors[theirs].numel() != shapes[ours].numel()]
    if misshapen:
        raise InputError(f"{checkpoint}: {len(misshapen)} tensors are misshapen: {first_five(misshapen)}")
    # Scales and extra tokens have dimensions of one in front there.
    return {ours: tensors[theirs].to(torch.float32).reshape(shapes[ours]) for ours, theirs in sources.items()}


def _name_sources(config: Data2Vec2Config, n_prenet: int) -> Iterator[tuple[str, str]]:
    """Every tensor of a `Data2Vec2Model` and the name it has in the checkpoint."""
    yield "encoder.alibi_scale", f"{_AUDIO}alibi_scale"
    if config.num_extra_tokens:
        yield "encoder.extra_tokens", f"{_AUDIO}extra_tokens"
    for i in range(len(config.conv_dim)):
        yield f"feature_extractor.conv_layers.{i}.conv.weight", f"{_AUDIO}local_encoder.conv_layers.{i}.0.weight"
    for kind in ("weight", "bias"):
        for i in range(len(config.conv_dim)):
            theirs = f"{_AUDIO}local_encoder.conv_layers.{i}.2.1.{kind}"
            yield f"feature_extractor.conv_layers.{i}.layer_norm.{kind}", theirs
        yield f"feature_projection.layer_norm.{kind}", f"{_AUDIO}project_features.1.{kind}"
        yield f"feature_projection.projection.{kind}", f"{_AUDIO}project_features.2.{kind}"
        for i in range(config.num_conv_pos_embeddings):
            theirs = f"{_AUDIO}relative_positional_encoder.{i + 1}.0.{kind}"
            yield f"encoder.pos_conv_embed.layers.{i}.conv.{kind}", theirs
        norm = "norm" if config.layer_norm_first else f"{_AUDIO}context_encoder.norm"
        yield f"encoder.layer_norm.{kind}", f"{norm}.{kind}"
        for i in range(config.num_hidden_layers):
            block = f"{_AUDIO}context_encoder.blocks.{i}" if i < n_prenet else f"blocks.{i - n_prenet}"
            for theirs, ours in _IN_BLOCK.items():
                yield f"encoder.layers.{i}.{ours}.{kind}", f"{block}.{theirs}.{kind}"
