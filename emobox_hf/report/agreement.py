"""Label noise by pseudo-labels: how far a model that never saw the annotation agrees with it; no sound is read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emobox_hf.corpora.configurations import RANDOM
from emobox_hf.corpora.manifest import build_manifest
from emobox_hf.corpora.predictions import read_probabilities
from emobox_hf.corpora.spec import load_spec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError
from emobox_hf.report.collect import Run
from emobox_hf.report.noise import Doubt, list_doubts, noise_curve, noise_tables, show_doubts
from emobox_hf.report.table import Table, percent
from emobox_hf.scores import confusion_matrix, kappa, label_margins, per_class_recall, wa

ALL = "all"


@dataclass(frozen=True, eq=False)
class Judged:
    """A corpus's annotation beside a model's predictions of the same utterances.

    Attributes:
        corpus: Its name.
        model: The model's.
        emotions: Those of the corpus that the model can tell, in the corpus's order.
        utterances: Those that have a prediction and are annotated with one of `emotions`.
        probabilities: float32 (utterances, emotions).
        n_unpredicted: Utterances without a prediction.
        n_outside_model: Utterances annotated with an emotion that the model cannot tell, by emotion.
        is_trained: Whether the model is known to have been trained on the corpus.
    """

    corpus: str
    model: str
    emotions: tuple[str, ...]
    utterances: tuple[Utterance, ...]
    probabilities: NDArray[np.float32]
    n_unpredicted: int
    n_outside_model: dict[str, int]
    is_trained: bool

    @property
    def references(self) -> NDArray[np.int64]:
        """Index of each annotation (utterances,)."""
        return np.array([self.emotions.index(u.emotion) for u in self.utterances], dtype=np.int64)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Index of the likeliest emotion (utterances,)."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    def list_doubts(self) -> list[Doubt]:
        """Every utterance, most doubtful first; `noise.list_doubts` does so for the probes of a run."""
        margins = label_margins(self.probabilities, self.references)
        chosen = (self.emotions[index] for index in self.predicted)
        found = zip(self.utterances, chosen, margins, strict=True)
        doubts = [Doubt(u.key, u.path, u.emotion, choice, float(margin)) for u, choice, margin in found]
        return sorted(doubts, key=lambda doubt: (doubt.margin, doubt.key))


def judge(corpus: str, predictions: Path, *, data_dir: Path | None = None, folds_dir: Path | None = None) -> Judged:
    """A corpus's annotation beside predictions of it; the corpus's files are listed, not read.

    Raises:
        InputError: The corpus is not found, the file lacks utterances of it or has others, or the model cannot tell two
            of its emotions.
    """
    spec = load_spec(corpus)
    manifest = build_manifest(spec, data_dir, folds_dir=folds_dir, allow_missing=True)
    found = read_probabilities(predictions, keys=[u.key for u in manifest.utterances], corpus=spec.name)
    chosen = found.choose(spec.emotions)
    emotions = tuple(emotion for emotion in spec.emotions if emotion in found.emotions)
    rows = [row for row, u in enumerate(manifest.utterances) if u.key in chosen and u.emotion in emotions]
    columns = [found.emotions.index(emotion) for emotion in emotions]
    if not rows:
        raise InputError(
            f"{predictions}: no utterance of {spec.name} has a prediction and an annotation among {', '.join(emotions)}"
        )
    untold = Counter(u.emotion for u in manifest.utterances if u.key in chosen and u.emotion not in emotions)
    return Judged(
        spec.name,
        found.model if found.made_from else predictions.stem,
        emotions,
        tuple(manifest.utterances[row] for row in rows),
        found.probabilities[np.ix_(rows, columns)],
        len(manifest.utterances) - len(chosen),
        dict(sorted(untold.items())),
        bool(found.made_from.get("trained_on_corpus")),
    )


def pseudo_label_tables(judged: Sequence[Judged], runs: Sequence[Run]) -> list[Table]:
    """Pseudo-labels against annotation, corpus by corpus, beside what runs on those corpora say."""
    told = {one.corpus for one in judged}
    probed = [run for run in runs if run.kind_of_folds == RANDOM and run.corpus in told]
    tables = [overview_table(judged)]
    for one in judged:
        tables += [emotion_table(one), confusion_table(one), *compare_with_runs(one, runs)]
    return [*tables, *(noise_tables(probed) if probed else [])]


def overview_table(judged: Sequence[Judged]) -> Table:
    """Cohen's kappa and share of agreement by corpus and language, and by language over all corpora."""
    rows = []
    for one in judged:
        languages = sorted({u.language or "" for u in one.utterances})
        rows.append(_summarize([one], ALL))
        rows += [_summarize([one], language) for language in languages if len(languages) > 1]
    if len(judged) > 1:
        languages = sorted({u.language or "" for one in judged for u in one.utterances})
        rows += [_summarize(judged, language) for language in languages]
    notes = [
        "Utterances: those with a prediction and an annotation that the model can tell. Agreement is no proof of a "
        "label, nor disagreement one against it: a model has faults of its own."
    ]
    notes += [
        f"{one.corpus}: {one.n_unpredicted} utterances without a prediction" for one in judged if one.n_unpredicted
    ]
    for one in judged:
        if one.n_outside_model:
            untold = ", ".join(f"{emotion} ({n})" for emotion, n in one.n_outside_model.items())
            notes.append(f"{one.corpus}: {one.model} cannot tell {untold}")
        if one.is_trained:
            notes.append(f"{one.corpus}: {one.model} was trained on it, so that it agrees says little")
    columns = ("corpus", "language", "model", "utterances", "kappa", "agree %", "least agreed on")
    return Table("Agreement of pseudo-labels with annotation", columns, tuple(rows), tuple(notes))


def emotion_table(one: Judged) -> Table:
    """By emotion: how often it is annotated and predicted, and how far the two agree."""
    counts = confusion_matrix(one.references, one.predicted, len(one.emotions))
    rows = []
    for index, emotion in enumerate(one.emotions):
        hits, annotated, predicted = counts[index, index], counts[index].sum(), counts[:, index].sum()
        # One emotion against all others.
        rest = np.array([[hits, annotated - hits], [predicted - hits, counts.sum() - annotated - predicted + hits]])
        predicted_as = [(int(counts[index, j]), other) for j, other in enumerate(one.emotions) if j != index]
        n, other = max(predicted_as)
        rows.append(
            (
                emotion,
                int(annotated),
                int(predicted),
                percent(float(hits / annotated)) if annotated else None,
                _kappa(rest),
                f"{other} {n}" if n else "",
            )
        )
    return Table(
        f"{one.corpus}: annotation and {one.model}, by emotion",
        ("emotion", "annotated", "predicted", "agree %", "kappa", "else most often predicted"),
        tuple(rows),
        ("kappa: of this emotion against all others.",),
    )


def confusion_table(one: Judged) -> Table:
    """Confusion matrix: annotation in the rows, predictions in the columns."""
    counts = confusion_matrix(one.references, one.predicted, len(one.emotions)).tolist()
    rows = tuple((emotion, *row) for emotion, row in zip(one.emotions, counts, strict=True))
    title = f"{one.corpus}: annotation in the rows, {one.model} in the columns"
    return Table(title, ("annotation", *one.emotions), rows)


def compare_with_runs(one: Judged, runs: Sequence[Run], n: int = 50) -> list[Table]:
    """Tables of the labels that a model doubts most, of probes' scores without them, of labels that both doubt.

    Runs on random folds test each utterance once, so of those alone it is said what both doubt.
    """
    doubts = one.list_doubts()
    note = f"margin: probability of the label minus the highest other, by {one.model}"
    tables = [show_doubts(f"{one.corpus}: labels that {one.model} doubts most", doubts[:n], note)]
    ranking = [doubt.key for doubt in doubts]
    for run in runs:
        if run.settings.experiment != "intra-corpus" or run.corpus != one.corpus:
            continue
        tables.append(noise_curve(run, ranking=ranking, ranked_by=one.model))
        if run.kind_of_folds == RANDOM:
            doubted = {doubt.key for doubt in list_doubts(run) if doubt.margin < 0}
            both = [doubt for doubt in doubts if doubt.margin < 0 and doubt.key in doubted]
            title = f"{one.corpus}: labels that {one.model} and probes of {run.encoder} doubt, {len(both)} in all"
            tables.append(show_doubts(title, both[:n], note))
    return tables


def _summarize(judged: Sequence[Judged], language: str) -> tuple[str, str, str, int, str | None, float | None, str]:
    """A row of the overview table: of one corpus or several, in one language or all."""
    emotions = tuple(dict.fromkeys(emotion for one in judged for emotion in one.emotions))
    pairs = [
        (u.emotion, one.emotions[index])
        for one in judged
        for u, index in zip(one.utterances, one.predicted, strict=True)
        if language in (ALL, u.language or "")
    ]
    references, predicted = ([emotions.index(name) for name in side] for side in zip(*pairs, strict=True))
    counts = confusion_matrix(references, predicted, len(emotions))
    recall = per_class_recall(counts)
    least = int(np.nanargmin(recall))
    models = sorted({one.model for one in judged})
    return (
        judged[0].corpus if len(judged) == 1 else "all corpora",
        language,
        models[0] if len(models) == 1 else f"{len(models)} models",
        len(pairs),
        _kappa(counts),
        percent(float(wa(counts))),
        f"{emotions[least]} {100 * recall[least]:.0f} %",
    )


def _kappa(counts: NDArray[np.int64]) -> str | None:
    value = float(kappa(counts))
    return None if np.isnan(value) else f"{value:.2f}"
