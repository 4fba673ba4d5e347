"""The table of encoders agrees with the architectures, the paper's table and the corpora, and says where it is from."""

import re
import subprocess
import sys
from typing import Any

import pytest
import torch
import transformers

from emobox_hf.corpora.spec import list_corpora, load_spec
from emobox_hf.encoders.known.table import KNOWN_ENCODERS, KnownEncoder, find_known
from emobox_hf.encoders.native import register_native_models
from emobox_hf.report.reference import paper_scores

register_native_models()

# A part of the id -> the settings in which a family's models differ from transformers' defaults. First match counts.
STABLE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "whisper-large-v3": ("whisper", {"num_mel_bins": 128}),
    "whisper": ("whisper", {}),
    "data2vec2": ("emobox-data2vec2", {}),
    "emotion2vec": ("emobox-data2vec2", {"num_extra_tokens": 10}),
    "data2vec": ("data2vec-audio", {}),
    "w2v-bert": ("wav2vec2-bert", {}),
    "wavlm-large": ("wavlm", STABLE | {"conv_bias": False}),
    "wavlm": ("wavlm", {}),
    "unispeech-sat-large": ("unispeech-sat", STABLE),
    "unispeech-sat": ("unispeech-sat", {}),
    "hubert-base": ("hubert", {}),
    "hubert": ("hubert", STABLE),
    "wav2vec2-base": ("wav2vec2", {}),
    "": ("wav2vec2", STABLE),
}


def build(encoder: KnownEncoder) -> torch.nn.Module:
    """The encoder's architecture without weights."""
    model_type, settings = next(found for part, found in FAMILIES.items() if part in encoder.id)
    heads = 16 if encoder.dim == 1280 else encoder.dim // 64
    if model_type == "whisper":
        sizes = {"d_model": encoder.dim, "encoder_layers": encoder.n_layers, "encoder_ffn_dim": 4 * encoder.dim}
        sizes |= {"encoder_attention_heads": encoder.dim // 64, "decoder_layers": 1}
        sizes |= {"decoder_attention_heads": encoder.dim // 64}
    else:
        sizes = {"hidden_size": encoder.dim, "num_hidden_layers": encoder.n_layers, "num_attention_heads": heads}
        sizes |= {"intermediate_size": 4 * encoder.dim}
    config = transformers.AutoConfig.for_model(model_type, **sizes, **settings)
    with torch.device("meta"):
        model = transformers.AutoModel.from_config(config)
    return model.get_encoder() if config.is_encoder_decoder else model


@pytest.mark.parametrize("encoder", KNOWN_ENCODERS.values(), ids=lambda encoder: encoder.id)
def test_layers_and_width_make_the_number_of_parameters(encoder: KnownEncoder) -> None:
    model = build(encoder)
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert encoder.parameters_m == pytest.approx(millions, rel=0.003)


def test_the_papers_encoders_are_those_of_its_table() -> None:
    assert {encoder.id for encoder in KNOWN_ENCODERS.values() if encoder.in_paper} == paper_scores("iemocap").keys()


@pytest.mark.parametrize("encoder", KNOWN_ENCODERS.values(), ids=lambda encoder: encoder.id)
def test_every_row_is_whole(encoder: KnownEncoder) -> None:
    spoken = {language for corpus in list_corpora() for language in load_spec(corpus).languages} - {"mul"}
    assert encoder.languages is None or set(encoder.languages) <= spoken
    assert set(encoder.trained_on) | set(encoder.chose_test_sets) <= set(list_corpora())
    assert bool(encoder.trained_on) == bool(encoder.trained_on_source)
    assert encoder.revision is None or re.fullmatch("[0-9a-f]{40}", encoder.revision)
    assert bool(encoder.repo_id) != bool(encoder.checkpoint)
    assert encoder.repo_id or not encoder.revision
    assert encoder.data
    assert encoder.licence
    assert encoder.source


def test_the_multilingual_models_heard_every_language_of_the_corpora() -> None:
    spoken = {language for corpus in list_corpora() for language in load_spec(corpus).languages} - {"mul"}
    assert set(KNOWN_ENCODERS["xls-r-300m"].languages or ()) == spoken
    assert KNOWN_ENCODERS["hubert-large"].languages == ("en",)
    assert KNOWN_ENCODERS["emotion2vec-plus-base"].languages is None


def test_no_two_rows_share_a_name_or_a_commit() -> None:
    encoders = list(KNOWN_ENCODERS.values())
    for values in ([e.id for e in encoders], [e.repo_id for e in encoders], [e.revision for e in encoders]):
        given = [value for value in values if value is not None]
        assert len(given) == len(set(given))
    assert not {e.id for e in encoders} & {e.repo_id for e in encoders}


def test_an_encoder_is_found_by_either_name() -> None:
    found = find_known("openai/whisper-large-v3")
    assert found is not None
    assert (found.id, found.n_layers, found.dim) == ("whisper-large-v3", 32, 1280)
    assert find_known("whisper-large-v3") is found
    assert find_known("openai/whisper-large") is None


def test_encoders_trained_on_a_corpus_are_told() -> None:
    assert "meld" in KNOWN_ENCODERS["emotion2vec"].trained_on
    assert "ravdess" not in KNOWN_ENCODERS["emotion2vec"].trained_on
    assert "ravdess" in KNOWN_ENCODERS["emotion2vec"].chose_test_sets
    assert set(KNOWN_ENCODERS["emotion2vec-plus-large"].trained_on) == set(list_corpora())
    clean = [encoder.id for encoder in KNOWN_ENCODERS.values() if not encoder.trained_on]
    assert [name for name in KNOWN_ENCODERS if name not in clean] == [
        "emotion2vec",
        "emotion2vec-plus-seed",
        "emotion2vec-plus-base",
        "emotion2vec-plus-large",
    ]


def test_the_table_is_cheap_to_read() -> None:
    code = (
        "import sys, emobox_hf.encoders.known.table; print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
