"""Label noise: how far predictions made without an utterance's own label disagree with that label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emobox_hf.corpora.configurations import RANDOM
from emobox_hf.errors import InputError
from emobox_hf.report.collect import Run, show_summary
from emobox_hf.report.table import Cell, Table, percent
from emobox_hf.results import FoldPredictions, estimate_parts, join_folds, list_parts, pool_folds, read_predictions
from emobox_hf.scores import (
    SCORES,
    apply_temperature,
    confusion_matrix,
    estimate,
    kappa,
    label_margins,
    per_class_recall,
)

CIRCULAR = (
    "Circular: the probes that are scored are those that doubt, so what they predict wrongly goes first and a rise is "
    "certain. The curve says how much of the error a few utterances hold, not how many labels are wrong. The last "
    "column is what removal does by itself."
)
NOT_CIRCULAR = (
    "Another model doubts than the probes that are scored, so a rise beyond the last column has another cause."
)
MOST_SHOWN = 50
REMOVED = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)


class Doubt(NamedTuple):
    """How little a model agrees with the label of one utterance that it was not trained on.

    Attributes:
        key: The utterance.
        path: Its file, relative to the corpus's folder.
        reference: Its label.
        prediction: The likeliest label.
        margin: Probability of its label minus the highest of the others, -1 to 1, of probes averaged over seeds and
            folds, each calibrated by its own validation part; below 0 the label is doubted.
    """

    key: str
    path: str
    reference: str
    prediction: str
    margin: float


def noise_tables(runs: Sequence[Run]) -> list[Table]:
    """Agreement of predictions with labels, and of each run on random folds its curve and its most doubted labels.

    Raises:
        InputError: There is no run on random folds.
    """
    chosen = [_read(run) for run in runs if run.kind_of_folds == RANDOM]
    details = (table for one in chosen for table in (_curve(one, REMOVED, one.order, ""), _doubt_table(one)))
    return [_agreement_table(chosen), *details]


def list_doubts(run: Run) -> list[Doubt]:
    """Every tested utterance of a run, most doubtful first; run with `--folds random` to have each tested once.

    Raises:
        InputError: The predictions cannot be read.
    """
    return _read(run).list_doubts()


@dataclass(frozen=True, eq=False)
class _Read:
    """A run with what it predicted, and how much it doubts each utterance.

    Attributes:
        run: The run.
        parts: Its predictions, all folds of a seed as one.
        utterances: What was tested, each once, in the order in which they come first.
        predicted: The likeliest class of each, int64 (n,), of probes averaged over seeds and folds.
        margins: `Doubt.margin` of each, float64 (n,).
        places: Utterance of each row of each part.
    """

    run: Run
    parts: list[FoldPredictions]
    utterances: FoldPredictions
    predicted: NDArray[np.int64]
    margins: NDArray[np.float64]
    places: list[NDArray[np.int64]]

    @property
    def order(self) -> NDArray[np.int64]:
        """The utterances, most doubtful first, int64 (n,)."""
        return np.lexsort((np.array(self.utterances.keys), self.margins))

    def list_doubts(self, n: int | None = None) -> list[Doubt]:
        """The `n` most doubtful utterances, or all."""
        labels, tested = self.run.record.labels, self.utterances
        return [
            Doubt(
                tested.keys[row],
                tested.paths[row],
                labels[tested.references[row]],
                labels[self.predicted[row]],
                float(self.margins[row]),
            )
            for row in self.order[:n].tolist()
        ]


def _read(run: Run) -> _Read:
    labels = run.record.labels
    temperatures = {(fold.fold, fold.seed): fold.calibration.get("temperature", 1.0) for fold in run.record.folds}
    predictions = read_predictions(run.folder, run.record)
    calibrated = np.concatenate(
        [apply_temperature(one.probabilities, temperatures.get((one.fold, one.seed), 1.0)) for one in predictions]
    )
    whole = join_folds(predictions)
    # A later seed or fold tests the same utterances again.
    numbers = {key: number for number, key in enumerate(dict.fromkeys(whole.keys))}
    place = _look_up(numbers, whole.keys)
    mean = np.zeros((len(numbers), len(labels)))
    np.add.at(mean, place, calibrated)
    mean /= np.bincount(place)[:, None]
    parts, utterances = pool_folds(predictions), whole.take(np.unique(place, return_index=True)[1].tolist())
    return _Read(
        run=run,
        parts=parts,
        utterances=utterances,
        predicted=mean.argmax(axis=1),
        margins=label_margins(mean, utterances.references),
        places=[_look_up(numbers, part.keys) for part in parts],
    )


def _look_up(numbers: Mapping[Any, int], names: Sequence[object]) -> NDArray[np.int64]:
    return np.fromiter(map(numbers.__getitem__, names), dtype=np.int64, count=len(names))


def doubt_table(run: Run, n: int = MOST_SHOWN) -> Table:
    """The most doubtful utterances, to listen to."""
    return _doubt_table(_read(run), n)


def _doubt_table(one: _Read, n: int = MOST_SHOWN) -> Table:
    note = (
        "margin: probability of the label minus the highest other, by probes that did not train on the utterance, each "
        "at the temperature that its validation part asks for, so that folds of different C are alike"
    )
    return show_doubts(f"{one.run.corpus}: labels that {one.run.encoder} doubts most", one.list_doubts(n), note)


def show_doubts(title: str, doubts: Sequence[Doubt], note: str) -> Table:
    """A table of utterances with their doubts, in the order given."""
    rows = tuple((d.key, d.reference, d.prediction, f"{d.margin:+.3f}", d.path) for d in doubts)
    return Table(title, ("utterance", "label", "predicted", "margin", "file"), rows, (note,))


def noise_curve(
    run: Run,
    removed: Sequence[float] = REMOVED,
    *,
    ranking: Sequence[str] | None = None,
    ranked_by: str = "",
) -> Table:
    """Scores with the most doubtful share of the test utterances left out.

    Where the run's own probes doubt, some rise is certain, for what is predicted wrongly is doubted: the curve says how
    much of the error a few utterances hold, not how many labels are wrong. Where a model of another origin doubts, a
    rise has no such cause. Beside it stands the UA with as many left out at random.

    Args:
        run: The run that is scored.
        removed: The shares.
        ranking: Keys, most doubtful first, of a model of another origin; utterances that are not among them are kept.
        ranked_by: Its name.
    """
    one = _read(run)
    if ranking is None:
        return _curve(one, removed, one.order, "")
    place, keys = {key: number for number, key in enumerate(ranking)}, one.utterances.keys
    order = sorted(range(len(keys)), key=lambda row: (place.get(keys[row], len(place)), keys[row]))
    return _curve(one, removed, np.array(order), ranked_by)


def _curve(one: _Read, removed: Sequence[float], order: NDArray[np.int64], ranked_by: str) -> Table:
    """Scores without the first utterances of an order, for each share of them."""
    parts, units = list_parts(one.parts)
    number_of = {name: number for number, name in enumerate(dict.fromkeys(chain(*units)))}
    numbers = [_look_up(number_of, unit) for unit in units]
    rank, n_tested = np.argsort(order), len(order)
    drawn = np.argsort(np.random.default_rng(0).permutation(n_tested))
    ranks = [rank[place] for place in one.places]
    at_random = [drawn[own] for own in ranks]

    def score(name: str, places: Sequence[NDArray[np.int64]], n: int) -> Cell:
        """A score of all but the `n` utterances whose places come first."""
        kept = [np.flatnonzero(place >= n) for place in places]
        names = [unit[rows].tolist() for unit, rows in zip(numbers, kept, strict=True)]
        some = [
            part.take(rows, speakers=None if part.speakers is None else named)
            for part, rows, named in zip(parts, kept, names, strict=True)
        ]
        return show_summary(name, *estimate(SCORES[name], some, names))

    rows = []
    for share in removed:
        n = round(share * n_tested)
        by_doubt = score("ua", ranks, n)
        by_chance = score("ua", at_random, n) if n else by_doubt
        rows.append((percent(share), n_tested - n, by_doubt, score("macro_f1", ranks, n), by_chance))
    by = f" by {ranked_by}" if ranked_by else ""
    return Table(
        f"{one.run.corpus}: {one.run.encoder} without the most doubtful{by}",
        ("% removed", "utterances", "UA", "macro F1", "UA, removed at random"),
        tuple(rows),
        (NOT_CIRCULAR if ranked_by else CIRCULAR,),
    )


def agreement_table(runs: Sequence[Run]) -> Table:
    """Agreement of predictions with labels: Cohen's kappa a corpus, and a label's share that is predicted as it is.

    Raises:
        InputError: There is no run inside a corpus.
    """
    chosen = [run for run in runs if run.settings.experiment == "intra-corpus"]
    if not chosen:
        raise InputError("expected runs inside corpora, found none; run `emobox probe --folds random`")
    return _agreement_table([_read(run) for run in chosen])


def _agreement_table(chosen: Sequence[_Read]) -> Table:
    if not chosen:
        raise InputError("expected runs on random folds, found none; run `emobox probe --folds random`")
    rows = []
    for one in chosen:
        labels = one.run.record.labels
        counts = [confusion_matrix(part.references, part.predicted, len(labels)) for part in one.parts]
        recalls = np.mean([per_class_recall(matrix) for matrix in counts], axis=0)
        worst, label = min((value, label) for label, value in zip(labels, recalls, strict=True) if not np.isnan(value))
        agreement = float(np.mean([kappa(matrix) for matrix in counts]))
        name = f"{one.run.corpus}, {one.run.kind_of_folds} folds"
        agree = show_summary("wa", *estimate_parts(SCORES["wa"], one.parts))
        n = len(one.parts[0].keys)
        rows.append((name, one.run.encoder, n, f"{agreement:.2f}", agree, f"{label} {100 * worst:.0f} %"))
    return Table(
        "Agreement of predictions with labels",
        ("corpus", "encoder", "utterances", "kappa", "agree %", "least agreed on"),
        tuple(rows),
        ("Predictions of probes that did not train on the utterance.",),
    )
