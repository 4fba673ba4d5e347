"""Audio classifiers: a clip's probabilities are the same alone and in a batch, and what is no classifier is refused."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from tiny_classifiers import save_classifier
from tiny_encoders import noise, saved

from emobox_hf.encoders.classifier import load_classifier
from emobox_hf.encoders.known.identity import identify
from emobox_hf.errors import InputError

LENGTHS = (8000, 3000, 16000, 1600)
BATCHED = {
    "wav2vec2-layer",
    "hubert-layer",
    "wavlm-layer",
    "unispeech-sat",
    "whisper",
    "ast",
    "emotion2vec+",
}
ONE_BY_ONE = {"hubert-batch-norm", "wav2vec2-group", "data2vec", "unispeech", "conformer"}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Models this small only wait for each other's threads where the cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", sorted(BATCHED | ONE_BY_ONE))
def test_a_clip_gives_the_same_alone_and_in_a_batch(tmp_path: Path, name: str) -> None:
    classifier = load_classifier(identify(str(save_classifier(tmp_path / "model", name))))
    clips = [noise(n, seed=i) for i, n in enumerate(LENGTHS)]
    together = classifier.predict(clips)
    alone = np.concatenate([classifier.predict([clip]) for clip in clips])
    assert classifier.takes_batches == (name in BATCHED)
    assert together.dtype == np.float32
    assert together.shape == (4, len(classifier.labels))
    assert together.std(axis=0).max() > 1e-4
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)


def test_probabilities_are_those_of_the_models_own_logits(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path / "model", "wav2vec2-layer", labels=("ang", "hap"))
    clip = noise(5000)
    model = transformers.AutoModelForAudioClassification.from_pretrained(folder).eval()
    inputs = transformers.AutoFeatureExtractor.from_pretrained(folder)(clip, sampling_rate=16_000, return_tensors="pt")
    with torch.inference_mode():
        expected = model(**inputs).logits.softmax(-1).numpy()
    classifier = load_classifier(identify(str(folder)))
    assert classifier.labels == ("ang", "hap")
    np.testing.assert_allclose(classifier.predict([clip]), expected, atol=1e-6)


def test_several_labels_a_clip_are_probabilities_each(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path / "model", "wav2vec2-layer", problem_type="multi_label_classification")
    sums = load_classifier(identify(str(folder))).predict([noise(5000)]).sum(axis=1)
    assert abs(sums - 1).min() > 0.01


def test_a_clip_too_short_is_refused(tmp_path: Path) -> None:
    classifier = load_classifier(identify(str(save_classifier(tmp_path / "model", "wav2vec2-layer"))))
    with pytest.raises(InputError, match=r"0.050 s long, under 0.1 s"):
        classifier.predict([noise(800)])


def test_an_encoder_is_no_classifier(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"weights lack \d+ .*classifier"):
        load_classifier(identify(str(saved("wav2vec2-layer"))))
    assert "MISSING" not in "".join(capfd.readouterr())
