"""What a table's scores are to be held against where nothing is learned."""

import numpy as np

from emobox_hf.results import RunRecord
from emobox_hf.scores import SCORES


def majority(record: RunRecord, score: str) -> float | None:
    """What always naming the test part's most frequent class scores, mean over folds; of UA that is chance."""
    formula = SCORES[score].of_confusion
    if formula is None:
        return None
    values = []
    for fold in record.folds:
        counts = np.array(fold.scores["confusion_matrix"]).sum(axis=1)
        matrix = np.zeros((len(counts), len(counts)))
        matrix[:, counts.argmax()] = counts
        values.append(float(formula(matrix)))
    return SCORES[score].scale(float(np.mean(values)))
