"""Models and feature extractors as transformers loads them, whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import Any

import torch

from emobox_hf.encoders.baselines.table import MODEL_TYPE as BASELINE
from emobox_hf.encoders.known.identity import EncoderIdentity, is_hub_reachable
from emobox_hf.encoders.native import MODEL_TYPE, register_native_models
from emobox_hf.encoders.progress_bars import no_progress_bars
from emobox_hf.errors import InputError, first_five, first_line

# Used by SpecAugment in training alone, so a checkpoint may lack it.
NEVER_USED = "masked_spec_embed"


def load_extractor(identity: EncoderIdentity) -> Any:
    """The feature extractor of an identity.

    Raises:
        InputError: There is none, or it does not say its sampling rate.
    """
    _refuse_baseline(identity)
    from transformers import AutoFeatureExtractor

    if identity.model_type == MODEL_TYPE:
        register_native_models()
    failure = (
        f"{identity.name} ({identity.model_type}) has no feature extractor that transformers knows "
        "(preprocessor_config.json was looked for), so it cannot take sound"
    )
    with _reading_foreign_files(failure):
        load: Any = AutoFeatureExtractor.from_pretrained  # untyped in transformers
        extractor = load(
            identity.name,
            revision=identity.revision,
            trust_remote_code=False,
            local_files_only=_is_offline(identity),
        )
    if not isinstance(getattr(extractor, "sampling_rate", None), int):
        raise InputError(
            f"{identity.name} ({identity.model_type}): its {type(extractor).__name__} names no sampling rate, so it is "
            "not for sound"
        )
    return extractor


def _refuse_baseline(identity: EncoderIdentity) -> None:
    """Refuse a baseline where weights are needed: to classify, to measure speed."""
    if identity.model_type == BASELINE:
        raise InputError(f"{identity.name} has no weights to load; give a model of transformers")


def _is_offline(identity: EncoderIdentity) -> bool:
    """Whether the Hub's cache must do: transformers asks the Hub for optional files, many times where it is silent."""
    return identity.revision is not None and not is_hub_reachable()


def load_model(identity: EncoderIdentity) -> Any:
    """The model on the CPU in float32, without its decoder if it has one.

    Raises:
        InputError: It cannot be loaded whole.
    """
    from transformers import AutoModel

    model, report = load_weights(AutoModel, identity)
    encoder = find_audio_encoder(model)
    # transformers fills what a checkpoint lacks with random numbers and only logs it.
    used = {id(parameter) for parameter in encoder.parameters()}
    lacking = [
        name
        for name, parameter in model.named_parameters()
        if name in report["missing_keys"] and id(parameter) in used and not name.endswith(NEVER_USED)
    ]
    if lacking:
        raise InputError(
            f"{identity.name}: its weights lack {len(lacking)} that the model needs: {first_five(sorted(lacking))}; "
            "fetch or save it again, whole"
        )
    return encoder


# Where models of several modalities keep what takes sound.
_AUDIO_PARTS = ("audio_tower", "speech_encoder", "audio_encoder", "audio_model")


def find_audio_encoder(model: Any) -> Any:
    """The part of a model that takes sound: the audio tower of a language model, the encoder of an encoder-decoder."""
    for name in _AUDIO_PARTS:
        part = getattr(model, name, None)
        if isinstance(part, torch.nn.Module):
            return part
    return model.get_encoder() if model.config.is_encoder_decoder else model


def load_weights(auto_class: Any, identity: EncoderIdentity) -> tuple[Any, dict[str, Any]]:
    """A model of one of transformers' Auto classes on the CPU in float32, and what transformers reports of its weights.

    Raises:
        InputError: It cannot be loaded.
    """
    _refuse_baseline(identity)
    if identity.model_type == MODEL_TYPE:
        register_native_models()
    failure = f"{identity.name} ({identity.model_type}) cannot be loaded by {auto_class.__name__}"
    with _reading_foreign_files(failure), no_progress_bars():
        model, report = auto_class.from_pretrained(
            identity.name,
            revision=identity.revision,
            dtype=torch.float32,
            trust_remote_code=False,
            local_files_only=_is_offline(identity),
            output_loading_info=True,
        )
    return model, report


@contextmanager
def _reading_foreign_files(failure: str) -> Iterator[None]:
    """What libraries raise over damaged or hostile files of a model, which is nearly anything, as an InputError."""
    try:
        yield
    except UnpicklingError as error:  # torch's own words are advice to read the file without protection
        raise InputError(
            f"{failure}: pytorch_model.bin is no file of tensors alone, and nothing else in it is read or run; get the "
            "weights as model.safetensors, or fetch them again"
        ) from error
    except Exception as error:
        raise InputError(f"{failure}: {first_line(error) or type(error).__name__}") from error
