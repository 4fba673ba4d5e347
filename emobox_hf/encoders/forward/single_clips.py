"""Any other model that AutoModel loads: one clip at a time through its own extractor, the clip's frames kept."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from emobox_hf.encoders.forward.backbone import Backbone, Encoded, Waveform, choose_layer
from emobox_hf.encoders.forward.linear import Target
from emobox_hf.encoders.forward.pooling import pool
from emobox_hf.encoders.forward.windows import WINDOW_SAMPLES
from emobox_hf.encoders.known.families import FAMILIES, REFUSED
from emobox_hf.encoders.known.identity import EncoderIdentity
from emobox_hf.encoders.known.inputs import read_input
from emobox_hf.errors import InputError, first_line
from emobox_hf.sampling import SAMPLE_RATE_HZ

# One analysis window of 25 ms, which is what the feature extractors of such models need at the least.
_MIN_SAMPLES = 400
_HOP_SAMPLES = 160  # of the filter banks of the Audio Spectrogram Transformer
_BATCH_S = 60.0
# Audio towers whose own model keeps attention off the padding of a window, by a mask over frames; of others frames
# attend to the silence behind the clip, as Whisper's do.
_MASKED_TOWERS = frozenset({"qwen2_audio_encoder"})
_FEATURES_MASK = "input_features_mask"  # what towers call the mask of their spectrogram that mask attention themselves
# How models fail that do not take what the extractor gives: transformers checks little.
_FAILURES = (TypeError, ValueError, RuntimeError, AttributeError, KeyError, IndexError, AssertionError)

Keep = Callable[[torch.Tensor, int], torch.Tensor]
"""A hidden state (time, dim) of a window and the samples of its clip -> the frames (time, dim) that are of the clip."""


def build_other_backbone(
    model: Any, extractor: Any, *, layer: int | str, target: Target, identity: EncoderIdentity
) -> Backbone:
    """The backbone of a model nothing else is known of: its numbers are measured on one and two seconds of a tone.

    Frame counts are extrapolated from the two, so they are estimates where clips are not padded. In half precision it
    runs under autocast with weights in float32. A model that gives no hidden states has one layer, its output. Of a
    model that pads every clip to a window, the frames of the clip are kept; longer clips are cut into such windows.

    Raises:
        InputError: No part of the model takes sound alone and gives frames; or it gives as many whatever the length of
            a clip, and nothing tells which are of the clip; or its extractor cuts off the end of long clips.
    """
    model.to(target.device)
    taken = read_input(extractor.to_dict(), identity.model_type)
    window_samples = WINDOW_SAMPLES if taken.window_s is None else round(taken.window_s * SAMPLE_RATE_HZ)
    runner, one, two = _find_runner(model, extractor, taken.sample_rate_hz, target, identity)
    keep = _choose_keep(model, taken.window_s, window_samples)
    if keep is None and one.last.shape[0] == two.last.shape[0]:
        raise InputError(
            f"{identity.name} ({identity.model_type}) gives {one.last.shape[0]} frames for one second and for two, and "
            "nothing tells which of them are of the clip, so it would be scored on padding; choose an encoder whose "
            "output grows with the clip"
        )
    if keep is None:
        _refuse_truncation(extractor, taken.sample_rate_hz, identity)
    n_layers = len(one.states) - 1
    chosen = choose_layer(layer, n_layers, identity)
    # Towers may halve the number of frames behind their last block, so it is counted in the chosen hidden state.
    shorter, longer = one.states[chosen], two.states[chosen]
    if keep is not None:
        count, rate_hz, is_exact = _count_in_window(shorter, keep, window_samples)
    else:
        count, rate_hz, is_exact = _extrapolate(len(shorter), len(longer))
    keep = keep or (lambda state, n_samples: state)

    def encode(window: Waveform) -> Encoded:
        states = [keep(state.float(), len(window)) for state in runner(window).states[: chosen + 1]]  # (time, dim)
        pooled = [pool(state, ((1, len(state)),))[0] for state in states]
        return Encoded(states[-1].clone(), torch.stack(pooled))

    return Backbone(
        device=target.device,
        dim=shorter.shape[1],
        n_layers=n_layers,
        layer=chosen,
        frame_rate_hz=rate_hz,
        min_samples=_MIN_SAMPLES,
        count=count,
        run=lambda windows: [encode(window) for window in windows],
        batch_s=_BATCH_S,
        window_samples=window_samples,
        pads_windows=taken.window_s is not None,
        counts_are_exact=is_exact,
    )


Count = Callable[[int], int]


def _count_in_window(state: torch.Tensor, keep: Keep, window_samples: int) -> tuple[Count, float, bool]:
    """Samples of a window to its frames, frames a second, and that the former is exact."""
    whole, half = (len(keep(state, n)) for n in (window_samples, window_samples // 2))
    rate_hz = (whole - half) * SAMPLE_RATE_HZ / (window_samples - window_samples // 2)
    return lambda n_samples: len(keep(state, n_samples)), rate_hz, True


def _extrapolate(one: int, two: int) -> tuple[Count, float, bool]:
    """The same by the frames of one and of two seconds, an estimate."""
    rate_hz = float(two - one)
    return lambda n_samples: max(1, round(one + rate_hz * (n_samples / SAMPLE_RATE_HZ - 1))), rate_hz, False


@dataclass(frozen=True, eq=False)
class _Output:
    """Hidden states of a window from 0 on, (time, dim) each; the last is the output itself."""

    states: list[torch.Tensor]

    @property
    def last(self) -> torch.Tensor:
        return self.states[-1]


def _find_runner(
    model: Any, extractor: Any, rate_hz: int, target: Target, identity: EncoderIdentity
) -> tuple[Callable[[Waveform], _Output], _Output, _Output]:
    """What runs a window through the part of the model that makes frames, and its outputs for one and two seconds."""
    reasons = []
    for name, run in _list_runs(model, extractor, rate_hz, target):
        try:
            with torch.inference_mode():
                raw = [run(_make_tone(n_seconds)) for n_seconds in (1, 2)]
            axis = _find_time_axis(*raw)
            one, two = (_read_output(output, axis) for output in raw)
        except _FAILURES as error:
            reasons.append(f"{name}: {first_line(error) or type(error).__name__}")
        else:
            return partial(_run_and_read, run, axis), one, two
    family = FAMILIES.get(identity.model_type)
    if family is not None and family.how == REFUSED:
        why = f"{family.title} is not for probing: {family.note}"
    else:
        why = f"no part of it makes frames (time, dim) of sound alone; tried {'; '.join(reasons)}"
    raise InputError(
        f"{identity.name} ({identity.model_type}): {why}. Choose a speech encoder: `emobox encoders --families` lists "
        "what works"
    )


def _make_tone(n_seconds: int) -> Waveform:
    tone: Waveform = np.sin(0.1 * np.arange(n_seconds * SAMPLE_RATE_HZ, dtype=np.float32))
    return tone


def _refuse_truncation(extractor: Any, rate_hz: int, identity: EncoderIdentity) -> None:
    """Raise where a feature extractor makes less of the longest window than its length asks for."""
    longest = WINDOW_SAMPLES // SAMPLE_RATE_HZ
    one, two, whole = (_extract(extractor, _make_tone(n), rate_hz).numel() for n in (1, 2, longest))
    heard_s = 1 + (whole - one) / max(1, two - one)
    if heard_s < 0.97 * longest:
        raise InputError(
            f"{identity.name} ({identity.model_type}): its {type(extractor).__name__} cuts every clip off after about "
            f"{heard_s:.0f} s, so the rest would not be heard; save it with truncation off, or choose another encoder"
        )


def _extract(extractor: Any, window: Waveform, rate_hz: int) -> torch.Tensor:
    """The features that a model takes first, of a window at 16 kHz."""
    inputs = extractor(_resample(window, rate_hz), sampling_rate=rate_hz, return_tensors="pt")
    features: torch.Tensor = inputs[extractor.model_input_names[0]]
    return features


def _list_runs(
    model: Any, extractor: Any, rate_hz: int, target: Target
) -> Iterator[tuple[str, Callable[[Waveform], Any]]]:
    """Ways to run a window, best first: the parts of a model that may make frames, each with its mask and without."""
    for name, part in _list_parts(model):
        yield name, _make_run(part, extractor, rate_hz, target, with_mask=True)
        if "attention_mask" in inspect.signature(part.forward).parameters:
            yield f"{name} without a mask", _make_run(part, extractor, rate_hz, target, with_mask=False)


def _make_run(part: Any, extractor: Any, rate_hz: int, target: Target, *, with_mask: bool) -> Callable[[Waveform], Any]:
    """A function of a window at 16 kHz: what a part of a model gives for it."""
    takes = set(inspect.signature(part.forward).parameters)
    wanted = {"output_hidden_states": True} if {"output_hidden_states", "kwargs"} & takes else {}
    masks_frames = with_mask and getattr(getattr(part, "config", None), "model_type", "") in _MASKED_TOWERS
    masks_features = _FEATURES_MASK in takes and _FEATURES_MASK not in extractor.model_input_names
    # Their processors ask the extractor for it, whatever its own settings say.
    options = {"return_attention_mask": True} if masks_frames or masks_features else {}

    def run(window: Waveform) -> Any:
        sound = _resample(window, rate_hz)
        inputs = extractor(sound, sampling_rate=rate_hz, return_tensors="pt", **options).to(target.device)
        if masks_features:
            inputs[_FEATURES_MASK] = inputs.pop("attention_mask")
        if masks_frames:
            inputs["attention_mask"] = _mask_frames(part, inputs["attention_mask"])
        named = {key: value for key, value in inputs.items() if key in takes and (with_mask or key != "attention_mask")}
        # The inner encoders of codecs call the sound otherwise; it comes first.
        first = [] if named else [inputs[extractor.model_input_names[0]]]
        with torch.autocast(target.device.type, dtype=target.dtype, enabled=target.dtype != torch.float32):
            return part(*first, **named, **wanted)

    return run


def _mask_frames(tower: Any, of_features: torch.Tensor) -> torch.Tensor:
    """What keeps attention off padding, added to its scores: (1, mel frames) -> float32 (1, 1, 1, frames)."""
    whole = tower._get_feat_extract_output_lengths(torch.tensor(of_features.shape[1]))[0]
    valid = tower._get_feat_extract_output_lengths(of_features.sum(-1))[0]
    is_padding = torch.arange(int(whole), device=of_features.device) >= valid
    added = torch.zeros(len(is_padding), device=of_features.device).masked_fill(is_padding, -torch.inf)
    return added[None, None, None]


def _run_and_read(run: Callable[[Waveform], Any], axis: int, window: Waveform) -> _Output:
    return _read_output(run(window), axis)


def _list_parts(model: Any) -> Iterator[tuple[str, Any]]:
    """The model, and its inner encoder, of a recogniser or a codec."""
    yield type(model).__name__, model
    inner = getattr(model, "encoder", None)
    if isinstance(inner, torch.nn.Module):
        yield type(inner).__name__, inner


def _find_time_axis(one: Any, two: Any) -> int:
    """Which axis of what a codec gives, (batch, …, …), is time: the one that grows; of other outputs it is 1."""
    shorter, longer = _bare(one), _bare(two)
    if shorter is None or longer is None:
        return 1
    if shorter.ndim != 3:
        raise ValueError(f"its output has the shape {tuple(shorter.shape)}")
    return 2 if shorter.shape[2] != longer.shape[2] else 1


def _bare(output: Any) -> torch.Tensor | None:
    """What a codec's encoder gives: a tensor without more, or the latents of an output; None of any other model."""
    found = output if isinstance(output, torch.Tensor) else getattr(output, "latents", None)
    return found if isinstance(found, torch.Tensor) else None


def _read_output(output: Any, axis: int) -> _Output:
    """The hidden states of the single clip of a batch."""
    if (bare := _bare(output)) is not None:
        return _Output([bare.transpose(1, axis)[0]])
    last = getattr(output, "last_hidden_state", None)
    if not isinstance(last, torch.Tensor) or last.ndim != 3:
        shape = tuple(last.shape) if isinstance(last, torch.Tensor) else type(output).__name__
        raise ValueError(f"it gives no frames (batch, time, dim), but {shape}")
    states = list(getattr(output, "hidden_states", None) or [last])
    return _Output([state[0] for state in [*states[:-1], last]])


def _choose_keep(model: Any, window_s: float | None, window_samples: int) -> Keep | None:
    """How the frames of a clip are told from those of its padding; None where there is no padding."""
    if window_s is None:
        return None
    config = model.config
    if hasattr(config, "time_stride") and hasattr(config, "frequency_stride"):
        return _keep_patches(config)

    def keep(state: torch.Tensor, n_samples: int) -> torch.Tensor:
        """The frames that lie within the clip, as of Whisper: time is even over the window."""
        return state[: max(1, len(state) * n_samples // window_samples)]

    return keep


def _keep_patches(config: Any) -> Keep:
    """For patches of a spectrogram (Audio Spectrogram Transformer): the mean over frequency of those of the clip.

    The output is (special tokens + bands * times, dim), band by band.
    """
    n_bands = (config.num_mel_bins - config.patch_size) // config.frequency_stride + 1
    n_times = (config.max_length - config.patch_size) // config.time_stride + 1

    def keep(state: torch.Tensor, n_samples: int) -> torch.Tensor:
        patches = state[len(state) - n_bands * n_times :].view(n_bands, n_times, -1)
        n_rows = 1 + max(0, n_samples - _MIN_SAMPLES) // _HOP_SAMPLES  # of the spectrogram
        n_valid = min(n_times, 1 + max(0, n_rows - config.patch_size) // config.time_stride)
        return patches[:, :n_valid].mean(dim=0)

    return keep


def _resample(window: Waveform, rate_hz: int) -> Waveform:
    """A window at 16 kHz brought to another rate."""
    if rate_hz == SAMPLE_RATE_HZ:
        return window
    import soxr

    return np.asarray(soxr.resample(window, SAMPLE_RATE_HZ, rate_hz, quality="HQ"), dtype=np.float32)
