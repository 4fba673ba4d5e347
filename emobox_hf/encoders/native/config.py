"""The settings in which data2vec 2.0's and emotion2vec's models differ; the defaults are data2vec 2.0 base."""

from transformers import PreTrainedConfig

from emobox_hf.encoders.native import MODEL_TYPE


class Data2Vec2Config(PreTrainedConfig):
    """Settings of `Data2Vec2Model`, under the names that transformers' wav2vec 2.0 family has.

    `num_hidden_layers` counts every block: the original's "prenet" blocks (data2vec 2.0 large 8, emotion2vec base 4)
    and those behind it (16 and 8), which compute the same. The strides say 50 frames a second of 16 kHz sound.

    `layer_norm_first`: norms before attention and feed-forward, and one at the end; no published checkpoint is so.
    `num_extra_tokens`: learned vectors that attend along with the frames and are no output; emotion2vec has 10.
    `source_file`, `source_sha256`: the checkpoint that the weights were converted from; `encoder_id`: which encoder of
    the table `encoders.toml` it is, where the user said so.
    """

    model_type = MODEL_TYPE

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    layer_norm_first: bool = False
    layer_norm_eps: float = 1e-5
    hidden_dropout: float = 0.1
    attention_dropout: float = 0.1
    initializer_range: float = 0.02
    conv_dim: tuple[int, ...] | list[int] = (512,) * 7
    conv_kernel: tuple[int, ...] | list[int] = (10, 3, 3, 3, 3, 2, 2)
    conv_stride: tuple[int, ...] | list[int] = (5, 2, 2, 2, 2, 2, 2)
    num_conv_pos_embeddings: int = 5
    conv_pos_kernel_size: int = 19
    num_conv_pos_embedding_groups: int = 16
    num_extra_tokens: int = 0
    source_file: str | None = None
    source_sha256: str | None = None
    encoder_id: str | None = None
