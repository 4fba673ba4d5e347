"""What the predictions of all runs say of a corpus: who says what, what probes miss, which labels are doubted."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emobox_hf.results import FoldPredictions
from emobox_hf.scores import label_margins

N_HARDEST = 20


@dataclass(frozen=True)
class Hard:
    """An utterance and what probes that did not train on it make of it.

    Attributes:
        key: The utterance.
        path: Its file, relative to the corpus's folder.
        speaker: Who speaks; None where that is not known.
        label: Its label.
        n_wrong: Probes that predict another.
        n_probes: Probes that were tested on it, one a run, fold and seed.
        margin: Probability of its label minus the highest other, mean over probes, -1 to 1.
    """

    key: str
    path: str
    speaker: str | None
    label: str
    n_wrong: int
    n_probes: int
    margin: float


@dataclass(frozen=True)
class CorpusEvidence:
    """What the predictions of all runs inside a corpus say of it.

    Attributes:
        labels: The classes.
        n_tested: Utterances that some run was tested on.
        counts: Speaker to utterances by label, speakers in order; None is who is not known.
        hardest: Utterances that most probes miss.
        doubted: Utterances of the lowest margin.
        doubted_by: Which runs' margins these are, in words.
        n_runs: Runs that were asked; those whose encoder met the corpus were not.
    """

    labels: tuple[str, ...]
    n_tested: int
    counts: tuple[tuple[str | None, tuple[int, ...]], ...]
    hardest: tuple[Hard, ...]
    doubted: tuple[Hard, ...]
    doubted_by: str
    n_runs: int


class Utterances:
    """Sums over probes, by utterance, while runs are read one after another."""

    def __init__(self) -> None:
        """None so far."""
        self._numbers: dict[str, int] = {}
        self._told: list[tuple[str, str, str | None, str]] = []  # key, path, speaker, label
        self._labels: dict[str, None] = {}
        self._n_runs = {False: 0, True: 0}
        self._lately: deque[tuple[Sequence[str], NDArray[np.int64]]] = deque(maxlen=4)
        # By whether folds are random: (probes, probes that are wrong, margins; utterances)
        self._sums = {is_random: np.zeros((3, 0)) for is_random in (False, True)}

    def add(self, tested: FoldPredictions, labels: Sequence[str], *, is_random: bool) -> None:
        """Add a run's test parts, all folds and seeds as one."""
        self._labels |= dict.fromkeys(labels)
        numbers, size = self._number(tested, labels), len(self._told)
        weights = (None, tested.predicted != tested.references, label_margins(tested.probabilities, tested.references))
        sums = np.stack([np.bincount(numbers, weights=one, minlength=size) for one in weights])
        self._sums[is_random] = sums + _widen(self._sums[is_random], size)
        self._n_runs[is_random] += 1

    def _number(self, tested: FoldPredictions, labels: Sequence[str]) -> NDArray[np.int64]:
        """The number of each row's utterance; runs on the same folds have the same rows, which are looked up once."""
        for keys, numbers in self._lately:
            if keys == tested.keys:
                return numbers
        for row, key in enumerate(tested.keys):
            if key not in self._numbers:
                self._numbers[key] = len(self._told)
                self._told.append((key, tested.paths[row], tested.speakers[row], labels[tested.references[row]]))
        found = np.array([self._numbers[key] for key in tested.keys], dtype=np.int64)
        self._lately.append((tested.keys, found))
        return found

    def summarize(self) -> CorpusEvidence | None:
        """What they say; None where no run was added."""
        if not self._told:
            return None
        labels = tuple(self._labels)
        by_speaker: dict[str | None, list[int]] = {}
        for _, _, speaker, label in self._told:
            by_speaker.setdefault(speaker, [0] * len(labels))[labels.index(label)] += 1
        speakers = sorted(by_speaker, key=lambda name: (name is None, name or ""))
        on_random = _widen(self._sums[True], len(self._told))
        everything = on_random + _widen(self._sums[False], len(self._told))
        asked = on_random if self._n_runs[True] else everything
        n_probes, n_wrong, margins = everything
        return CorpusEvidence(
            labels=labels,
            n_tested=len(self._told),
            counts=tuple((name, tuple(by_speaker[name])) for name in speakers),
            hardest=self._list(np.lexsort((margins / n_probes, -n_wrong / n_probes)), everything),
            doubted=self._list(np.argsort(_mean_margins(asked), kind="stable"), asked),
            doubted_by="runs on random folds" if self._n_runs[True] else "all runs inside the corpus",
            n_runs=sum(self._n_runs.values()),
        )

    def _list(self, order: Iterable[int], sums: NDArray[np.float64]) -> tuple[Hard, ...]:
        """The first utterances of an order that some probe was tested on."""
        asked = [i for i in order if sums[0, i]][:N_HARDEST]
        means = _mean_margins(sums)
        return tuple(Hard(*self._told[i], int(sums[1, i]), int(sums[0, i]), float(means[i])) for i in asked)


def _mean_margins(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(sums[2] / np.maximum(sums[0], 1))


def _widen(sums: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    return np.pad(sums, ((0, 0), (0, size - sums.shape[1])))
