"""Label noise: how far predictions made without an utterance's own label disagree with that label."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from emobox_hf.corpora.configurations import RANDOM
from emobox_hf.errors import InputError
from emobox_hf.report.collect import Run, show_summary
from emobox_hf.report.table import Cell, Table, percent
from emobox_hf.results import FoldPredictions, estimate_parts, join_folds, pool_folds, read_predictions
from emobox_hf.scores import SCORES, apply_temperature, confusion_matrix, kappa, per_class_recall

CIRCULAR = (
    "Circular: the probes that are scored are those that doubt, so what they predict wrongly goes first and a rise is "
    "certain. The curve says how much of the error a few utterances hold, not how many labels are wrong. The last "
    "column is what removal does by itself."
)
NOT_CIRCULAR = (
    "Another model doubts than the probes that are scored, so a rise beyond the last column has another cause."
)
REMOVED = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)


@dataclass(frozen=True)
class Doubt:
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
    chosen = [run for run in runs if run.kind_of_folds == RANDOM]
    details = (table for run in chosen for table in (noise_curve(run), doubt_table(run)))
    return [agreement_table(chosen), *details]


def list_doubts(run: Run) -> list[Doubt]:
    """Every tested utterance of a run, most doubtful first; run with `--folds random` to have each tested once.

    Raises:
        InputError: The predictions cannot be read.
    """
    labels = run.record.labels
    temperatures = {(fold.fold, fold.seed): fold.calibration.get("temperature", 1.0) for fold in run.record.folds}
    predictions = [
        replace(one, probabilities=apply_temperature(one.probabilities, temperatures.get((one.fold, one.seed), 1.0)))
        for one in read_predictions(run.folder, labels)
    ]
    whole = join_folds(predictions)
    rows_of: dict[str, list[int]] = {}
    for row, key in enumerate(whole.keys):
        rows_of.setdefault(key, []).append(row)
    doubts = []
    for key, rows in rows_of.items():
        mean = whole.probabilities[rows].mean(axis=0)
        reference = int(whole.references[rows[0]])
        margin = float(mean[reference] - np.delete(mean, reference).max())
        doubts.append(Doubt(key, whole.paths[rows[0]], labels[reference], labels[int(mean.argmax())], margin))
    return sorted(doubts, key=lambda doubt: (doubt.margin, doubt.key))


def doubt_table(run: Run, n: int = 50) -> Table:
    """The most doubtful utterances, to listen to."""
    note = (
        "margin: probability of the label minus the highest other, by probes that did not train on the utterance, each "
        "at the temperature that its validation part asks for, so that folds of different C are alike"
    )
    return show_doubts(f"{run.corpus}: labels that {run.encoder} doubts most", list_doubts(run)[:n], note)


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
    doubts = list_doubts(run)
    if ranking is not None:
        place = {key: number for number, key in enumerate(ranking)}
        doubts.sort(key=lambda doubt: (place.get(doubt.key, len(place)), doubt.key))
    parts = pool_folds(read_predictions(run.folder, run.record.labels))
    keys = [doubt.key for doubt in doubts]
    order = np.random.default_rng(0).permutation(len(keys))
    rows = []
    for share in removed:
        n = round(share * len(keys))
        kept, chance = set(keys[n:]), {keys[place] for place in order[n:]}
        scores = (_score(parts, kept, "ua"), _score(parts, kept, "macro_f1"), _score(parts, chance, "ua"))
        rows.append((percent(share), len(kept), *scores))
    return Table(
        f"{run.corpus}: {run.encoder} without the most doubtful{f' by {ranked_by}' if ranking is not None else ''}",
        ("% removed", "utterances", "UA", "macro F1", "UA, removed at random"),
        tuple(rows),
        (CIRCULAR if ranking is None else NOT_CIRCULAR,),
    )


def _score(parts: Sequence[FoldPredictions], keys: set[str], name: str) -> Cell:
    """A score of some of the test utterances, averaged over seeds, with its interval."""
    some = [one.take([row for row, key in enumerate(one.keys) if key in keys]) for one in parts]
    return show_summary(name, *estimate_parts(SCORES[name], some))


def agreement_table(runs: Sequence[Run]) -> Table:
    """Agreement of predictions with labels: Cohen's kappa a corpus, and a label's share that is predicted as it is.

    Raises:
        InputError: There is no run inside a corpus.
    """
    chosen = [run for run in runs if run.settings.experiment == "intra-corpus"]
    if not chosen:
        raise InputError("expected runs inside corpora, found none; run `emobox probe --folds random`")
    rows = []
    for run in chosen:
        labels = run.record.labels
        parts = pool_folds(read_predictions(run.folder, labels))
        counts = [confusion_matrix(one.references, one.predicted, len(labels)) for one in parts]
        recalls = np.mean([per_class_recall(matrix) for matrix in counts], axis=0)
        worst, label = min((value, label) for label, value in zip(labels, recalls, strict=True) if not np.isnan(value))
        agreement = float(np.mean([kappa(matrix) for matrix in counts]))
        name = f"{run.corpus}, {run.kind_of_folds} folds"
        agree = show_summary("wa", *estimate_parts(SCORES["wa"], parts))
        rows.append((name, run.encoder, len(parts[0].keys), f"{agreement:.2f}", agree, f"{label} {100 * worst:.0f} %"))
    return Table(
        "Agreement of predictions with labels",
        ("corpus", "encoder", "utterances", "kappa", "agree %", "least agreed on"),
        tuple(rows),
        ("Predictions of probes that did not train on the utterance.",),
    )
