"""The count from a configuration is what torch counts while the model runs."""

import pytest
import torch
import transformers
from tiny_encoders import WAVEFORM_CONFIGS, saved
from torch.utils.flop_counter import FlopCounterMode

from emobox_hf.bench.flops import count_flops
from emobox_hf.encoders import TooShortError
from emobox_hf.errors import InputError


def load_model(name: str) -> torch.nn.Module:
    # In plain products, each of which the counter sees.
    return transformers.AutoModel.from_pretrained(saved(name), attn_implementation="eager").eval()


def count_running(model: torch.nn.Module, inputs: torch.Tensor) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(inputs)
    return counter.get_total_flops()


@pytest.mark.parametrize("n_samples", [400, 9137])
@pytest.mark.parametrize("name", WAVEFORM_CONFIGS)
def test_models_on_waveforms(name: str, n_samples: int) -> None:
    model = load_model(name)
    counted = count_running(model, torch.randn(1, n_samples))
    assert count_flops(model, n_samples) == count_flops(model.config, n_samples) == counted


def test_whisper_whatever_the_length_of_the_clip() -> None:
    model = load_model("whisper").get_encoder()
    counted = count_running(model, torch.randn(1, 20, 200))
    assert count_flops(model, 32_000) == count_flops(model, 400) == counted
    assert count_flops(model, 32_000, context="clip") == counted
    short = transformers.WhisperConfig(**model.config.to_diff_dict() | {"max_source_positions": 25})
    assert count_flops(model, 8000, context="clip") == count_flops(short, 8000) < counted / 4


def test_windows_add_up_and_fewer_blocks_count_less() -> None:
    config = load_model("hubert-group").config
    window, rest = 30 * 16_000, 5000
    assert count_flops(config, window + rest) == count_flops(config, window) + count_flops(config, rest)
    none, one, all_of_them = (count_flops(config, 16_000, n_blocks=n) for n in (0, 1, None))
    assert all_of_them - none == 3 * (one - none) > 0


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(InputError, match="not for bert"):
        count_flops(transformers.BertConfig(), 16_000)
    with pytest.raises(TooShortError):
        count_flops(transformers.Wav2Vec2Config(), 399)
