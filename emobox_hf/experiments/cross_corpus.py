"""Cross-corpus: train on some corpora, test on another, over the labels that they share."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from emobox_hf.corpora.configurations import CROSS_CORPUS, list_configs
from emobox_hf.corpora.folds import Partition, ValidationRule
from emobox_hf.corpora.labels import EMOTIONS
from emobox_hf.corpora.spec import CorpusSpec, load_spec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.corpora.utterance_sets import read_set
from emobox_hf.errors import InputError, suggest
from emobox_hf.experiments.source import Source

TEST_SETS = ("balanced", "all")
MANY = 3  # corpora named in the name of a run; more are counted


@dataclass(frozen=True)
class CrossCorpus:
    """A partition over several corpora.

    Attributes:
        sources: The corpora trained on, then the one tested on.
        partitions: Train and validation of the former, test of the latter, for each draw of the validation part.
        classes: The labels trained on.
        scored: The labels scored, those that both sides have.
        test_set: `balanced`, `all`, or `sha256:` and the digest of the keys of a set of one's own.
        chosen_by: The model that a set of one's own had to agree with; empty where there was none.
    """

    sources: tuple[Source, ...]
    partitions: tuple[Partition, ...]
    classes: tuple[str, ...]
    scored: tuple[str, ...]
    test_set: str
    chosen_by: str


def draw_cross_corpus(
    train: Sequence[str],
    test: str,
    *,
    test_set: str,
    labels: str,
    find: Callable[[CorpusSpec], Source],
    validation: Sequence[ValidationRule],
) -> CrossCorpus:
    """The partition of some corpora into those trained on and the one tested on.

    The test part is the corpus's balanced set of four emotions (EmoBox's own where it drew one), all its utterances, or
    the set of a file (`corpora.utterance_sets`), each as far as it is of the shared labels. The labels scored are those
    that the test part and the training corpora have. Training takes the utterances of these labels (`shared`), or of
    all labels (`all`; predictions are then chosen from the shared ones). Every training corpus gives its share of
    each emotion to validation, as inside a corpus.

    Args:
        train: The corpora trained on.
        test: The corpus tested on.
        test_set: `balanced`, `all`, or the file of a set.
        labels: `shared` or `all`.
        find: Opens a corpus, after what can be known without searching any has been checked.
        validation: How validation parts are drawn, a partition for each.

    Raises:
        InputError: A corpus is named on both sides or twice, has no balanced set, fewer than two labels are shared, or
            the file is no set, or not one of the corpus that is tested.
    """
    specs = [load_spec(name) for name in (*train, test)]
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names):
        raise InputError(
            f"train on {', '.join(names[:-1])}, test on {names[-1]}: each corpus once, for a probe must not be tested "
            "on a corpus that it was trained on"
        )
    _check_test_set(test_set)
    wanted = _shared_labels(specs[:-1], specs[-1], test_set)
    sources = tuple(find(spec) for spec in specs)
    training = [source.manifest.utterances for source in sources[:-1]]
    tested, test_set, test_name, chosen_by = _test_part(sources[-1], test_set)
    found = {u.emotion for u in tested}
    scored = tuple(name for name in wanted if name in found)
    if len(scored) < 2:
        raise InputError(
            f"two labels or more that train and test share have to be in the test part, found {list(scored)} in "
            f"{names[-1]}, {test_name}; shared: {', '.join(wanted)}"
        )
    classes = scored if labels == "shared" else _in_order({u.emotion for part in training for u in part})
    used = {
        source.spec.name: [u for u in source.manifest.utterances if u.emotion in classes] for source in sources[:-1]
    }
    for name, utterances in used.items():
        if not utterances:
            raise InputError(f"{name} has none of the labels trained on ({', '.join(classes)}): leave it out")
    test_part = tuple(u for u in tested if u.emotion in scored)
    drawn = f"train: {', '.join(names[:-1])}, labels {', '.join(classes)}; test: {names[-1]}, {test_name}"
    config = name_pair(names[:-1], names[-1])
    partitions = tuple(_hold_out(used.values(), test_part, rule, config=config, source=drawn) for rule in validation)
    return CrossCorpus(sources, partitions, classes, scored, test_set, chosen_by)


def _hold_out(
    used: Iterable[Sequence[Utterance]],
    test: tuple[Utterance, ...],
    rule: ValidationRule,
    *,
    config: str,
    source: str,
) -> Partition:
    """The partition with one draw of the validation part, of each training corpus its share."""
    train: tuple[Utterance, ...] = ()
    validation: tuple[Utterance, ...] = ()
    for utterances in used:
        kept, held_out = rule.hold_out(utterances)
        train, validation = train + kept, validation + held_out
    splits = {"train": train, "validation": validation, "test": test}
    return Partition(config, splits, source, rule.describe("each training corpus"))


def name_pair(train: Sequence[str], test: str) -> str:
    """`iemocap-to-ravdess`; more than three training corpora are counted."""
    return f"{'+'.join(train) if len(train) <= MANY else f'{len(train)}-corpora'}-to-{test}"


def _shared_labels(train: Sequence[CorpusSpec], test: CorpusSpec, test_set: str) -> tuple[str, ...]:
    if test_set == "balanced" and CROSS_CORPUS not in list_configs(test):
        raise InputError(
            f"{test.name} has no balanced set, for it lacks one of the four shared emotions: its labels are "
            f"{', '.join(test.emotions)}; test on all its utterances with --test-set all"
        )
    shared = _in_order({name for spec in train for name in spec.emotions} & set(test.emotions))
    if len(shared) < 2:
        sides = "; ".join(f"{spec.name}: {', '.join(spec.emotions)}" for spec in (*train, test))
        raise InputError(f"two labels or more have to be shared by train and test, found {list(shared)} ({sides})")
    return shared


def _check_test_set(test_set: str) -> None:
    """Refuse a misspelt word before any corpus is searched."""
    if test_set not in TEST_SETS and not Path(test_set).expanduser().is_file():
        raise InputError(
            f"no test set {test_set!r}{suggest(test_set, TEST_SETS)}; or give the file of a set that `emobox balance` "
            "wrote"
        )


def _test_part(source: Source, test_set: str) -> tuple[tuple[Utterance, ...], str, str, str]:
    """The utterances, what identifies the set, what it is called, and the model that chose them."""
    if test_set == "balanced":
        return source.partition(CROSS_CORPUS).splits["test"], test_set, test_set, ""
    if test_set == "all":
        return source.manifest.utterances, test_set, test_set, ""
    own = read_set(Path(test_set).expanduser(), source.manifest)
    digest = f"sha256:{own.sha256}"
    chosen = f", of what {own.chosen_by} agrees with" if own.chosen_by else ""
    return own.utterances, digest, f"{own.name}, {digest}{chosen}", own.chosen_by


def _in_order(emotions: set[str]) -> tuple[str, ...]:
    """Labels in the order of the vocabulary, then the corpora's own."""
    known = [name for name in EMOTIONS if name in emotions]
    return (*known, *sorted(emotions.difference(known)))
