"""A run's predictions as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emobox_hf.report.collect import Run
from emobox_hf.results import PREDICTIONS, number_references, read_prediction_table


@dataclass(frozen=True, eq=False)
class Tested:
    """The test parts of a run, a row an utterance, fold and seed.

    Attributes:
        labels: The classes.
        keys: Arrow array of the utterances.
        paths: Arrow array of the file of each.
        speaker_names: Those that are known.
        speakers: Index of each row's, int64 (n,); -1 where it is not known.
        references: Class of each, int64 (n,).
        probabilities: float32 (n, classes).
        predicted: The likeliest class, int64 (n,).
    """

    labels: tuple[str, ...]
    keys: Any
    paths: Any
    speaker_names: Sequence[str]
    speakers: NDArray[np.int64]
    references: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    predicted: NDArray[np.int64]

    def list_paths(self, rows: Sequence[int]) -> list[str]:
        """The files of some rows' utterances, relative to the corpus's folder."""
        paths: list[str] = self.paths.take(np.array(rows, dtype=np.int64)).to_pylist()
        return paths

    def speaker(self, row: int) -> str | None:
        """Who speaks in a row."""
        return self.speaker_names[self.speakers[row]] if self.speakers[row] >= 0 else None


def read_tested(run: Run) -> Tested | None:
    """The predictions of a run; None where its folder holds a record alone.

    Raises:
        InputError: They are damaged, or do not have the record's labels.
    """
    if not (run.folder / PREDICTIONS).is_file():
        return None
    labels = tuple(run.record.labels)
    names = ["key", "path", "speaker", "reference", *(f"p_{one}" for one in labels)]
    columns = read_prediction_table(run.folder, run.record, names)
    speakers = columns["speaker"].combine_chunks().dictionary_encode()
    probabilities = np.stack([columns[f"p_{label}"].to_numpy() for label in labels], axis=1)
    return Tested(
        labels=labels,
        keys=columns["key"],
        paths=columns["path"],
        speaker_names=speakers.dictionary.to_pylist(),
        speakers=speakers.indices.fill_null(-1).to_numpy().astype(np.int64),
        references=number_references(run.folder, columns, labels),
        probabilities=probabilities,
        predicted=probabilities.argmax(axis=1),
    )
