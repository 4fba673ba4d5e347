from pathlib import Path

from toy_corpora import make_corpus

from emobox_hf.corpora.configurations import RANDOM, list_folds
from emobox_hf.corpora.folds import partition
from emobox_hf.corpora.manifest import build_manifest
from emobox_hf.corpora.spec import load_spec


def test_each_utterance_is_tested_once_and_emotions_stay_even(tmp_path: Path) -> None:
    spec = load_spec(str(make_corpus(tmp_path, "alpha", n_each=5)))
    manifest = build_manifest(spec, tmp_path / "alpha")
    folds = [partition(manifest, name) for name in list_folds(spec, RANDOM)]
    assert [fold.config for fold in folds] == ["random_fold1", "random_fold2", "random_fold3", "random_fold4"]
    tested = [u.key for fold in folds for u in fold.splits["test"]]
    assert sorted(tested) == [u.key for u in manifest.utterances]
    for fold in folds:
        keys = [{u.key for u in split} for split in fold.splits.values()]
        assert sum(map(len, keys)) == len(set.union(*keys)) == 80
        assert [sum(u.emotion == name for u in fold.splits["test"]) for name in spec.emotions] == [5] * 4
        assert {u.speaker for u in fold.splits["test"]} <= {u.speaker for u in fold.splits["train"]}


def test_one_published_fold_becomes_four() -> None:
    assert len(list_folds(load_spec("tess"), RANDOM)) == 4
    assert len(list_folds(load_spec("emodb"), RANDOM)) == 5
