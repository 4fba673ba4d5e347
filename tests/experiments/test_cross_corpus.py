"""Train on some corpora, test on another."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from layout import LISTS, lay_out, read_published
from speech import synthesize, write_wav
from toy_corpora import make_corpus

from emobox_hf.corpora.labels import SHARED_EMOTIONS
from emobox_hf.corpora.lists import read_balanced_list
from emobox_hf.corpora.manifest import build_manifest
from emobox_hf.corpora.sampling import draw_speaker_balanced
from emobox_hf.corpora.spec import load_spec
from emobox_hf.corpora.utterance_sets import UtteranceSet, read_set, write_set
from emobox_hf.errors import InputError
from emobox_hf.experiments.cross_corpus import name_pair
from emobox_hf.experiments.plan import draw_pair
from emobox_hf.experiments.request import make_request
from emobox_hf.files import sha256_of_keys
from emobox_hf.results import read_record


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Three corpora by name: two with the four shared emotions, one with two of them and one more."""
    folder = tmp_path_factory.mktemp("corpora")
    return {
        "alpha": str(make_corpus(folder, "alpha")),
        "beta": str(make_corpus(folder, "beta", emotions=("Angry", "Happy", "Neutral", "Sad", "Fear"), n_each=4)),
        "gamma": str(make_corpus(folder, "gamma", emotions=("Angry", "Fear", "Sad"), n_each=3)),
        "calm": str(make_corpus(folder, "calm", emotions=("Calm", "Boredom"), n_each=2)),
    }


@pytest.fixture
def draw(corpora: dict[str, str], tmp_path: Path) -> Any:
    def make(train: tuple[str, ...], test: str, **options: Any) -> Any:
        request = make_request(
            encoder="any",
            train=tuple(corpora[name] for name in train),
            test=corpora[test],
            data_dir=Path(corpora["alpha"]).parent,
            **options,
        )
        return draw_pair(request)

    return make


def test_a_pair_trains_on_one_corpus_and_tests_on_the_balanced_set_of_the_other(draw: Any) -> None:
    pair = draw(("alpha",), "beta")
    splits = pair.partitions[0].splits
    assert pair.scored == pair.classes == ("Angry", "Happy", "Neutral", "Sad")
    assert {u.key.partition("-")[0] for u in (*splits["train"], *splits["validation"])} == {"alpha"}
    assert {u.key.partition("-")[0] for u in splits["test"]} == {"beta"}
    assert [sum(u.emotion == name for u in splits["test"]) for name in pair.scored] == [16] * 4
    assert (len(splits["train"]), len(splits["validation"])) == (64, 16)
    assert pair.partitions[0].config == "alpha-to-beta"


def test_all_utterances_of_the_shared_labels_can_be_the_test(draw: Any) -> None:
    pair = draw(("alpha",), "gamma", test_set="all")
    assert pair.scored == ("Angry", "Sad")
    assert len(pair.partitions[0].splits["test"]) == 24
    assert {u.emotion for u in pair.partitions[0].splits["train"]} == {"Angry", "Sad"}


def test_training_on_all_labels_scores_the_shared_ones(draw: Any) -> None:
    pair = draw(("beta",), "alpha", labels="all")
    assert pair.classes == ("Angry", "Happy", "Neutral", "Sad", "Fear")
    assert pair.scored == ("Angry", "Happy", "Neutral", "Sad")
    assert "Fear" in {u.emotion for u in pair.partitions[0].splits["train"]}


def test_several_corpora_train_together(draw: Any) -> None:
    pair = draw(("alpha", "gamma"), "beta")
    assert pair.partitions[0].config == "alpha+gamma-to-beta"
    assert [source.spec.name for source in pair.sources] == ["alpha", "gamma", "beta"]
    trained = pair.partitions[0].splits["train"] + pair.partitions[0].splits["validation"]
    assert {(u.key.partition("-")[0], u.emotion) for u in trained} == {
        *(("alpha", name) for name in pair.scored),
        ("gamma", "Angry"),
        ("gamma", "Sad"),
    }


def write_own_set(corpora: dict[str, str], name: str, path: Path, emotions: tuple[str, ...]) -> UtteranceSet:
    """Two utterances of each speaker and emotion."""
    manifest = build_manifest(load_spec(corpora[name]), Path(corpora[name]).with_suffix(""))
    write_set(path, name, draw_speaker_balanced(manifest.utterances, emotions, per_emotion=8, n_speakers=4).keys, {})
    return read_set(path, manifest)


def test_a_set_of_ones_own_can_be_the_test(draw: Any, corpora: dict[str, str], tmp_path: Path) -> None:
    own = write_own_set(corpora, "beta", tmp_path / "own.json", ("Angry", "Happy", "Fear"))
    pair = draw(("alpha",), "beta", test_set=str(tmp_path / "own.json"))
    assert pair.scored == ("Angry", "Happy")
    assert pair.test_set == f"sha256:{own.sha256}"
    assert [u for u in own.utterances if u.emotion != "Fear"] == list(pair.partitions[0].splits["test"])
    assert f"own.json, sha256:{own.sha256}" in pair.partitions[0].source


def test_a_set_that_does_not_fit_is_refused(draw: Any, corpora: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    write_own_set(corpora, "beta", path, ("Angry", "Fear"))
    with pytest.raises(InputError, match=r"two labels or more .* found \['Angry'\] in beta, own.json"):
        draw(("alpha",), "beta", test_set=str(path))
    with pytest.raises(InputError, match="expected a set of alpha, found one of beta"):
        draw(("beta",), "alpha", test_set=str(path))
    path.write_text(path.read_text(encoding="utf-8").replace("Angry_0", "Angry_1", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"it was changed|each key once"):
        draw(("alpha",), "beta", test_set=str(path))
    with pytest.raises(InputError, match=r"no test set 'balanecd'; did you mean 'balanced'.*emobox balance"):
        draw(("alpha",), "beta", test_set="balanecd")


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (("alpha", "beta"), "alpha", "each corpus once"),
        (("alpha",), "gamma", "no balanced set.*--test-set all"),
        (("calm",), "beta", r"two labels or more.*calm: Calm, Boredom"),
    ],
)
def test_what_cannot_be_compared_is_refused(draw: Any, train: tuple[str, ...], test: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw(train, test)


def test_many_corpora_are_counted_in_a_name() -> None:
    assert name_pair(["a", "b", "c", "d"], "e") == "4-corpora-to-e"


def lay_out_heard(name: str, folder: Path, per_emotion: int) -> None:
    """A part of a published corpus, its own tree and tables with synthetic speech: EmoBox's balanced set and some."""
    spec = load_spec(name)
    assert spec.drawn.published is not None
    balanced = {Path(row["wav_filename"]).stem for row in read_balanced_list(spec, spec.drawn.published, LISTS)}
    emotions, n_others = {}, Counter[str]()
    rows = {row.key: row for row in read_published(spec)}
    for key, row in rows.items():
        emotion = spec.labels.get(row.raw_emotion, row.raw_emotion)
        if Path(row.path).stem not in balanced:
            n_others[emotion] += 1
        if emotion in SHARED_EMOTIONS and (Path(row.path).stem in balanced or n_others[emotion] <= per_emotion):
            emotions[key] = emotion
    lay_out(spec, [rows[key] for key in emotions], folder / name)
    for key, emotion in emotions.items():
        write_wav(folder / name / rows[key].path, synthesize(emotion, f"{name} {rows[key].speaker}", key))


@pytest.mark.skipif(not LISTS.is_dir(), reason="EmoBox's lists are not beside this checkout")
def test_a_published_pair_as_a_user_types_it(encoder: Path, checkout: Path, tmp_path: Path) -> None:
    """Train on IEMOCAP, test on RAVDESS's published balanced set: 60 clips of each of four emotions, 20 speakers."""
    lay_out_heard("iemocap", tmp_path, per_emotion=40)
    lay_out_heard("ravdess", tmp_path, per_emotion=0)
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", str(checkout / "run_probe.py")]
    command += ["--train", "iemocap", "--test", "ravdess", "--encoder", str(encoder), "--head", "linear"]
    command += ["--data-dir", str(tmp_path), "--folds-dir", str(LISTS), "--on-error", "skip"]
    command += ["--features", str(tmp_path / "features"), "--output", str(tmp_path / "runs")]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    (path,) = (tmp_path / "runs" / "iemocap-to-ravdess").rglob("record.json")
    (fold,) = read_record(path.parent).folds
    ravdess = build_manifest(load_spec("ravdess"), tmp_path / "ravdess", allow_missing=True)
    assert (fold.n_test, fold.n_train + fold.n_validation) == (240, 240 + 4 * 40)
    assert fold.digests["test"] == sha256_of_keys(u.key for u in ravdess.utterances)
    assert fold.scores["ua"] > 0.4  # the same synthetic emotions, other speakers: well above one in four
    assert "iemocap-to-ravdess" in outcome.stdout
