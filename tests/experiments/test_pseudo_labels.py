"""Pseudo-labels of a corpus by an audio classifier: one row a key, labels mapped, whole or not at all."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from speech import synthesize, write_wav
from tiny_classifiers import save_classifier
from toy_corpora import make_corpus

from emobox_hf.audio import read_waveform
from emobox_hf.corpora.predictions import read_probabilities
from emobox_hf.corpora.spec import load_spec
from emobox_hf.encoders.classifier import Classifier, load_classifier
from emobox_hf.encoders.known.identity import identify
from emobox_hf.errors import InputError
from emobox_hf.experiments.pseudo_labels import describe_mapping, label_corpus, match_labels
from emobox_hf.experiments.source import Source, open_source

EMOTIONS = ("Angry", "Happy", "Neutral", "Sad", "Fear")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Models this small only wait for each other's threads where the cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_source(folder: Path, *, allow_missing: bool = False) -> Source:
    """Four speakers, two of each emotion; one clip is longer than the rest."""
    spec = load_spec(str(make_corpus(folder, "alpha", emotions=EMOTIONS, n_each=2)))
    write_wav(folder / "alpha" / "s1" / "Sad_0.wav", synthesize("Sad", "s1", "long", 1.5))
    return open_source(spec, folder / "alpha", None, allow_missing=allow_missing)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return save_classifier(folder, "wav2vec2-layer", labels=("ang", "hap", "exc", "sadness", "joy", "whisper"))


def test_every_utterance_has_a_row_and_labels_of_one_emotion_add_up(model: Path, tmp_path: Path) -> None:
    source, out = make_source(tmp_path), tmp_path / "made" / "predictions.parquet"
    predictions, mapped = label_corpus(source, str(model), out, n_workers=0, batch_s=1.0)
    assert mapped.emotion_of == {"ang": "Angry", "hap": "Happy", "joy": "Happy", "sadness": "Sad"}
    assert (mapped.unused, mapped.lacking) == (("exc", "whisper"), ("Neutral", "Fear"))
    assert describe_mapping(mapped) == [
        "ang is Angry, hap is Happy, joy is Happy, sadness is Sad",
        "labels of the model that are not used: exc, whisper",
        "emotions of the corpus that the model cannot tell: Neutral, Fear",
    ]
    classifier = load_classifier(identify(str(model)))
    columns = pq.read_table(out).to_pydict()
    assert columns["key"] == [u.key for u in source.manifest.utterances]
    assert columns["p_Fear"] == [None] * 40
    for row in (0, 17, 39):
        sound = read_waveform(source.manifest.root / source.manifest.utterances[row].path)
        (told,) = classifier.predict([sound])
        assert columns["p_Angry"][row] == pytest.approx(told[0], abs=1e-5)
        assert columns["p_Happy"][row] == pytest.approx(told[1] + told[4], abs=1e-5)
        assert columns["rest"][row] == pytest.approx(told[2] + told[5], abs=1e-5)
    again = read_probabilities(out, keys=columns["key"], corpus="alpha")
    np.testing.assert_array_equal(again.probabilities, predictions.probabilities)
    assert again.made_from["identity"] == identify(str(model)).key
    assert again.made_from["audio_sha256"] == source.audio_sha256


def test_emotion2vec_plus_tells_all_emotions(tmp_path: Path) -> None:
    folder = save_classifier(tmp_path / "plus", "emotion2vec+")
    predictions, mapped = label_corpus(make_source(tmp_path), str(folder), tmp_path / "p.parquet", n_workers=0)
    assert mapped.lacking == ()
    assert mapped.unused == ("disgusted", "other", "surprised", "unknown")
    assert predictions.emotions == EMOTIONS
    assert not np.isnan(predictions.probabilities).any()


def test_clips_too_long_or_broken_keep_a_row_that_says_why(model: Path, tmp_path: Path) -> None:
    make_source(tmp_path)
    (tmp_path / "alpha" / "s2" / "Happy_1.wav").write_bytes(b"RIFF no sound")
    write_wav(tmp_path / "alpha" / "s3" / "Happy_1.wav", synthesize("Happy", "s3", "short", 0.05))
    source = open_source(load_spec(str(tmp_path / "alpha.toml")), tmp_path / "alpha", None, allow_missing=False)
    out = tmp_path / "p.parquet"
    with pytest.raises(InputError, match=r"utterance alpha-s2-Happy_1: .*--on-error skip"):
        label_corpus(source, str(model), out, n_workers=0)
    assert [path.name for path in tmp_path.iterdir() if "parquet" in path.name] == []
    label_corpus(source, str(model), out, n_workers=0, on_error="skip", max_duration_s=1.0)
    rows = {row["key"]: row for row in pq.read_table(out).to_pylist()}
    assert len(rows) == 40
    reasons = {key: row["reason"] for key, row in rows.items() if row["reason"]}
    assert reasons.keys() == {"alpha-s1-Sad_0", "alpha-s2-Happy_1", "alpha-s3-Happy_1"}
    assert reasons["alpha-s1-Sad_0"] == "1.5 s long, over 1 s"
    assert reasons["alpha-s3-Happy_1"] == "0.050 s long, under 0.1 s"
    assert {key for key, row in rows.items() if row["p_Angry"] is None or row["rest"] is None} == reasons.keys()


def test_batches_that_do_not_fit_in_memory_are_halved(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source(tmp_path)
    plain, _ = label_corpus(source, str(model), tmp_path / "plain.parquet", n_workers=0)
    predict, sizes = Classifier.predict, []

    def predict_few(self: Classifier, waveforms: list[np.ndarray]) -> np.ndarray:
        sizes.append(len(waveforms))
        if len(waveforms) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return predict(self, waveforms)

    monkeypatch.setattr(Classifier, "predict", predict_few)
    cramped, _ = label_corpus(source, str(model), tmp_path / "cramped.parquet", n_workers=0)
    assert max(sizes) > 3
    np.testing.assert_allclose(cramped.probabilities, plain.probabilities, atol=1e-5)


def test_labels_that_cannot_be_mapped_are_refused_with_advice() -> None:
    with pytest.raises(InputError, match=r"found none in LABEL_0, LABEL_1.*--map LABEL_0=Angry"):
        match_labels(["LABEL_0", "LABEL_1"], EMOTIONS)
    with pytest.raises(InputError, match=r"found Angry in angry, LABEL_1"):
        match_labels(["angry", "LABEL_1"], EMOTIONS)
    mapped = match_labels(["LABEL_0", "LABEL_1"], EMOTIONS, {"LABEL_1": "Angry", "LABEL_0": "Sad"})
    assert mapped.emotion_of == {"LABEL_1": "Angry", "LABEL_0": "Sad"}


@pytest.mark.parametrize("out", ["file/p.parquet", "folder"])
def test_a_file_that_cannot_be_written_is_known_before_the_work(
    out: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_source(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr("emobox_hf.encoders.classifier.load_classifier", lambda *_, **__: pytest.fail("was loaded"))
    with pytest.raises(OSError, match=out.partition("/")[0]):
        label_corpus(source, str(model), tmp_path / out)


STALLED = """
import sys, time
from emobox_hf.cli.main import main
from emobox_hf.experiments import pseudo_labels

def predict(*_):
    print("working", flush=True)
    time.sleep(600)
    yield

pseudo_labels._predict = predict
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_process_that_is_killed_at_work_leaves_nothing_behind(
    number: signal.Signals, model: Path, tmp_path: Path
) -> None:
    spec = make_corpus(tmp_path, "alpha")
    out = tmp_path / "predictions" / "p.parquet"
    out.parent.mkdir()
    out.write_bytes(b"those of an earlier run")
    words = ["label", str(spec), "--data-dir", str(tmp_path / "alpha"), "--model", str(model), "--out", str(out)]
    with subprocess.Popen([sys.executable, "-c", STALLED, *words], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "working\n" in iter(process.stdout.readline, "")
        process.send_signal(number)
        assert process.wait(60) != 0
    assert [path.name for path in out.parent.iterdir()] == ["p.parquet"]
    assert out.read_bytes() == b"those of an earlier run"
