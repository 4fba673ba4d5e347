"""Even sets: as many utterances of every speaker and emotion, the same for everyone, as EmoBox drew its own four."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from layout import LISTS, has_lists, lay_out, read_published

from emobox_hf.corpora.labels import SHARED_EMOTIONS
from emobox_hf.corpora.lists import read_balanced_list
from emobox_hf.corpora.manifest import Manifest, search_corpus
from emobox_hf.corpora.sampling import draw_speaker_balanced
from emobox_hf.corpora.spec import load_spec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError

EMOTIONS = ("Angry", "Happy", "Sad")


def make(counts: dict[str | None, tuple[int, int, int]]) -> list[Utterance]:
    """Utterances of each speaker: so many of each emotion."""
    return [
        Utterance(f"x-{speaker}-{emotion}-{i}", "", "", emotion, speaker=speaker)
        for speaker, own in counts.items()
        for emotion, n in zip(EMOTIONS, own, strict=True)
        for i in range(n)
    ]


def count(keys: frozenset[str]) -> Counter[tuple[str, ...]]:
    return Counter(tuple(key.split("-")[1:3]) for key in keys)


speakers = st.dictionaries(st.sampled_from("abcdefg"), st.tuples(*[st.integers(0, 7)] * 3), min_size=1)


@given(speakers, st.integers(1, 20), st.integers(0, 3))
def test_a_set_is_even_and_as_large_as_can_be(
    counts: dict[str | None, tuple[int, int, int]], n: int, seed: int
) -> None:
    utterances = make(counts)
    best = max(k * min(n // k, sorted(map(min, counts.values()))[-k]) for k in range(1, len(counts) + 1))
    if not best:
        with pytest.raises(InputError):
            draw_speaker_balanced(utterances, EMOTIONS, per_emotion=n, seed=seed)
        return
    chosen = draw_speaker_balanced(utterances, EMOTIONS, per_emotion=n, seed=seed)
    drawn = count(chosen.keys)
    assert set(drawn.values()) == {chosen.n_each}
    assert len(drawn) == len(chosen.speakers) * 3
    assert chosen.n_each * len(chosen.speakers) == best <= n
    assert chosen.keys.isdisjoint(chosen.left_out)
    assert chosen.keys | chosen.left_out.keys() == {u.key for u in utterances}
    shuffled = random.Random(0).sample(utterances, len(utterances))
    assert draw_speaker_balanced(shuffled, EMOTIONS, per_emotion=n, seed=seed) == chosen


def test_every_utterance_left_out_has_its_reason() -> None:
    utterances = [*make({"a": (4, 4, 4), "b": (4, 4, 4), "c": (4, 4, 4), "d": (9, 1, 9), None: (1, 0, 0)})]
    utterances.append(Utterance("x-a-Fear-0", "", "", "Fear", speaker="a"))
    chosen = draw_speaker_balanced(utterances, EMOTIONS, per_emotion=6, n_speakers=2)
    assert (len(chosen.speakers), chosen.n_each, len(chosen.keys)) == (2, 3, 18)
    assert Counter(chosen.left_out.values()) == {
        "another emotion": 1,
        "no speaker": 1,
        "speaker without enough of an emotion": 19,
        "speaker not drawn": 12,
        "not drawn": 6,
    }


def test_another_seed_is_another_set() -> None:
    utterances = make(dict.fromkeys("abcdef", (9, 9, 9)))
    drawn = {
        draw_speaker_balanced(utterances, EMOTIONS, per_emotion=6, n_speakers=2, seed=seed).keys for seed in range(4)
    }
    assert len(drawn) == 4


def test_a_corpus_that_names_no_speaker_is_one_speakers() -> None:
    chosen = draw_speaker_balanced(make({None: (5, 7, 9)}), EMOTIONS)
    assert (chosen.speakers, chosen.n_each) == (("",), 5)


@pytest.mark.parametrize(
    ("emotions", "options", "message"),
    [
        (EMOTIONS, {"per_emotion": 6, "n_speakers": 3}, r"3 speakers with 2 utterances .* 2 of 3 have as many"),
        (EMOTIONS, {"per_emotion": 7, "n_speakers": 2}, "7 utterances an emotion cannot be shared equally by 2"),
        (EMOTIONS, {"per_emotion": 0}, "at least one"),
        (("Angry", "Fear"), {}, r"no utterance of Fear to draw from, found Angry 8, Happy 9, Sad 9"),
        (("Angry",), {}, "two emotions or more"),
        (("Angry", "Angry"), {}, "each once"),
    ],
)
def test_what_cannot_be_drawn_is_refused(emotions: tuple[str, ...], options: dict[str, int], message: str) -> None:
    utterances = make({"a": (4, 4, 4), "b": (3, 4, 4), "c": (1, 1, 1)})
    with pytest.raises(InputError, match=message):
        draw_speaker_balanced(utterances, emotions, **options)


def test_speakers_that_share_no_emotions_are_refused() -> None:
    with pytest.raises(InputError, match="none of 2 speakers has an utterance of every emotion"):
        draw_speaker_balanced(make({"a": (4, 4, 0), "b": (0, 0, 4)}), EMOTIONS)


# Speakers x utterances of each emotion, as EmoBox drew them.
PUBLISHED = {"iemocap": (10, 6), "meld": (6, 10), "ravdess": (20, 3), "savee": (4, 15)}


@pytest.fixture(scope="module", params=PUBLISHED)
def corpus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """A complete corpus laid out from EmoBox's lists."""
    if not has_lists(request.param):
        pytest.skip("EmoBox's lists are not beside this checkout")
    root = tmp_path_factory.mktemp(request.param)
    spec = load_spec(request.param)
    lay_out(spec, read_published(spec), root)
    return search_corpus(spec, root, folds_dir=LISTS)


@pytest.mark.parametrize("is_given", [True, False], ids=["so many speakers", "of its own accord"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_set_has_the_structure_of_emobox_s_own(corpus: Manifest, is_given: bool, seed: int) -> None:
    spec = corpus.spec
    assert spec.drawn.published is not None
    rows = read_balanced_list(spec, spec.drawn.published, LISTS)
    theirs = Counter((row["speaker"], row["label"].capitalize()) for row in rows)
    n_speakers = len({speaker for speaker, _ in theirs})
    chosen = draw_speaker_balanced(
        corpus.utterances, SHARED_EMOTIONS, n_speakers=n_speakers if is_given else None, seed=seed
    )
    ours = Counter((u.speaker, u.emotion) for u in corpus.utterances if u.key in chosen.keys)
    assert sorted(ours.values()) == sorted(theirs.values())
    assert Counter(emotion for _, emotion in ours) == Counter(emotion for _, emotion in theirs)
    assert (n_speakers, set(ours.values())) == (PUBLISHED[spec.name][0], {PUBLISHED[spec.name][1]})
    if spec.name in ("meld", "savee"):  # where no other speakers have enough, they are EmoBox's
        assert {speaker for speaker, _ in ours} == {speaker for speaker, _ in theirs}
