"""Random models of families that are run clip by clip, or cannot be, small, saved as users save theirs."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers as t

LANGUAGE = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2,
    "num_key_value_heads": 2, "vocab_size": 60,
}  # fmt: skip
SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
WHISPER_LIKE = {
    "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 48, "num_mel_bins": 20,
    "max_source_positions": 100,
}  # fmt: skip
CODER = {"encoder_layers": 2, "decoder_layers": 1, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48}
CODER |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
SEAMLESS = {
    **CODER, "hidden_size": 32, "vocab_size": 60, "speech_encoder_layers": 2, "speech_encoder_attention_heads": 2,
    "speech_encoder_intermediate_size": 48, "t2u_encoder_layers": 1, "t2u_decoder_layers": 1, "t2u_encoder_ffn_dim": 48,
    "t2u_decoder_ffn_dim": 48, "t2u_encoder_attention_heads": 2, "t2u_decoder_attention_heads": 2, "t2u_vocab_size": 60,
    "unit_hifi_gan_vocab_size": 60,
}  # fmt: skip
TWO_SECONDS = {"feature_size": 20, "chunk_length": 2}  # a window of 2 s in place of 30 s

Make = Callable[[], tuple[Any, Any]]
"""A configuration, and a feature extractor."""

FAMILIES: dict[str, Make] = {
    "audio-spectrogram-transformer": lambda: (
        t.ASTConfig(**SMALL, max_length=128, num_mel_bins=32),
        t.ASTFeatureExtractor(num_mel_bins=32, max_length=128),
    ),
    "qwen2_audio": lambda: (
        t.Qwen2AudioConfig(audio_config=WHISPER_LIKE, text_config=LANGUAGE, audio_token_index=59),
        t.WhisperFeatureExtractor(**TWO_SECONDS, return_attention_mask=True),  # as published
    ),
    "voxtral": lambda: (
        t.VoxtralConfig(
            audio_config={**SMALL, "num_mel_bins": 20, "max_source_positions": 100},
            text_config={**LANGUAGE, "model_type": "llama"},
        ),
        t.WhisperFeatureExtractor(**TWO_SECONDS, return_attention_mask=True),  # as published
    ),
    "audioflamingo3": lambda: (
        t.AudioFlamingo3Config(
            audio_config={**SMALL, "num_mel_bins": 20, "max_source_positions": 100},
            text_config={**LANGUAGE, "model_type": "qwen2"},
        ),
        t.WhisperFeatureExtractor(**TWO_SECONDS),
    ),
    "glmasr": lambda: (
        t.GlmAsrConfig(
            audio_config={**SMALL, "num_mel_bins": 20, "max_position_embeddings": 100},
            text_config={**LANGUAGE, "model_type": "llama"},
        ),
        t.WhisperFeatureExtractor(**TWO_SECONDS),
    ),
    "parakeet_ctc": lambda: (
        t.ParakeetCTCConfig(vocab_size=30, pad_token_id=0, encoder_config={**SMALL, "num_mel_bins": 80}),
        t.ParakeetFeatureExtractor(),
    ),
    "seamless_m4t": lambda: (t.SeamlessM4TConfig(**SEAMLESS), t.SeamlessM4TFeatureExtractor()),
    "seamless_m4t_v2": lambda: (t.SeamlessM4Tv2Config(**SEAMLESS), t.SeamlessM4TFeatureExtractor()),
    "speech_to_text": lambda: (
        t.Speech2TextConfig(**CODER, d_model=32, vocab_size=60, conv_channels=16),
        t.Speech2TextFeatureExtractor(),
    ),
    "moonshine": lambda: (
        t.MoonshineConfig(
            vocab_size=60, hidden_size=32, intermediate_size=48, encoder_num_hidden_layers=2,
            decoder_num_hidden_layers=1, encoder_num_attention_heads=2, decoder_num_attention_heads=2,
        ),
        t.Wav2Vec2FeatureExtractor(),
    ),
    "wav2vec2-bert": lambda: (t.Wav2Vec2BertConfig(**SMALL, output_hidden_size=32), t.SeamlessM4TFeatureExtractor()),
    "wav2vec2-conformer": lambda: (
        t.Wav2Vec2ConformerConfig(
            **SMALL, conv_dim=(16,) * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2
        ),
        t.Wav2Vec2FeatureExtractor(),
    ),
    "sew": lambda: (
        t.SEWConfig(**SMALL, conv_dim=(16,) * 13, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2),
        t.Wav2Vec2FeatureExtractor(),
    ),
    "sew-d": lambda: (
        t.SEWDConfig(**SMALL, conv_dim=(16,) * 13, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2),
        t.Wav2Vec2FeatureExtractor(),
    ),
    "encodec": lambda: (t.EncodecConfig(num_filters=4, hidden_size=16, num_lstm_layers=1), t.EncodecFeatureExtractor()),
    "dac": lambda: (
        t.DacConfig(encoder_hidden_size=8, decoder_hidden_size=16, n_codebooks=2),
        t.DacFeatureExtractor(sampling_rate=16_000),
    ),
    "mimi": lambda: (
        t.MimiConfig(
            num_filters=4, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
            intermediate_size=32, head_dim=8, vector_quantization_hidden_dimension=8, upsample_groups=16,
        ),
        t.EncodecFeatureExtractor(sampling_rate=24_000),
    ),
    "clap": lambda: (
        t.ClapConfig(
            audio_config={
                "patch_embeds_hidden_size": 8, "hidden_size": 64, "depths": [1, 1, 1, 1],
                "num_attention_heads": [1, 1, 1, 1], "projection_dim": 16, "spec_size": 256, "num_mel_bins": 64,
                "window_size": 8, "patch_stride": [4, 4],
            },
            text_config={**SMALL, "vocab_size": 60, "max_position_embeddings": 20, "projection_dim": 16},
            projection_dim=16,
        ),
        t.ClapFeatureExtractor(),
    ),
    "speecht5": lambda: (t.SpeechT5Config(**CODER, hidden_size=32, vocab_size=60), t.SpeechT5FeatureExtractor()),
}  # fmt: skip

_FOLDER = TemporaryDirectory(prefix="tiny-families-")  # goes when the tests end


@cache
def saved_family(name: str) -> Path:
    """The folder of a saved model, made once; not to be changed by a test."""
    config, extractor = FAMILIES[name]()
    folder = Path(_FOLDER.name, name)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        t.AutoModel.from_config(config).save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder
