"""Configurations by name and kind, and the folds that `--folds` asks for."""

import dataclasses

import pytest

from emobox_hf.corpora.configurations import (
    ALL,
    BALANCED,
    PUBLISHED,
    RANDOM,
    SPEAKER_INDEPENDENT,
    WHOLE,
    choose_folds,
    is_whole_kind,
    kind_of,
    list_configs,
    list_folds,
)
from emobox_hf.corpora.spec import Folds, list_corpora, load_spec
from emobox_hf.errors import InputError

POLISH = load_spec("polish")


def without_folds(n_speakers):
    expected = dataclasses.replace(POLISH.expected, speakers=n_speakers)
    return dataclasses.replace(POLISH, folds=Folds(), expected=expected)


@pytest.mark.parametrize("name", list_corpora())
def test_every_configuration_is_of_the_kind_that_lists_it(name):
    spec = load_spec(name)
    by_kind = {kind: list_folds(spec, kind) for kind in (PUBLISHED, SPEAKER_INDEPENDENT, BALANCED, WHOLE, RANDOM)}
    assert all(kind_of(config) == kind for kind, configs in by_kind.items() for config in configs)
    offered = [config for kind, configs in by_kind.items() if kind != RANDOM for config in configs]
    assert list_configs(spec) == list_configs(name) == offered


def test_a_pair_of_corpora_is_of_a_kind_of_its_own():
    assert kind_of("iemocap-to-mer2023") == "iemocap-to-mer2023"


def test_one_published_fold_becomes_four_random_ones():
    assert len(list_folds(load_spec("tess"), RANDOM)) == 4
    assert len(list_folds(load_spec("emodb"), RANDOM)) == 5


def test_folds_are_named_one_by_one_or_by_kind():
    published, si, random = (list_folds(POLISH, kind) for kind in (PUBLISHED, SPEAKER_INDEPENDENT, RANDOM))
    assert choose_folds(POLISH) == choose_folds(POLISH, ["published"]) == tuple(published)
    assert choose_folds(POLISH, ["si", "random"]) == (*si, *random)
    assert choose_folds(POLISH, ["fold3", "fold1", "fold3", "random_fold2"]) == ("fold3", "fold1", "random_fold2")


@pytest.mark.parametrize(
    ("corpus", "words", "message"),
    [
        ("polish", ["fold9"], "polish has no configuration 'fold9'; did you mean 'fold"),
        ("polish", ["random_fold9"], "polish has no configuration 'random_fold9'; did you mean 'random_fold"),
        ("polish", ["fold1", ALL], "'all' has no test part; name folds, such as fold1"),
        ("cremad", ["cross-corpus"], "did you mean 'cross_corpus'"),
        ("meld", ["fold2"], "meld has no configuration 'fold2'"),
    ],
)
def test_folds_that_a_corpus_lacks_are_refused(corpus, words, message):
    with pytest.raises(InputError, match=message):
        choose_folds(load_spec(corpus), words)


@pytest.mark.parametrize(("n_speakers", "ways"), [(4, "--folds si or --folds random"), (0, "--folds random")])
def test_a_spec_without_folds_says_what_to_add(n_speakers, ways):
    spec = without_folds(n_speakers)
    with pytest.raises(InputError, match=rf"no published folds: add \[folds\] to its spec.*, or take {ways}$"):
        choose_folds(spec)
    for word in ways.replace("--folds ", "").split(" or "):
        assert len(choose_folds(spec, [word])) == 4


def test_a_corpus_without_speakers_has_no_speaker_independent_folds():
    with pytest.raises(InputError, match="polish has no speaker-independent folds: it has 0 known speakers"):
        choose_folds(without_folds(0), ["si"])


def test_folds_are_whole_if_none_of_their_kind_is_left_out():
    published, si = list_folds(POLISH), list_folds(POLISH, SPEAKER_INDEPENDENT)
    assert is_whole_kind(POLISH, published)
    assert not is_whole_kind(POLISH, published[1:])
    assert not is_whole_kind(POLISH, [*published, si[0]])
    assert is_whole_kind(POLISH, [*published, *si])
