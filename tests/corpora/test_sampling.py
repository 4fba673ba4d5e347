"""Partitions drawn by rule: disjoint, even, the same for everyone."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from layout import LISTS, has_lists, lay_out, read_published

from emobox_hf.corpora.configurations import SPEAKER_INDEPENDENT, list_configs, list_folds
from emobox_hf.corpora.folds import partition
from emobox_hf.corpora.labels import SHARED_EMOTIONS
from emobox_hf.corpora.manifest import Manifest, build_manifest, search_corpus
from emobox_hf.corpora.sampling import draw_balanced, group_speakers, is_spread_evenly, split_by_emobox_rule
from emobox_hf.corpora.spec import Example, load_spec
from emobox_hf.corpora.utterance import Utterance

EMOTIONS = ("Angry", "Happy", "Neutral", "Sad")


def make_utterances(n_speakers: int, per_emotion: int = 5, emotions: tuple[str, ...] = EMOTIONS) -> list[Utterance]:
    return [
        Utterance(key=f"x-s{speaker}-{emotion}-{i}", path="", raw_emotion="", emotion=emotion, speaker=f"s{speaker}")
        for speaker in range(n_speakers)
        for emotion in emotions
        for i in range(per_emotion)
    ]


speakers = st.lists(st.tuples(st.integers(0, 20), st.sampled_from(EMOTIONS)), min_size=2, max_size=120)


@given(speakers, st.integers(2, 6))
def test_groups_hold_each_speaker_once(pairs, n_groups):
    utterances = [Utterance(f"k{i}", "", "", emotion, speaker=f"s{s}") for i, (s, emotion) in enumerate(pairs)]
    groups = group_speakers(utterances, n_groups)
    assert sorted(speaker for group in groups for speaker in group) == sorted({u.speaker for u in utterances})
    shuffled = random.Random(0).sample(utterances, len(utterances))
    assert group_speakers(shuffled, n_groups) == groups


def test_equal_speakers_are_dealt_evenly():
    assert sorted(map(len, group_speakers(make_utterances(24), 10))) == [2] * 6 + [3] * 4
    assert [len(group) for group in group_speakers(make_utterances(5), 5)] == [1] * 5


def test_a_balanced_set_takes_turns_over_speakers():
    drawn = draw_balanced(make_utterances(6, per_emotion=20), EMOTIONS, per_emotion=30)
    counts = Counter(tuple(key.split("-")[1:3]) for key in drawn)
    assert set(counts.values()) == {5}
    assert len(counts) == 24


def test_the_rarest_emotion_bounds_a_balanced_set():
    utterances = make_utterances(3, per_emotion=20) + make_utterances(3, 2, ("Fear",))
    drawn = draw_balanced(utterances, (*EMOTIONS, "Fear"))
    assert Counter(key.split("-")[2] for key in drawn) == dict.fromkeys((*EMOTIONS, "Fear"), 6)


@given(st.permutations(range(60)))
def test_a_balanced_set_does_not_depend_on_order(order):
    utterances = make_utterances(3)
    assert draw_balanced([utterances[i] for i in order], EMOTIONS, per_emotion=7) == draw_balanced(
        utterances, EMOTIONS, per_emotion=7
    )


@pytest.mark.parametrize(("n_speakers", "n_folds"), [(1, 1), (3, 1), (4, 4), (6, 6), (7, 1), (8, 2), (20, 5), (24, 6)])
def test_emobox_s_rule_gives_its_number_of_folds(n_speakers, n_folds):
    utterances = make_utterances(n_speakers, per_emotion=8)
    folds = split_by_emobox_rule(utterances)
    assert len(folds) == n_folds
    if n_speakers >= 4:
        assert sorted(key for fold in folds for key in fold) == sorted(u.key for u in utterances)
        speakers_of = [{key.split("-")[1] for key in fold} for fold in folds]
        assert sum(map(len, speakers_of)) == n_speakers
    else:
        assert Counter(key.split("-")[2] for key in folds[0]) == dict.fromkeys(EMOTIONS, 2 * n_speakers)


def test_emotions_that_speakers_do_not_share_make_one_fold():
    utterances = [u for u in make_utterances(8) if (u.speaker, u.emotion) != ("s3", "Sad")]
    assert not is_spread_evenly(utterances)
    assert len(split_by_emobox_rule(utterances)) == 1


@pytest.fixture(scope="module", params=["ravdess", "savee", "emodb", "tess", "iemocap"])
def manifest(request, tmp_path_factory) -> Manifest:
    if not has_lists(request.param):
        pytest.skip("EmoBox's lists are not beside this checkout")
    root = tmp_path_factory.mktemp(request.param)
    spec = load_spec(request.param)
    lay_out(spec, read_published(spec), root)
    return search_corpus(spec, root, folds_dir=LISTS)


def test_si_folds_are_disjoint_in_speakers_and_test_everyone_once(manifest):
    tested = Counter()
    for config in list_folds(manifest.spec, SPEAKER_INDEPENDENT):
        splits = partition(manifest, config).splits
        people = {name: {u.speaker for u in split} for name, split in splits.items()}
        assert not people["test"] & (people["train"] | people["validation"])
        if len(list_folds(manifest.spec, SPEAKER_INDEPENDENT)) > 2:
            assert not people["train"] & people["validation"]
        assert sum(map(len, splits.values())) == len(manifest.utterances)
        tested.update(u.key for u in splits["test"])
    assert tested == Counter(u.key for u in manifest.utterances)


def test_the_cross_corpus_set_is_balanced_and_apart(manifest):
    splits = partition(manifest, "cross_corpus", folds_dir=LISTS).splits
    assert Counter(u.emotion for u in splits["test"]) == dict.fromkeys(SHARED_EMOTIONS, 60)
    keys = [u.key for split in splits.values() for u in split]
    assert len(keys) == len(set(keys)) == sum(u.emotion in SHARED_EMOTIONS for u in manifest.utterances)


# Speakers x utterances of each emotion, as EmoBox drew them; IEMOCAP's are counted by its lists' wrong speaker field.
DRAWN = {"ravdess": (20, 3), "savee": (4, 15)}


def test_emobox_s_own_sets_have_their_structure(manifest):
    if manifest.spec.name not in DRAWN:
        assert "cross_corpus" in list_configs(manifest.spec)
        return
    counts = Counter(
        (u.speaker, u.emotion) for u in partition(manifest, "cross_corpus", folds_dir=LISTS).splits["test"]
    )
    n_speakers, n_each = DRAWN[manifest.spec.name]
    assert len(counts) == 4 * n_speakers
    assert set(counts.values()) == {n_each}


MELD_AUDIO = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}


def meld_row(part: str, clip: str, speaker: str, raw_emotion: str) -> Example:
    return Example(f"{MELD_AUDIO[part]}/{clip}.mp4", f"meld-{clip}-{part}", raw_emotion, speaker=speaker, split=part)


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (("dia1_utt1", "angry", "Ross"), "meld-dia1_utt1-dev"),  # the emotion decides
        (("dia2_utt2", "sad", "Monica"), "meld-dia2_utt2-test"),  # the emotion fits all, the speaker decides
        (("dia3_utt3", "happy", "Joey"), "meld-dia3_utt3-train"),  # all fit: train, dev, test
        (("dia4_utt4", "angry", "Rachel"), "meld-dia4_utt4-test"),  # there is only one
        (("dia1_utt1", "neutral", "Ross"), "meld-dia1_utt1-train"),  # a right emotion by another speaker
        (("dia1_utt1", "sad", "Ross"), None),  # none has the emotion
    ],
)
def test_a_name_that_several_parts_of_meld_use_is_told_by_emotion_speaker_and_order(
    listed: tuple[str, str, str], expected: str | None, tmp_path: Path
) -> None:
    """EmoBox's balanced list names MELD's clips without their part, and dialogues are counted anew in each part."""
    spec = load_spec("meld")
    rows = [
        meld_row("train", "dia1_utt1", "Joey", "neutral"),
        meld_row("dev", "dia1_utt1", "Ross", "anger"),
        meld_row("train", "dia2_utt2", "Ross", "sadness"),
        meld_row("test", "dia2_utt2", "Monica", "sadness"),
        *(meld_row(part, "dia3_utt3", "Joey", "joy") for part in ("test", "dev", "train")),
        meld_row("test", "dia4_utt4", "Rachel", "anger"),
    ]
    lay_out(spec, rows, tmp_path / "meld")
    clip, label, speaker = listed
    path = tmp_path / "lists" / "track2" / "MELD_selected_balenced.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"wav_filename": f"audio/{clip}.wav", "label": label, "speaker": speaker}) + "\n")
    found = build_manifest(spec, tmp_path / "meld", allow_missing=True)
    test = partition(found, "cross_corpus", folds_dir=tmp_path / "lists").splits["test"]
    assert [u.key for u in test] == ([expected] if expected else [])


def test_a_group_that_lacks_an_emotion_gets_a_speaker_who_can_be_spared():
    # Speaker d, who says the most, has no Sad and would be alone in a group.
    own = {"a": "Happy Sad", "b": "Happy Sad", "c": "Happy Sad", "d": "Happy Happy Happy Happy Happy"}
    utterances = [
        Utterance(key=f"{speaker}-{number}", path="", emotion=emotion, raw_emotion="", speaker=speaker)
        for speaker, emotions in own.items()
        for number, emotion in enumerate(emotions.split())
    ]
    groups = group_speakers(utterances, 3)
    assert sorted(map(len, groups)) == [1, 1, 2]
    assert ["d"] not in groups
    assert group_speakers(utterances, 4) == [["d"], ["a"], ["b"], ["c"]]  # nobody can be spared


def test_speakers_of_a_session_stay_together():
    utterances = make_utterances(12)
    speakers = sorted({u.speaker for u in utterances})
    session_of = {speaker: f"session {number // 2}" for number, speaker in enumerate(speakers)}
    groups = group_speakers(utterances, 3, together=session_of)
    assert sorted(name for group in groups for name in group) == speakers
    assert all(len({session_of[name] for name in group}) * 2 == len(group) for group in groups)
