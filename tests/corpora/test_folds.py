"""Folds: from a rule, from a folder, from the corpus's own parts; and the choice of validation."""

import dataclasses
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layout import touch

from emobox_hf.corpora.braces import expand_braces
from emobox_hf.corpora.configurations import RANDOM, list_folds
from emobox_hf.corpora.folds import ValidationRule, partition
from emobox_hf.corpora.manifest import Manifest, search_corpus
from emobox_hf.corpora.sampling import take_share
from emobox_hf.corpora.spec import load_spec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError
from emobox_hf.files import sha256_of_keys


@pytest.fixture(scope="module")
def polish(tmp_path_factory):
    """A complete copy of the Polish corpus, all files empty."""
    root = tmp_path_factory.mktemp("polish")
    spec = load_spec("polish")
    touch(root, [f"{key.removeprefix('polish-')}.wav" for p in spec.expected.keys for key in expand_braces(p)])
    return search_corpus(spec, root)


def keys_of(split):
    return {utterance.key for utterance in split}


def write_fold(folder, corpus, number, **lists):
    """A folder of lists in EmoBox's layout; lists by EmoBox's words train, valid, test."""
    target = folder / corpus / f"fold_{number}"
    target.mkdir(parents=True)
    for word, keys in lists.items():
        lines = [json.dumps({"key": key, "wav": "x.wav", "emo": "a"}) for key in keys]
        (target / f"{corpus}_{word}_fold_{number}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_each_fold_leaves_its_speakers_out(polish):
    tested = []
    for config in list_folds(polish.spec):
        found = partition(polish, config)
        speakers = {name: {u.speaker for u in split} for name, split in found.splits.items()}
        assert not speakers["test"] & (speakers["train"] | speakers["validation"])
        assert found.source == f"test speakers {', '.join(sorted(speakers['test']))}"
        tested += speakers["test"]
    assert sorted(tested) == ["m1", "m2", "m3", "m4", "m5"]


def test_no_utterance_is_in_two_splits_and_none_is_lost(polish):
    for config in list_folds(polish.spec):
        splits = partition(polish, config).splits
        count = Counter(utterance.key for split in splits.values() for utterance in split)
        assert set(count) == keys_of(polish.utterances)
        assert max(count.values()) == 1


def test_splits_are_sorted_by_key(polish):
    for split in partition(polish, "fold1").splits.values():
        keys = [utterance.key for utterance in split]
        assert keys == sorted(keys)


def test_all_is_one_split_of_everything(polish):
    found = partition(polish, "all")
    assert found.splits == {"train": polish.utterances}


def test_an_unknown_configuration_is_an_error_with_a_suggestion(polish):
    with pytest.raises(InputError, match=r"polish has no configuration 'fold9'; did you mean 'fold"):
        partition(polish, "fold9")


def test_a_folder_goes_before_the_rule_and_an_argument_before_the_variable(polish, monkeypatch, tmp_path):
    by_rule = partition(polish, "fold1")
    train = keys_of(by_rule.splits["train"]) | keys_of(by_rule.splits["validation"])
    good = write_fold(tmp_path / "good", "polish", 1, train=train, test=keys_of(by_rule.splits["test"]))
    by_folder = partition(polish, "fold1", folds_dir=good)
    assert by_folder.source == "EmoBox's published lists"
    assert by_folder.splits == by_rule.splits
    monkeypatch.setenv("EMOBOX_FOLDS", str(good))
    assert partition(polish, "fold1").source == "EmoBox's published lists"
    monkeypatch.setenv("EMOBOX_FOLDS", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"\$EMOBOX_FOLDS is .*nowhere, which has no folder polish/fold_1"):
        partition(polish, "fold1")
    assert partition(polish, "fold1", folds_dir=good).splits == by_rule.splits


def test_a_folder_without_the_fold_is_an_error_though_there_is_a_rule(polish, tmp_path):
    with pytest.raises(InputError, match=r"folds_dir is .*, which has no folder polish/fold_1; expected a folder laid"):
        partition(polish, "fold1", folds_dir=tmp_path)


def test_a_folder_without_a_test_list_is_an_error(polish, tmp_path):
    write_fold(tmp_path, "polish", 1, train=["polish-m1.a_nie_1"])
    with pytest.raises(InputError, match=r"expected polish_test_fold_1\.jsonl, found polish_train_fold_1\.jsonl"):
        partition(polish, "fold1", folds_dir=tmp_path)


def test_lists_that_are_not_emobox_are_refused_by_digest(polish, tmp_path):
    splits = partition(polish, "fold1").splits
    test = sorted(keys_of(splits["test"]))
    train = keys_of(splits["train"]) | keys_of(splits["validation"])
    write_fold(tmp_path, "polish", 1, train={*train, test[0]}, test=[*test[1:], "polish-m9.a_nie_1"])
    message = r"polish fold1, train: expected 360 keys with digest 6805f8\w+, found 361 .*these are not EmoBox's folds"
    with pytest.raises(InputError, match=message):
        partition(polish, "fold1", folds_dir=tmp_path)
    write_fold(tmp_path / "other", "polish", 1, train=train, test=[*test[1:], "polish-m9.a_nie_1"])
    with pytest.raises(InputError, match=r"fold1, test: expected 90 .*keys the corpus lacks: polish-m9\.a_nie_1"):
        partition(polish, "fold1", folds_dir=tmp_path / "other")


def test_a_list_with_a_broken_line_is_named(polish, tmp_path):
    folder = write_fold(tmp_path, "polish", 1, train=["b"], test=["a"])
    path = folder / "polish/fold_1/polish_test_fold_1.jsonl"
    path.write_text('{"key": "a"}\n{"wav": "b"}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"polish_test_fold_1\.jsonl, line 2: expected a JSON object with key"):
        partition(polish, "fold1", folds_dir=tmp_path)


def test_a_rule_whose_speakers_are_wrong_is_refused_by_digest(polish):
    folds = dataclasses.replace(polish.spec.folds, test_speakers=polish.spec.folds.test_speakers[::-1])
    manifest = dataclasses.replace(polish, spec=dataclasses.replace(polish.spec, folds=folds))
    with pytest.raises(InputError, match=r"polish fold1, train: expected 360 keys with digest 6805f85a0d39, found 360"):
        partition(manifest, "fold1")


def test_an_incomplete_copy_is_split_by_the_same_speakers(polish):
    manifest = dataclasses.replace(polish, utterances=polish.utterances[::2])
    splits = partition(manifest, "fold1").splits
    assert {u.speaker for u in splits["test"]} == set(polish.spec.folds.test_speakers[0])


def rows_by_part(name, parts):
    """A manifest of a corpus with its own parts: three utterances a part."""
    spec = load_spec(name)
    emotion, raw = spec.emotions[0], next(iter(spec.labels))
    utterances = [
        Utterance(key=f"{name}-{part}-{n}", path=f"{part}/{n}.wav", raw_emotion=raw, emotion=emotion, split=part)
        for part in parts
        for n in range(3)
    ]
    return Manifest(spec, Path(), tuple(sorted(utterances, key=lambda u: u.key)), {}, {}, {}, ())


@pytest.mark.parametrize(
    ("name", "parts", "expected"),
    [
        ("mer2023", ("train", "test1", "test2", "test3"), {"test": "test1"}),
        ("msppodcast", ("Train", "Development", "Test1", "Test2"), {"validation": "Development", "test": "Test1"}),
        ("m3ed", ("train", "val", "test"), {"validation": "val", "test": "test"}),
        ("meld", ("train", "dev", "test"), {"validation": "dev", "test": "test"}),
        ("resd", ("train", "test"), {"test": "test"}),
    ],
)
def test_a_corpus_with_parts_of_its_own_is_split_by_them(name, parts, expected):
    splits = partition(rows_by_part(name, parts), "fold1").splits
    for split, part in expected.items():
        assert {u.split for u in splits[split]} == {part}
        assert len(splits[split]) == 3
    rest = [u for split in ("train", "validation") if split not in expected for u in splits[split]]
    assert {u.split for u in rest} == {parts[0]}
    assert len(rest) == 3


def test_the_train_part_stays_the_corpuss_own_where_emobox_has_no_train_list(tmp_path):
    manifest = rows_by_part("msppodcast", ("Train", "Development", "Test1", "Test2"))
    parts = {part: [u.key for u in manifest.utterances if u.split == part] for part in ("Development", "Test1")}
    digests = {"test_sha256": parts["Test1"], "validation_sha256": parts["Development"]}
    published = dataclasses.replace(
        manifest.spec.folds.published[0], **{name: sha256_of_keys(keys) for name, keys in digests.items()}
    )
    folds = dataclasses.replace(manifest.spec.folds, published=(published,))
    manifest = dataclasses.replace(manifest, spec=dataclasses.replace(manifest.spec, folds=folds))
    write_fold(tmp_path, "msppodcast", 1, valid=parts["Development"], test=parts["Test1"])
    splits = partition(manifest, "fold1", folds_dir=tmp_path).splits
    assert {u.split for u in splits["train"]} == {"Train"}


def some_utterances(sizes):
    return [
        Utterance(key=f"x-{emotion}-{n}", path=f"{n}.wav", raw_emotion=emotion, emotion=emotion)
        for emotion, size in sizes.items()
        for n in range(size)
    ]


def held_out(utterances, rule=None):
    return keys_of((rule or ValidationRule()).hold_out(utterances)[1])


SHARES = st.sampled_from([0.1, 0.2, 0.25, 0.5])
SIZES = st.dictionaries(st.sampled_from(["Angry", "Happy", "Sad"]), st.integers(0, 40), min_size=1)


@settings(max_examples=50)
@given(SHARES, SIZES, st.randoms())
def test_validation_is_the_share_of_each_emotion_whatever_the_order(share, sizes, shuffler: random.Random):
    rule, utterances = ValidationRule(share), some_utterances(sizes)
    chosen = held_out(utterances, rule)
    shuffler.shuffle(utterances)
    train, validation = rule.hold_out(utterances)
    assert train == tuple(u for u in utterances if u.key not in chosen)
    assert validation == tuple(u for u in utterances if u.key in chosen)
    count = Counter(u.emotion for u in validation)
    assert all(count[emotion] == round(share * size) for emotion, size in sizes.items())


def test_another_seed_chooses_other_utterances():
    utterances = some_utterances({"Angry": 100})
    assert held_out(utterances, ValidationRule(seed=1)) != held_out(utterances, ValidationRule(seed=2))


def test_utterances_that_leave_do_not_move_those_that_stay():
    utterances = some_utterances({"Angry": 100})
    before = held_out(utterances)
    after = take_share([u for u in utterances if u.key not in sorted(before)[:5]], 15 / 95, seed=0)
    assert after == before - set(sorted(before)[:5])


def test_the_validation_rule_says_what_it_is():
    assert str(ValidationRule()) == "20% of each emotion of train, by a hash of the key, seed 0"
    rule = ValidationRule(share=0.125, seed=3)
    assert rule.describe("its half") == "12.5% of each emotion of its half, by a hash of the key, seed 3"


@pytest.mark.parametrize("share", [0, 1, -0.2, 20, float("nan")])
def test_a_share_that_leaves_no_train_or_no_validation_is_refused(share):
    with pytest.raises(InputError, match=f"a validation share lies between 0 and 1, such as 0.2, not at {share}"):
        ValidationRule(share=share)


def with_shared_emotions(manifest):
    """The corpus with its three emotions spread over the four that `cross_corpus` asks for."""
    labels = {"nie": "Angry", "neu": "Neutral", "rad": "Happy", "x": "Sad"}
    utterances = tuple(
        dataclasses.replace(u, emotion=tuple(labels.values())[number % 4])
        for number, u in enumerate(manifest.utterances)
    )
    return dataclasses.replace(manifest, utterances=utterances, spec=dataclasses.replace(manifest.spec, labels=labels))


@pytest.mark.parametrize("config", ["fold1", "random_fold1", "cross_corpus"])
def test_another_validation_rule_moves_train_and_validation_and_says_so(polish, config):
    manifest = with_shared_emotions(polish)
    usual, half = partition(manifest, config), partition(manifest, config, validation=ValidationRule(0.5))
    assert usual.validation == str(ValidationRule())
    assert half.validation == "50% of each emotion of train, by a hash of the key, seed 0"
    assert {split for split in usual.digests if usual.digests[split] != half.digests[split]} == {"train", "validation"}
    whole = [keys_of(part.splits["train"]) | keys_of(part.splits["validation"]) for part in (usual, half)]
    assert whole[0] == whole[1]
    assert len(half.splits["validation"]) == pytest.approx(len(whole[0]) / 2, abs=2)


def test_a_validation_part_that_is_not_held_out_of_train_stays_as_it_is(polish):
    usual, half = (partition(polish, "si_fold1", validation=ValidationRule(share)) for share in (0.2, 0.5))
    assert usual == half
    assert usual.validation == f"speakers {usual.splits['validation'][0].speaker}"


def test_digests_cover_every_split(polish):
    found = partition(polish, "fold1")
    assert found.digests == {name: sha256_of_keys(keys_of(split)) for name, split in found.splits.items()}
    assert set(found.digests) == {"train", "validation", "test"}


def test_random_folds_test_each_utterance_once_and_keep_emotions_even(polish):
    names = list_folds(polish.spec, RANDOM)
    folds = [partition(polish, name) for name in names]
    assert names == [f"random_fold{number}" for number in range(1, 6)]
    assert sorted(u.key for fold in folds for u in fold.splits["test"]) == [u.key for u in polish.utterances]
    for fold in folds:
        keys = [keys_of(split) for split in fold.splits.values()]
        assert sum(map(len, keys)) == len(set.union(*keys)) == 450
        assert [sum(u.emotion == name for u in fold.splits["test"]) for name in polish.spec.emotions] == [30] * 3
        assert {u.speaker for u in fold.splits["test"]} <= {u.speaker for u in fold.splits["train"]}
        assert fold.source == "utterances of each emotion dealt into 5 folds by a hash of the key, seed 0"


def test_the_readme_states_the_validation_rule(checkout):
    text = " ".join((checkout / "README.md").read_text(encoding="utf-8").split())
    assert ValidationRule().describe("its train list") in text
