"""The wrapper around a frozen AutoModel: waveforms in, the frames of each out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from emobox_hf.encoders.baselines.backbones import build_baseline
from emobox_hf.encoders.baselines.table import check_options, find_baseline
from emobox_hf.encoders.forward.allocator import keep_freed_memory
from emobox_hf.encoders.forward.backbone import Backbone, Encoded, Waveform
from emobox_hf.encoders.forward.kernels import steady_kernels
from emobox_hf.encoders.forward.linear import Target
from emobox_hf.encoders.forward.pooling import merge
from emobox_hf.encoders.forward.single_clips import build_other_backbone
from emobox_hf.encoders.forward.waveform import WAVEFORM_TYPES, build_waveform_backbone
from emobox_hf.encoders.forward.whisper import build_whisper_backbone
from emobox_hf.encoders.forward.windows import cut_windows
from emobox_hf.encoders.known.identity import EncoderIdentity
from emobox_hf.encoders.known.inputs import describe_input
from emobox_hf.encoders.known.loading import load_extractor, load_model
from emobox_hf.errors import InputError, first_line, suggest
from emobox_hf.precision import Precision
from emobox_hf.sampling import SAMPLE_RATE_HZ

CONTEXTS = ("full", "clip")
PRECISIONS = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Encoder:
    """A frozen encoder on a device, giving the frames of one layer.

    A clip gives the same numbers alone and in any batch (to rounding). Clips over 30 s are cut into windows of 30 s
    that are encoded as clips of their own and joined.
    """

    identity: EncoderIdentity
    context: str
    backbone: Backbone

    @property
    def layer(self) -> int:
        """The hidden state that is given: 0, the input of the first block, to `n_layers`, the model's last."""
        return self.backbone.layer

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return self.backbone.n_layers

    @property
    def dim(self) -> int:
        """Width of a frame; 0 of a baseline that is as wide as the corpus makes it."""
        return self.backbone.dim

    @property
    def frame_rate_hz(self) -> float:
        """Frames a second: 50 for the encoders of the paper; 0 where the output does not grow with the clip."""
        return self.backbone.frame_rate_hz

    @property
    def counts_are_exact(self) -> bool:
        """Whether `count_frames` is exact; for a model of an unknown kind it is an estimate to plan with."""
        return self.backbone.counts_are_exact

    def count_frames(self, n_samples: int) -> int:
        """Number of valid frames that a clip of `n_samples` at 16 kHz gives.

        Raises:
            TooShortError: the clip gives none.
        """
        return sum(self.backbone.count(end - start) for start, end in self._cut(n_samples))

    @property
    def batch_s(self) -> float:
        """Seconds, once padded, that make a good batch on the encoder's device."""
        return self.backbone.batch_s

    def padded_s(self, duration_s: float) -> float:
        """Seconds that a clip of `duration_s` takes up in a batch: its own, or those of its windows padded to 30 s."""
        if not self.backbone.pads_windows:
            return duration_s
        window_s = self.backbone.window_samples / SAMPLE_RATE_HZ
        return max(1, math.ceil(duration_s / window_s)) * window_s

    def encode(self, waveforms: Sequence[Waveform]) -> list[Encoded]:
        """Frames of the chosen layer, and mean and deviation of every layer up to it, in the order given.

        All clips run in one forward pass (models of an unknown kind run them one by one), so the caller decides on the
        batch; clips of like length make the fastest ones. Everything is float32 on the encoder's device, and made under
        inference mode: clone it before training anything on it directly. Nothing waits for a GPU to finish.

        Args:
            waveforms: float32 (samples,) each, 16 kHz.

        Raises:
            TooShortError: a clip gives no frame; nothing is encoded then.
        """
        cuts = [self._cut(len(waveform)) for waveform in waveforms]
        windows = [waveform[start:end] for waveform, cut in zip(waveforms, cuts, strict=True) for start, end in cut]
        if not windows:
            return []
        # A caller's autocast would take precision from what is in float32 for a reason.
        device = self.backbone.device
        with torch.inference_mode(), torch.autocast(device.type, enabled=False), steady_kernels(device):
            parts = iter(self.backbone.run(windows))
            return [_join([next(parts) for _ in cut]) for cut in cuts]

    def _cut(self, n_samples: int) -> list[tuple[int, int]]:
        backbone = self.backbone
        return cut_windows(n_samples, min_samples=backbone.min_samples, window_samples=backbone.window_samples)


def _join(windows: list[Encoded]) -> Encoded:
    """A clip from its windows."""
    if len(windows) == 1:
        return windows[0]
    frames = [window.frames for window in windows]
    return Encoded(torch.cat(frames), merge([window.pooled for window in windows], list(map(len, frames))))


def load_encoder(
    identity: EncoderIdentity,
    *,
    device: str | torch.device = "cpu",
    precision: Precision = "no",
    layer: int | Literal["last"] = "last",
    context: str = "full",
) -> Encoder:
    """The encoder of an identity, in evaluation mode; of an encoder-decoder, the encoder alone; or the baseline.

    Args:
        identity: from `identify`.
        device: where it runs; a baseline runs on the CPU.
        precision: of matrix products, in accelerate's words: `no` is float32, never TF32. The sum that runs through the
            blocks and its norms, the norm of a waveform, Whisper's spectrogram, statistics and what is given are in
            float32 under any; see `linear.py`. Few CPUs are fast in bf16, and hardly any in fp16.
        layer: the hidden state to give, 0 to the number of blocks; `last` is what EmoBox takes.
        context: `full`, or for Whisper `clip`: encode the clip without padding it to 30 s, which is faster and scores
            otherwise (see `whisper.py`), so it belongs in the record.

    Raises:
        InputError: the model cannot be loaded whole, is no speech encoder, or lacks the layer; the context is not for
            it; the precision is unknown; or a baseline is asked for any of the three.
    """
    if precision not in PRECISIONS:
        raise InputError(f"unknown precision {precision!r}{suggest(str(precision), tuple(PRECISIONS))}")
    if context not in CONTEXTS:
        raise InputError(f"unknown context {context!r}{suggest(str(context), CONTEXTS)}")
    if find_baseline(identity.name) is not None:
        check_options(identity.name, layer=layer, context=context, precision=precision)
        return Encoder(identity, context, build_baseline(identity))
    if context == "clip" and identity.model_type != "whisper":
        window_s = describe_input(identity).window_s
        why = f"pads every clip to {window_s:g} s and takes no other" if window_s else "takes clips as they are already"
        raise InputError(f"context 'clip' is for Whisper; {identity.name} ({identity.model_type}) {why}: use 'full'")
    extractor = load_extractor(identity)
    model = load_model(identity)
    try:
        return build_encoder(
            model, extractor, identity, device=device, precision=precision, layer=layer, context=context
        )
    except (ArithmeticError, LookupError, MemoryError) as error:  # no blocks, strides of 0, windows of days
        raise InputError(
            f"{identity.name} ({identity.model_type}): what its config.json says is no encoder: {first_line(error)}"
        ) from error


def _is_batched(model: Any, extractor: Any, identity: EncoderIdentity) -> bool:
    """Whether a model is one of those that take waveforms in batches, at 16 kHz and without an adapter on top."""
    is_plain = not getattr(model.config, "add_adapter", False) and extractor.sampling_rate == SAMPLE_RATE_HZ
    is_plain = is_plain and extractor.model_input_names[:1] == ["input_values"]
    return identity.model_type in WAVEFORM_TYPES and is_plain


def build_encoder(
    model: Any,
    extractor: Any,
    identity: EncoderIdentity,
    *,
    device: str | torch.device,
    precision: Precision = "no",
    layer: int | Literal["last"] = "last",
    context: str = "full",
) -> Encoder:
    """As `load_encoder`, of a model and an extractor in memory."""
    model = model.eval().requires_grad_(False)
    target = Target(torch.device(device), PRECISIONS[precision])
    if target.is_cpu:
        keep_freed_memory()
    if identity.model_type == "whisper":
        backbone = build_whisper_backbone(
            model, extractor, layer=layer, context=context, target=target, identity=identity
        )
    elif _is_batched(model, extractor, identity):
        backbone = build_waveform_backbone(model, extractor, layer=layer, target=target, identity=identity)
    else:
        backbone = build_other_backbone(model, extractor, layer=layer, target=target, identity=identity)
    return Encoder(identity, context, backbone)
