"""Random folds: utterances dealt out whoever speaks, the split that much of the literature scores on.

They are for comparison: what a probe gains when its test speakers are in train. No configuration of a corpus has them.
"""

from collections import defaultdict

from emobox_hf.corpora.folds import Partition, choose_validation, list_folds
from emobox_hf.corpora.manifest import Manifest
from emobox_hf.corpora.recuts import order_by_hash
from emobox_hf.corpora.spec import CorpusSpec

SEED = 0
FOLDS_OF_ONE = 4  # of a corpus with a single published fold, whose test part is a quarter by EmoBox's rule


def list_random_folds(spec: CorpusSpec) -> list[str]:
    """`random_fold1` …: as many as the published folds, or four where there is only one."""
    n_published = len(list_folds(spec))
    n_folds = n_published if n_published > 1 else FOLDS_OF_ONE
    return [f"random_fold{number}" for number in range(1, n_folds + 1)]


def draw_random_fold(manifest: Manifest, fold: str) -> Partition:
    """One of `list_random_folds`: each utterance is in the test part of exactly one of them, emotions kept even.

    The utterances of an emotion are dealt out in the order of a seeded hash of their keys.
    """
    names = list_random_folds(manifest.spec)
    by_emotion: dict[str, list[str]] = defaultdict(list)
    for utterance in manifest.utterances:
        by_emotion[utterance.emotion].append(utterance.key)
    # The emotions are laid end to end before dealing, so that their remainders do not all fall to the first fold.
    dealt = [key for emotion in sorted(by_emotion) for key in order_by_hash(by_emotion[emotion], SEED)]
    test = set(dealt[names.index(fold) :: len(names)])
    rest = [u for u in manifest.utterances if u.key not in test]
    held_out = choose_validation(rest)
    splits = {
        "train": tuple(u for u in rest if u.key not in held_out),
        "validation": tuple(u for u in rest if u.key in held_out),
        "test": tuple(u for u in manifest.utterances if u.key in test),
    }
    drawn = f"utterances of each emotion dealt into {len(names)} folds by a hash of the key, seed {SEED}"
    return Partition(fold, splits, drawn, "20% of each emotion of train, by a hash of the key")
