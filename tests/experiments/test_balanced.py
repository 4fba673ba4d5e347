"""Balanced sets: what a model agrees on, drawn equally, with a reason for all that is dropped."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from layout import LISTS, has_lists, lay_out, read_published
from toy_corpora import make_corpus
from toy_predictions import write_toy_predictions

from emobox_hf.corpora.folds import partition
from emobox_hf.corpora.manifest import Manifest, build_manifest, search_corpus
from emobox_hf.corpora.predictions import Predictions, read_probabilities
from emobox_hf.corpora.spec import load_spec
from emobox_hf.corpora.utterance_sets import read_set
from emobox_hf.errors import InputError
from emobox_hf.experiments.balanced import draw_agreed_set, write_agreed_set


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Four speakers with five of each of five emotions."""
    folder = tmp_path_factory.mktemp("corpora")
    emotions = ("Angry", "Happy", "Neutral", "Sad", "Fear")
    return build_manifest(load_spec(str(make_corpus(folder, "alpha", emotions=emotions))), folder / "alpha")


def predict(path: Path, manifest: Manifest, **options: Any) -> Predictions:
    keys = [u.key for u in manifest.utterances]
    file = write_toy_predictions(path / "predictions.parquet", manifest, **options)
    return read_probabilities(file, keys=keys, corpus=manifest.spec.name)


def test_only_what_a_model_agrees_on_is_drawn(manifest: Manifest, tmp_path: Path) -> None:
    of_s0 = [u.key for u in manifest.utterances if u.speaker == "s0" and u.emotion == "Angry"]
    heard = {of_s0[0]: "Fear", of_s0[1]: "Sad"}  # an emotion that is not drawn is a disagreement, too
    predictions = predict(tmp_path, manifest, heard=heard, silent={of_s0[2]})
    balanced = draw_agreed_set(manifest, predictions, per_emotion=8)
    assert (len(balanced.drawn.speakers), balanced.drawn.n_each) == (4, 2)
    assert set(of_s0[3:]) <= balanced.drawn.keys
    assert balanced.drawn.keys.isdisjoint(of_s0[:3])
    assert balanced.drawn.keys.isdisjoint(balanced.dropped)
    assert len(balanced.drawn.keys) + len(balanced.dropped) == len(manifest.utterances)
    assert balanced.made_from["dropped"] == {
        "annotation and prediction disagree": {"utterances": 2, "by_emotion": {"Angry": 2}, "by_speaker": {"s0": 2}},
        "another emotion": {
            "utterances": 20,
            "by_emotion": {"Fear": 20},
            "by_speaker": {"s0": 5, "s1": 5, "s2": 5, "s3": 5},
        },
        "no prediction": {"utterances": 1, "by_emotion": {"Angry": 1}, "by_speaker": {"s0": 1}},
        "not drawn": {
            "utterances": 45,
            "by_emotion": {"Angry": 9, "Happy": 12, "Neutral": 12, "Sad": 12},
            "by_speaker": {"s0": 9, "s1": 12, "s2": 12, "s3": 12},
        },
    }


def test_a_speaker_whom_a_model_never_hears_right_is_not_in_the_set(manifest: Manifest, tmp_path: Path) -> None:
    heard = {u.key: "Neutral" for u in manifest.utterances if u.speaker == "s1" and u.emotion == "Sad"}
    balanced = draw_agreed_set(manifest, predict(tmp_path, manifest, heard=heard))
    assert balanced.drawn.speakers == ("s0", "s2", "s3")
    assert balanced.drawn.n_each == 5
    dropped = balanced.made_from["dropped"]["speaker without enough of an emotion"]
    assert dropped["by_speaker"] == {"s1": 15}
    with pytest.raises(InputError, match=r"alpha, 75 utterances that .* agree on: 4 speakers with 1 .* 3 of 4"):
        draw_agreed_set(manifest, predict(tmp_path, manifest, heard=heard), per_emotion=4, n_speakers=4)


def test_a_file_names_its_origin_and_is_read_back(manifest: Manifest, tmp_path: Path) -> None:
    predictions = predict(tmp_path, manifest)
    balanced = draw_agreed_set(manifest, predictions, emotions=("Fear", "Sad"), per_emotion=4, n_speakers=2, seed=1)
    digest = write_agreed_set(tmp_path / "set.json", manifest, balanced)
    found = read_set(tmp_path / "set.json", manifest)
    assert found.sha256 == digest
    assert {u.key for u in found.utterances} == balanced.drawn.keys
    assert balanced.made_from["asked"] == {"per_emotion": 4, "speakers": 2, "seed": 1}
    assert balanced.made_from["predictions"]["file_sha256"] == predictions.sha256
    assert balanced.made_from["predictions"]["model"] == "toy"


def test_emotions_that_one_side_lacks_are_refused(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"alpha has no label Calm: its labels are Angry, .*--emotions"):
        draw_agreed_set(manifest, predict(tmp_path, manifest), emotions=("Angry", "Calm"))
    predictions = predict(tmp_path, manifest, emotions=("Angry", "Happy", "Neutral"))
    with pytest.raises(InputError, match=r"no predictions of Sad.*found those of Angry, Happy, Neutral.*--map"):
        draw_agreed_set(manifest, predictions)


def test_a_model_that_agrees_with_nothing_leaves_nothing_to_draw(manifest: Manifest, tmp_path: Path) -> None:
    heard = {u.key: "Angry" for u in manifest.utterances if u.emotion == "Happy"}
    with pytest.raises(InputError, match=r"60 utterances that annotation and prediction agree on: no .* of Happy"):
        draw_agreed_set(manifest, predict(tmp_path, manifest, heard=heard))


# Speakers x utterances of each emotion, as EmoBox drew them.
PUBLISHED = {"iemocap": (10, 6), "meld": (6, 10), "ravdess": (20, 3), "savee": (4, 15)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_model_that_agrees_everywhere_gives_the_structure_of_emobox_s_own_sets(name: str, tmp_path: Path) -> None:
    if not has_lists(name):
        pytest.skip("EmoBox's lists are not beside this checkout")
    spec = load_spec(name)
    lay_out(spec, read_published(spec), tmp_path / name)
    manifest = search_corpus(spec, tmp_path / name, folds_dir=LISTS)
    ours = draw_agreed_set(manifest, predict(tmp_path, manifest))
    counts = Counter((u.speaker, u.emotion) for u in manifest.utterances if u.key in ours.drawn.keys)
    n_speakers, n_each = PUBLISHED[name]
    assert (len(ours.drawn.speakers), ours.drawn.n_each, len(ours.drawn.keys)) == (n_speakers, n_each, 240)
    theirs = partition(manifest, "cross_corpus", folds_dir=LISTS).splits["test"]
    assert Counter(emotion for _, emotion in counts.elements()) == Counter(u.emotion for u in theirs)
    if name != "iemocap":  # whose lists name the wrong speaker for half of the rows
        published = Counter((u.speaker, u.emotion) for u in theirs)
        assert sorted(counts.values()) == sorted(published.values())
