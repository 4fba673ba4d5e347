"""data2vec 2.0's audio encoder (arXiv 2212.07525), which is emotion2vec's too (arXiv 2312.15185), for transformers.

Seven convolutions on the waveform, five more that give the frames their positions, then attention blocks whose scores
carry ALiBi: a bias that falls with the distance of two frames, at a slope that each head has learned.
"""

from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import BaseModelOutput, SequenceClassifierOutput

from emobox_hf.encoders.native.config import Data2Vec2Config
from emobox_hf.encoders.native.layers import Data2Vec2Encoder, FeatureExtractor, FeatureProjection


class Data2Vec2PreTrainedModel(PreTrainedModel):
    """What transformers asks of the models below."""

    config_class = Data2Vec2Config
    base_model_prefix = "data2vec2"
    main_input_name = "input_values"
    _supports_sdpa = True

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, Data2Vec2Encoder):
            init.ones_(module.alibi_scale)
            if module.extra_tokens is not None:
                init.normal_(module.extra_tokens)


class Data2Vec2Model(Data2Vec2PreTrainedModel):
    """The encoder: normalised waveforms -> frames (batch, time, dim), 50 a second."""

    def __init__(self, config: Data2Vec2Config) -> None:
        super().__init__(config)
        self.feature_extractor = FeatureExtractor(config)
        self.feature_projection = FeatureProjection(config)
        self.encoder = Data2Vec2Encoder(config)
        self._keys_to_ignore_on_load_unexpected = [r"^classifier\."]  # the head of a checkpoint that has one
        self.post_init()

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
    ) -> BaseModelOutput:
        """Frames as `last_hidden_state`; those behind a clip's own number are of no use.

        With `output_hidden_states` there are `num_hidden_layers` + 1 of them: the input of the first block, and what
        each block gives; the last is `last_hidden_state`.

        Args:
            input_values: (batch, samples), from `Data2Vec2FeatureExtractor`.
            attention_mask: (batch, samples), 1 where there is sound and 0 in the padding behind it.
            output_hidden_states: None is the configuration's.
        """
        local = self.feature_extractor(input_values).transpose(1, 2)  # (batch, time, channels)
        is_frame = self.find_frames(attention_mask, local.shape[1])
        wanted = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        hidden, states = self.encoder(self.feature_projection(local), is_frame, all_states=wanted)
        return BaseModelOutput(last_hidden_state=hidden, hidden_states=states)

    def find_frames(self, attention_mask: torch.Tensor | None, n_frames: int) -> torch.Tensor | None:
        """Bool (batch, n_frames): which frames are of sound alone; None without a mask."""
        if attention_mask is None:
            return None
        lengths = attention_mask.sum(-1)
        for kernel, stride in zip(self.config.conv_kernel, self.config.conv_stride, strict=True):
            lengths = (lengths - kernel) // stride + 1
        return torch.arange(n_frames, device=lengths.device) < lengths[:, None]


class Data2Vec2ForSequenceClassification(Data2Vec2PreTrainedModel):
    """The encoder, the mean over its frames and a linear layer: emotion2vec+, with nine labels."""

    def __init__(self, config: Data2Vec2Config) -> None:
        super().__init__(config)
        self.data2vec2 = Data2Vec2Model(config)
        n_labels: Any = config.num_labels  # optional in transformers' types alone
        self.classifier = nn.Linear(config.hidden_size, n_labels)
        self.post_init()

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
    ) -> SequenceClassifierOutput:
        """Logits (batch, labels), and the cross entropy where labels (batch,) are given; the rest as in the encoder."""
        output: Any = self.data2vec2(input_values, attention_mask, output_hidden_states)
        hidden = output.last_hidden_state
        is_frame = self.data2vec2.find_frames(attention_mask, hidden.shape[1])
        if is_frame is None:
            pooled = hidden.mean(1)
        else:
            pooled = hidden.masked_fill(~is_frame[..., None], 0).sum(1) / is_frame.sum(1, keepdim=True)
        logits = self.classifier(pooled)
        loss = None if labels is None else cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits, hidden_states=output.hidden_states)
