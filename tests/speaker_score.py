"""A score that is no function of one confusion matrix, as a test of what adding one takes."""

import numpy as np

from emobox_hf.scores import Rows, Score, confusion_matrix, ua


def _mean_over_speakers(rows: Rows) -> float:
    speakers = np.array([str(speaker) for speaker in rows.speakers or ()])
    by_speaker = (np.flatnonzero(speakers == name) for name in np.unique(speakers))
    matrices = [confusion_matrix(rows.references[own], rows.predictions[own], rows.n_classes) for own in by_speaker]
    return float(np.mean([ua(matrix) for matrix in matrices]))


SPEAKER_UA = Score(
    name="speaker_ua",
    title="UA by speaker",
    text="mean over speakers of the UA of each.",
    compute=_mean_over_speakers,
    needs=("speakers",),
)
