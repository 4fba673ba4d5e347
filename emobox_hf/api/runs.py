"""Finished runs as objects: scores, tables, predictions, confusion."""

import html
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emobox_hf.errors import InputError, first_five
from emobox_hf.report.collect import Run as Found
from emobox_hf.report.collect import find_runs, gather_runs
from emobox_hf.report.run_table import run_table
from emobox_hf.report.table import Estimate, Table
from emobox_hf.results import RECORD, RunRecord, RunSettings, read_prediction_table, read_record
from emobox_hf.scores import SCORES, shown_scores

Place = str | os.PathLike[str]


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """A finished run.

    Attributes:
        folder: Where it lies.
        record: Everything that `record.json` says: settings, folds, choices, scores with intervals, versions, machine.
    """

    folder: Path
    record: RunRecord

    @property
    def settings(self) -> RunSettings:
        """What shaped its scores."""
        return self.record.settings

    @property
    def labels(self) -> list[str]:
        """The classes, in the order of every array and matrix."""
        return self.record.labels

    @property
    def scores(self) -> dict[str, float]:
        """Each score by its name, the mean over folds and seeds: `ua`, `wa`, `macro_f1` … as fractions."""
        return {name: one.mean for name, one in self.record.summary.items()}

    @property
    def intervals(self) -> dict[str, tuple[float, float] | None]:
        """The 95 % interval of each score's mean; None where none can be estimated, as from three speakers or fewer."""
        found = {name: one.interval for name, one in self.record.summary.items()}
        return {
            name: None if one is None or one.low is None or one.high is None else (one.low, one.high)
            for name, one in found.items()
        }

    @cached_property
    def predictions(self) -> Any:
        """A row for each fold, seed and test utterance, as an Arrow table: `.to_pandas()` makes a data frame of it.

        Columns are key, speaker, gender, language, sentence, path, fold, seed, reference, prediction, and `p_<label>`
        for each label.

        Raises:
            InputError: They are not there, or damaged.
        """
        return read_prediction_table(self.folder, self.record)

    def confusion(self) -> NDArray[np.int64]:
        """Counts (references, predictions) over all folds and seeds, rows and columns in the order of `labels`."""
        matrices = [fold.scores["confusion_matrix"] for fold in self.record.folds]
        counts: NDArray[np.int64] = np.sum(matrices, axis=0, dtype=np.int64)
        return counts

    def table(self) -> Table:
        """Scores in percent, a row for each fold and seed, and their mean with its interval."""
        shown = shown_scores()
        rows: list[tuple[Any, ...]] = [
            (fold.fold, fold.seed, fold.n_test, *(SCORES[name].scale(fold.scores.get(name)) for name in shown))
            for fold in self.record.folds
        ]
        found = Found(self.folder, self.record)
        rows.append(("mean", None, sum(fold.n_test for fold in self.record.folds), *map(found.estimate, shown)))
        return Table(self._title, ("fold", "seed", "test", *shown.values()), tuple(rows))

    @property
    def _title(self) -> str:
        settings = self.settings
        return f"{settings.partition.name} by {settings.encoder.name}, head {settings.probe.name}"

    def __str__(self) -> str:
        """The table that `emobox probe` prints."""
        return run_table(self.record)

    def __repr__(self) -> str:
        """What was run, its UA, and where it lies."""
        ua = Found(self.folder, self.record).estimate("ua")
        told = f"{ua.value:.1f}" if isinstance(ua, Estimate) else f"{ua:.1f}" if isinstance(ua, float) else "unknown"
        return f"<Run {self._title}: UA {told} %, {self.folder}>"

    def _repr_html_(self) -> str:
        return f"{self.table().to_html()}<p><code>{html.escape(str(self.folder))}</code></p>"


def load_run(place: Place) -> Run:
    """The finished run in a folder, or the only one below it.

    Raises:
        InputError: There is none, or there are several.

    >>> load_run("no/such/folder")
    Traceback (most recent call last):
    ...
    emobox_hf.errors.InputError: no/such/folder: expected a run's folder, found no such folder
    """
    folder = Path(place).expanduser()
    if folder.name == RECORD:
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a run's folder, found no such folder")
    if (folder / RECORD).is_file():
        return Run(folder, read_record(folder))
    found = find_runs(folder)
    if len(found) > 1:
        raise InputError(f"{folder}: expected one run, found {len(found)}: {first_five(run.folder for run in found)}")
    return Run(found[0].folder, found[0].record)


def load_runs(*places: Place) -> list[Run]:
    """The finished runs below some folders, by default below `runs`; each once, oldest first.

    Raises:
        InputError: There is none below one of them, or a record cannot be read.

    >>> load_runs("no/such/folder")
    Traceback (most recent call last):
    ...
    emobox_hf.errors.InputError: no/such/folder: expected finished runs, found no record.json; `emobox probe` makes some
    """
    folders = [Path(place).expanduser() for place in places or ("runs",)]
    return [Run(run.folder, run.record) for run in gather_runs(folders)]
