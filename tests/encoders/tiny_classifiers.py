"""Random audio classifiers of every family, small, saved as users save theirs."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import transformers
from emotion2vec_checkpoints import CASES, make_weights
from tiny_encoders import CONVOLUTIONS, SMALL, WAVEFORM_CONFIGS, WHISPER

from emobox_hf.encoders.native.convert import convert_data2vec2

LABELS = ("angry", "happy", "neutral", "sad")


def save_classifier(folder: Path, name: str, labels: Sequence[str] = LABELS, **settings: object) -> Path:
    """A classifier with these labels; emotion2vec+ has its own nine."""
    if name == "emotion2vec+":
        with TemporaryDirectory() as scratch:
            weights = {key: torch.from_numpy(value) for key, value in make_weights(CASES[name]).items()}
            torch.save({"model": weights}, Path(scratch, "model.pt"))
            convert_data2vec2(Path(scratch, "model.pt"), folder)
        return folder
    settings |= {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    if name == "whisper":
        config = transformers.WhisperConfig(**WHISPER, classifier_proj_size=16, **settings)
        extractor = transformers.WhisperFeatureExtractor(feature_size=20, chunk_length=2)
    elif name == "ast":
        config = transformers.ASTConfig(**SMALL, max_length=64, num_mel_bins=32, **settings)
        extractor = transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=64)
    elif name == "conformer":
        config = transformers.Wav2Vec2ConformerConfig(**SMALL, **CONVOLUTIONS, classifier_proj_size=16, **settings)
        extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True)
    else:
        config_class, own, do_normalize = WAVEFORM_CONFIGS[name]
        config = getattr(transformers, config_class)(**SMALL, **own, classifier_proj_size=16, **settings)
        extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=do_normalize, return_attention_mask=True)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model = transformers.AutoModelForAudioClassification.from_config(config)
        # Fresh heads hardly tell one clip from another.
        for parameter in model.parameters():
            parameter.add_(
                0.3 * torch.randn_like(parameter) if parameter.ndim == 1 else 0.1 * torch.randn_like(parameter)
            )
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder
