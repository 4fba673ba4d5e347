"""Models that put a stack of convolutions on the waveform: wav2vec 2.0, HuBERT, WavLM, data2vec and their like.

Their weights are taken out of transformers' model and run without padding: each row through the convolutions alone, or
cut back to its valid frames behind them, then all rows one behind another, see `layout`. So a clip gives the same
frames alone and in any batch, which an attention mask alone does not do: a group norm over time and positional
convolutions would see padding.
"""

from typing import Any

import numpy as np
import torch
from torch import nn

from emobox_hf.encoders.forward.attention import choose_way
from emobox_hf.encoders.forward.backbone import Backbone, Encoded, Waveform, choose_layer, unpack
from emobox_hf.encoders.forward.convolutions import FrontEnd, build_front_end
from emobox_hf.encoders.forward.layout import Groups, find_valid, join, lay_out, pad_rows, send, send_rows, views
from emobox_hf.encoders.forward.linear import Target
from emobox_hf.encoders.forward.positions import build_positions
from emobox_hf.encoders.forward.stacks import build_data2vec2_stack, build_wav2vec2_stack
from emobox_hf.encoders.known.identity import EncoderIdentity
from emobox_hf.encoders.native import MODEL_TYPE
from emobox_hf.sampling import SAMPLE_RATE_HZ

# The architectures checked to be of this kind; tests hold each to "alone equals batch" and to transformers' own frames.
WAVEFORM_TYPES = frozenset({"wav2vec2", "hubert", "wavlm", "data2vec-audio", "unispeech", "unispeech-sat", MODEL_TYPE})

# Seconds in a batch. What a CPU computes of 16 s stays near its cache, and a clip more saves it nothing. A GPU wants
# thousands of frames at once: 480 s take about 6 GB in half precision and 12 GB in float32 in the convolutions.
BATCH_S = {"cpu": 16.0, "cuda": 480.0}


def batch_s_on(device: torch.device, batch_s: dict[str, float]) -> float:
    """The seconds for a device; an accelerator of another kind takes a quarter of a GPU's."""
    return batch_s.get(device.type, batch_s["cuda"] / 4)


def build_waveform_backbone(
    model: Any, extractor: Any, *, layer: int | str, target: Target, identity: EncoderIdentity
) -> Backbone:
    """The backbone of a model of `WAVEFORM_TYPES`; nothing of the model itself is kept."""
    config = model.config
    chosen = choose_layer(layer, config.num_hidden_layers, identity)
    front_end = build_front_end(model.feature_extractor.conv_layers, target)
    projection, encoder = model.feature_projection, model.encoder
    normalise = target.norm(projection.layer_norm) if hasattr(projection, "layer_norm") else nn.Identity()
    project = target.linear(projection.projection)
    positions = build_positions(encoder.pos_conv_embed, target)
    build_stack = build_data2vec2_stack if identity.model_type == MODEL_TYPE else build_wav2vec2_stack
    stack = build_stack(model, target, chosen)
    norm_first = getattr(config, "do_stable_layer_norm", False) or getattr(config, "layer_norm_first", False)
    before = nn.Identity() if norm_first else target.norm(encoder.layer_norm)
    tokens = getattr(encoder, "extra_tokens", None)  # of emotion2vec: they attend along with the frames
    tokens = None if tokens is None else target.in_float32(tokens)
    n_tokens = 0 if tokens is None else len(tokens)
    width = config.hidden_size // config.num_attention_heads
    # With tokens behind the frames a bias depends on more than the distance.
    way = "groups" if n_tokens else choose_way(target, width=width, is_biased=stack.position_bias is not None)

    def run(windows: list[Waveform]) -> list[Encoded]:
        on_device = not target.is_cpu and normalises_plainly(extractor)
        inputs = [torch.from_numpy(one) if on_device else prepare(extractor, one) for one in windows]
        n_frames = [front_end.count(len(window)) for window in windows]
        widths = [n + n_tokens for n in n_frames]
        layout = lay_out(n_frames, target.device, widths=widths, way=way)
        local = _run_front_end(front_end, [inputs[i] for i in layout.order], target, normalise_there=on_device)
        hidden = project(normalise(local)).float()  # (frames, dim)
        padded = layout.valid.padded
        if padded is None and len(layout.kept) > 1 and not target.is_cpu:
            padded = pad_rows([n_frames[i] for i in layout.order], target.device)
        hidden = hidden + positions(hidden, layout.kept, padded)
        if tokens is not None:
            hidden = _put_behind(hidden, layout.kept, tokens)
        frames, pooled = stack.run(before(hidden), layout)
        return unpack(frames, pooled, layout, n_frames)

    return Backbone(
        device=target.device,
        dim=config.hidden_size,
        n_layers=config.num_hidden_layers,
        layer=chosen,
        frame_rate_hz=SAMPLE_RATE_HZ / front_end.hop,
        min_samples=front_end.field,
        count=front_end.count,
        run=run,
        batch_s=batch_s_on(target.device, BATCH_S),
    )


def prepare(extractor: Any, window: Waveform) -> torch.Tensor:
    """A window as the model takes it, float32 (samples,): normalised over this sound, if the extractor does."""
    if not _is_plain(extractor):
        values = extractor(window, sampling_rate=SAMPLE_RATE_HZ, return_tensors="np")["input_values"][0]
    elif extractor.do_normalize:
        # What the call comes to for one clip, which itself takes as long again to get there.
        (values,) = extractor.zero_mean_unit_var_norm([window], None)
    else:
        values = window
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def _is_plain(extractor: Any) -> bool:
    """Whether an extractor does what that of wav2vec 2.0 does, nothing else."""
    from transformers import Wav2Vec2FeatureExtractor

    return type(extractor).__call__ is Wav2Vec2FeatureExtractor.__call__


def normalises_plainly(extractor: Any) -> bool:
    """Whether `normalise_rows` is all that an extractor does, so that an accelerator can do it."""
    return _is_plain(extractor) and bool(extractor.do_normalize)


def normalise_rows(padded: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Rows float32 (rows, samples) at mean 0 and variance 1 over so many samples each, silence behind them.

    What is behind a row has to be 0. To rounding it is what `prepare` gives.
    """
    n = lengths[:, None]
    is_sound = torch.arange(padded.shape[1], device=padded.device) < n
    centred = torch.where(is_sound, padded - padded.sum(1, keepdim=True) / n, 0.0)
    return centred / (centred.square().sum(1, keepdim=True) / n + 1e-7).sqrt()


def _run_front_end(
    front_end: FrontEnd, waveforms: list[torch.Tensor], target: Target, *, normalise_there: bool = False
) -> torch.Tensor:
    """Frames of all rows one behind another, (frames, channels); on an accelerator it may normalise them first."""
    if target.is_cpu:
        return join([front_end.run_piecewise(waveform) for waveform in waveforms])
    n_frames, device = [front_end.count(len(waveform)) for waveform in waveforms], target.device
    lengths = [len(waveform) for waveform in waveforms]
    padded = send_rows(waveforms, max(lengths), device)  # (rows, samples)
    n_samples = send(torch.tensor(lengths), device)
    if normalise_there:
        padded = normalise_rows(padded, n_samples)
    hidden = front_end.run_padded(padded, n_samples)  # (rows, time, channels)
    rows, time = hidden.shape[:2]
    flat = hidden.flatten(0, 1)
    return flat if n_frames == [time] * rows else flat.index_select(0, find_valid(n_frames, [time] * rows, device))


def _put_behind(frames: torch.Tensor, groups: Groups, tokens: torch.Tensor) -> torch.Tensor:
    """The rows with the tokens behind each: (frames, dim) -> (frames and tokens, dim)."""
    parts = [torch.cat([part, tokens.expand(len(part), -1, -1)], dim=1) for part in views(frames, groups)]
    return join([part.flatten(0, 1) for part in parts])
