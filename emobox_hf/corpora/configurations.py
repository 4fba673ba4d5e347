"""The configurations of a corpus by name and by kind: published folds, speaker-independent and random ones, and more.

`folds.partition` draws each of them; nobody else asks what a name like `si_fold3` means.
"""

from collections.abc import Sequence

from emobox_hf.corpora.labels import SHARED_EMOTIONS
from emobox_hf.corpora.spec import CorpusSpec, load_spec
from emobox_hf.errors import InputError, suggest

PUBLISHED, SPEAKER_INDEPENDENT, RANDOM, BALANCED, WHOLE = (
    "published",
    "speaker-independent",
    "random",
    "balanced",
    "whole",
)
"""Kinds of configurations."""
CROSS_CORPUS, ALL = "cross_corpus", "all"
MAX_SI_FOLDS = 10
RANDOM_FOLDS_OF_ONE = 4  # of a corpus with a single published fold, whose test part is a quarter by EmoBox's rule
SPLITS = ("train", "validation", "test")
_KIND_OF_STEM = {"fold": PUBLISHED, "si_fold": SPEAKER_INDEPENDENT, "random_fold": RANDOM} | {
    CROSS_CORPUS: BALANCED,
    ALL: WHOLE,
}
_WORDS = {"si": SPEAKER_INDEPENDENT, "random": RANDOM, "published": PUBLISHED}


def kind_of(config: str) -> str:
    """The kind of a configuration by its name; a cross-corpus run's `iemocap-to-savee` is of none and gives itself.

    >>> kind_of("si_fold3"), kind_of("fold1"), kind_of("all")
    ('speaker-independent', 'published', 'whole')
    """
    return _KIND_OF_STEM.get(config.rstrip("0123456789"), config)


def list_folds(spec: CorpusSpec, kind: str = PUBLISHED) -> list[str]:
    """The configurations of one kind.

    Published: `fold1` … `foldK`, those of EmoBox's rule for a corpus that EmoBox has not split. Speaker-independent:
    `si_fold1` …, one a speaker, ten at most, fewer where the spec says so (`drawn.si_folds`); none with fewer than two
    speakers. Random: `random_fold1` …, as many as the published ones, or four where there is only one. Balanced:
    `cross_corpus`, where the corpus has the four shared emotions. Whole: `all`.
    """
    n_published = len(spec.folds.published) or spec.folds.count
    if kind == PUBLISHED:
        return _number("fold", n_published)
    if kind == SPEAKER_INDEPENDENT:
        n_folds = spec.drawn.si_folds or min(MAX_SI_FOLDS, spec.expected.speakers)
        return _number("si_fold", n_folds if spec.expected.speakers >= 2 else 0)
    if kind == RANDOM:
        return _number("random_fold", n_published if n_published > 1 else RANDOM_FOLDS_OF_ONE)
    if kind == BALANCED:
        return [CROSS_CORPUS] if set(SHARED_EMOTIONS) <= set(spec.emotions) else []
    return [ALL]


def list_configs(corpus: CorpusSpec | str) -> list[str]:
    """The configurations that `load_dataset` offers: published folds, speaker-independent ones, `cross_corpus`, `all`.

    Random folds are for comparison and no configuration of a dataset; `folds.partition` draws them all the same.

    Args:
        corpus: The corpus, its name, or the path of a specification of one's own.
    """
    spec = load_spec(corpus) if isinstance(corpus, str) else corpus
    return [name for kind in (PUBLISHED, SPEAKER_INDEPENDENT, BALANCED, WHOLE) for name in list_folds(spec, kind)]


def list_splits(config: str) -> list[str]:
    """The splits of a configuration."""
    return ["train"] if config == ALL else list(SPLITS)


def check_config(spec: CorpusSpec, config: str) -> None:
    """Raise an InputError, with a suggestion, if the corpus has no such configuration."""
    known = [*list_configs(spec), *list_folds(spec, RANDOM)]
    if config not in known:
        raise InputError(f"{spec.name} has no configuration {config!r}{suggest(config, known)}")


def choose_folds(spec: CorpusSpec, words: Sequence[str] = ()) -> tuple[str, ...]:
    """The folds that words ask for, each once; the published ones by default.

    Args:
        spec: The corpus.
        words: Names of configurations, or `published`, `si` or `random` for all of a kind.

    Raises:
        InputError: There is no such configuration, none of the kind, or it has no test part.
    """
    names: list[str] = []
    for word in words or ("published",):
        found = list_folds(spec, _WORDS[word]) if word in _WORDS else [word]
        if not found and _WORDS[word] == PUBLISHED:
            ways = [f"--folds {word}" for word in ("si", "random") if list_folds(spec, _WORDS[word])]
            raise InputError(
                f"{spec.name} has no published folds: add [folds] to its specification (`emobox split` shows what "
                f"EmoBox's rule gives), or take {' or '.join(ways)}"
            )
        if not found:
            raise InputError(
                f"{spec.name} has no speaker-independent folds: it has {spec.expected.speakers} known speakers"
            )
        names += found
    for name in names:
        check_config(spec, name)
    if ALL in names:
        raise InputError(f"{ALL!r} has no test part; name folds, such as fold1")
    if CROSS_CORPUS in names:
        raise InputError(
            f"{CROSS_CORPUS!r} is a test set for probes trained on other corpora, and its train part is the rest, of "
            f"the same speakers: name folds, or test on it with --train OTHER --test {spec.name}"
        )
    return tuple(dict.fromkeys(names))


def is_whole_kind(spec: CorpusSpec, folds: Sequence[str]) -> bool:
    """Whether no fold is left out of those of its kind."""
    return all(set(list_folds(spec, kind)) <= set(folds) for kind in {kind_of(name) for name in folds})


def _number(stem: str, n: int) -> list[str]:
    return [f"{stem}{number}" for number in range(1, n + 1)]
