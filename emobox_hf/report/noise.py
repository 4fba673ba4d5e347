"""Label noise: how far predictions made without an utterance's own label disagree with that label."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emobox_hf.corpora.configurations import RANDOM
from emobox_hf.errors import InputError
from emobox_hf.report.collect import Run
from emobox_hf.report.table import Table, percent
from emobox_hf.results import read_predictions
from emobox_hf.scores import compute_scores, confusion_matrix, kappa

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
            folds; below 0 the label is doubted.
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
    columns, labels = read_predictions(run.folder), run.record.labels
    probabilities = np.array([columns[f"p_{label}"] for label in labels]).T  # (rows, labels)
    rows_of: dict[str, list[int]] = {}
    for row, key in enumerate(columns["key"]):
        rows_of.setdefault(key, []).append(row)
    doubts = []
    for key, rows in rows_of.items():
        mean = probabilities[rows].mean(axis=0)
        reference = labels.index(columns["reference"][rows[0]])
        others = np.delete(mean, reference)
        doubts.append(
            Doubt(
                key,
                columns["path"][rows[0]],
                labels[reference],
                labels[int(mean.argmax())],
                float(mean[reference] - others.max()),
            )
        )
    return sorted(doubts, key=lambda doubt: (doubt.margin, doubt.key))


def doubt_table(run: Run, n: int = 50) -> Table:
    """The most doubtful utterances, to listen to."""
    note = "margin: probability of the label minus the highest other, by probes that did not train on the utterance"
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
    doubts, labels = list_doubts(run), run.record.labels
    if ranking is not None:
        place = {key: number for number, key in enumerate(ranking)}
        doubts.sort(key=lambda doubt: (place.get(doubt.key, len(place)), doubt.key))
    references = np.array([labels.index(doubt.reference) for doubt in doubts])
    predicted = np.array([labels.index(doubt.prediction) for doubt in doubts])
    order = np.random.default_rng(0).permutation(len(doubts))
    rows = []
    for share in removed:
        n = round(share * len(doubts))
        kept = compute_scores(references[n:], predicted[n:], len(labels))
        chance = compute_scores(references[order[n:]], predicted[order[n:]], len(labels))
        scores = map(percent, (kept.ua, kept.macro_f1, chance.ua))
        rows.append((percent(share), len(doubts) - n, *scores))
    return Table(
        f"{run.corpus}: {run.encoder} without the most doubtful{f' by {ranked_by}' if ranking is not None else ''}",
        ("% removed", "utterances", "UA", "macro F1", "UA, removed at random"),
        tuple(rows),
    )


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
        doubts, labels = list_doubts(run), run.record.labels
        references = np.array([labels.index(doubt.reference) for doubt in doubts])
        predicted = np.array([labels.index(doubt.prediction) for doubt in doubts])
        scores = compute_scores(references, predicted, len(labels))
        recall = ((value, label) for label, value in zip(labels, scores.recall, strict=True) if value is not None)
        worst, label = min(recall)
        agreement = float(kappa(confusion_matrix(references, predicted, len(labels))))
        name = f"{run.corpus}, {run.kind_of_folds} folds"
        rows.append(
            (name, run.encoder, len(doubts), f"{agreement:.2f}", percent(scores.wa), f"{label} {100 * worst:.0f} %")
        )
    return Table(
        "Agreement of predictions with labels",
        ("corpus", "encoder", "utterances", "kappa", "agree %", "least agreed on"),
        tuple(rows),
        ("Predictions of probes that did not train on the utterance.",),
    )
