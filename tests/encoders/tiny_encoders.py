"""Random encoders of every family, two narrow blocks each, saved as users save theirs."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import transformers

SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 48}
CONVOLUTIONS = {"conv_dim": (16,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}
STABLE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
DATA2VEC = {"conv_dim": (16,) * 7, "conv_pos_kernel_size": 19, "num_conv_pos_embeddings": 5}

# name -> (config class, its settings, does the extractor normalise)
WAVEFORM_CONFIGS = {
    "wav2vec2-group": ("Wav2Vec2Config", CONVOLUTIONS, True),
    "wav2vec2-layer": ("Wav2Vec2Config", CONVOLUTIONS | STABLE, True),
    "wav2vec2-mms": ("Wav2Vec2Config", CONVOLUTIONS | STABLE | {"adapter_attn_dim": 4}, True),
    "hubert-group": ("HubertConfig", CONVOLUTIONS, True),
    "hubert-layer": ("HubertConfig", CONVOLUTIONS | STABLE, True),
    "hubert-batch-norm": ("HubertConfig", CONVOLUTIONS | {"conv_pos_batch_norm": True}, True),
    "wavlm-group": ("WavLMConfig", CONVOLUTIONS, False),
    "wavlm-layer": ("WavLMConfig", CONVOLUTIONS | STABLE, True),
    "data2vec": ("Data2VecAudioConfig", DATA2VEC | {"num_conv_pos_embedding_groups": 2}, True),
    "unispeech": ("UniSpeechConfig", CONVOLUTIONS, True),
    "unispeech-sat": ("UniSpeechSatConfig", CONVOLUTIONS | STABLE, True),
}

# A context of 2 s in place of 30 s keeps the tests quick.
WHISPER = {
    "d_model": 32, "encoder_layers": 3, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
    "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "vocab_size": 60, "num_mel_bins": 20, "max_source_positions": 100,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
}  # fmt: skip


def noise(n_samples: int, *, seed: int = 0) -> np.ndarray:
    """A waveform whose level and offset differ from clip to clip, so that wrong normalisation shows."""
    random = np.random.default_rng(seed)
    return (random.uniform(0.01, 0.3) * random.standard_normal(n_samples) + 0.01 * seed).astype(np.float32)


def save_encoder(folder: Path, name: str) -> Path:
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        if name == "whisper":
            model = transformers.WhisperModel(transformers.WhisperConfig(**WHISPER))
            extractor = transformers.WhisperFeatureExtractor(feature_size=20, chunk_length=2)
        elif name == "conformer":
            config = transformers.Wav2Vec2ConformerConfig(**SMALL, **CONVOLUTIONS)
            model, extractor = transformers.AutoModel.from_config(config), transformers.Wav2Vec2FeatureExtractor()
        elif name == "ast":
            config = transformers.ASTConfig(**SMALL, max_length=64, num_mel_bins=32)
            model = transformers.AutoModel.from_config(config)
            extractor = transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=64)
        else:
            config_class, settings, do_normalize = WAVEFORM_CONFIGS[name]
            config = getattr(transformers, config_class)(**SMALL, **settings)
            model = transformers.AutoModel.from_config(config)
            extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=do_normalize)
        # Fresh models have norms and biases that do nothing: random ones let a wrong norm show.
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
        for buffer_name, buffer in model.named_buffers():
            if buffer_name.endswith("running_mean"):
                buffer.copy_(torch.randn_like(buffer))
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder


_FOLDER = TemporaryDirectory(prefix="tiny-encoders-")  # goes when the tests end


@cache
def saved(name: str) -> Path:
    """The folder of a saved encoder, made once; not to be changed by a test."""
    return save_encoder(Path(_FOLDER.name, name), name)
