"""Does the partition matter: one encoder and head under different folds of one corpus."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from emobox_hf.errors import InputError
from emobox_hf.report.collect import KINDS_OF_FOLDS, Run, name_runs
from emobox_hf.report.table import Cell, Table, percent
from emobox_hf.results import read_predictions
from emobox_hf.scores import bootstrap_differences, bootstrap_intervals, compute_scores

BASE = "speaker-independent"


def partition_table(runs: Sequence[Run]) -> Table:
    """UA under each kind of folds with an interval over speakers, and its difference from speaker-independent folds.

    All test predictions of a run are scored together, for the folds of a kind test each utterance once; the mean over
    folds stands beside. With several seeds the first is taken.

    Raises:
        InputError: No corpus was run with one encoder under two kinds of folds.
    """
    groups: dict[tuple[str, str], dict[str, Run]] = defaultdict(dict)
    chosen = [run for run in runs if run.settings.experiment == "intra-corpus" and run.kind_of_folds in KINDS_OF_FOLDS]
    for run, name in zip(chosen, name_runs(chosen), strict=True):
        groups[run.corpus, name][run.kind_of_folds] = run
    rows = [row for place, kinds in sorted(groups.items()) if len(kinds) > 1 for row in _rows(place, kinds)]
    if not rows:
        raise InputError(
            "expected runs of one corpus and encoder under two kinds of folds, found none; run `emobox probe` with "
            "--folds si and with --folds random beside the published ones"
        )
    columns = (
        "corpus",
        "encoder",
        "folds",
        "UA",
        "UA from",
        "UA to",
        "mean of folds",
        "over si",
        "over from",
        "over to",
    )
    notes = (
        "UA of all test utterances together, in percent, with a 95 % interval that resamples speakers (utterances "
        "where speakers are unknown). Over si: the difference from speaker-independent folds in points, paired on the "
        "utterances that both tested, with its interval.",
    )
    return Table("What a partition is worth", columns, tuple(rows), notes)


def _rows(place: tuple[str, str], kinds: dict[str, Run]) -> list[tuple[Cell, ...]]:
    tested = {kind: _first_seed(kinds[kind]) for kind in KINDS_OF_FOLDS if kind in kinds}
    rows = []
    for kind, predictions in tested.items():
        keys = sorted(predictions)
        labels = kinds[kind].record.labels
        references, predicted, speakers = _arrays(predictions, keys, labels)
        ua = compute_scores(references, predicted, len(labels)).ua
        interval = bootstrap_intervals(references, predicted, len(labels), speakers=speakers)["ua"]
        mean = kinds[kind].record.summary["ua"]["mean"]
        row: list[Cell] = [*place, kind, *map(percent, (ua, interval.low, interval.high, mean))]
        both = sorted(set(predictions) & set(tested.get(BASE, {})))
        if kind == BASE or not both:
            rows.append((*row, None, None, None))
            continue
        references, predicted, speakers = _arrays(predictions, both, labels)
        _, base, _ = _arrays(tested[BASE], both, labels)
        change = bootstrap_differences(references, predicted, base, len(labels), speakers=speakers)["ua"]
        rows.append((*row, *map(percent, (change.difference, change.interval.low, change.interval.high))))
    return rows


Row = tuple[str, str, str | None]


def _first_seed(run: Run) -> dict[str, Row]:
    """Reference, prediction and speaker of each utterance, by key, of the first seed."""
    columns = read_predictions(run.folder)
    first = columns["seed"][0]
    names = ("key", "seed", "reference", "prediction", "speaker")
    return {
        key: (reference, prediction, speaker)
        for key, seed, reference, prediction, speaker in zip(*(columns[name] for name in names), strict=True)
        if seed == first
    }


def _arrays(
    predictions: dict[str, Row], keys: Sequence[str], labels: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, list[str] | None]:
    rows = [predictions[key] for key in keys]
    speakers = [speaker for _, _, speaker in rows if speaker is not None]
    is_known = len(speakers) == len(rows) and len(set(speakers)) > 1
    references = np.array([labels.index(reference) for reference, _, _ in rows])
    predicted = np.array([labels.index(prediction) for _, prediction, _ in rows])
    return references, predicted, speakers if is_known else None
