"""Whether probabilities are as sure as they are right: calibration error, and the temperature that mends it."""

from typing import Any

import numpy as np
import numpy.typing as npt

from emobox_hf.scores.classification import Floats

N_BINS = 15  # of confidence, of equal width, as usual (Guo et al. 2017)
LEAST = 1e-7  # of a probability, in the logarithm: what float32 tells from 0 beside 1
LOWEST, HIGHEST = 0.05, 20.0  # temperatures; validation parts without a fault would ask for 0


def find_bins(confidence: Floats) -> npt.NDArray[np.int64]:
    """The bin of each confidence, int64 (n,), from 0 to `N_BINS` - 1; a bin holds its upper bound."""
    return np.clip(np.ceil(confidence * N_BINS).astype(np.int64) - 1, 0, N_BINS - 1)


def label_margins(probabilities: npt.NDArray[Any], references: npt.NDArray[np.int64]) -> Floats:
    """Probability of each row's label minus the highest of the others (n,), -1 to 1; below 0 the label is doubted."""
    rows, others = np.arange(len(references)), probabilities.copy()
    others[rows, references] = -np.inf
    return np.asarray(probabilities[rows, references] - others.max(axis=1), dtype=np.float64)


def bin_terms(probabilities: npt.NDArray[np.float32], is_right: npt.NDArray[np.bool_]) -> Floats:
    """What each utterance adds to the bins of confidence, float64 (n, 3 * bins): one, its confidence, whether right."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    place = find_bins(confidence)
    terms = np.zeros((len(confidence), 3, N_BINS))
    rows = np.arange(len(confidence))
    for index, value in enumerate((1.0, confidence, is_right)):
        terms[rows, index, place] = value
    return terms.reshape(len(confidence), -1)


def calibration_error(sums: Floats) -> Floats:
    """Expected calibration error (...) of the sums of `bin_terms` (..., 3 * bins): mean |confidence - accuracy|."""
    counts, confidence, right = np.moveaxis(sums.reshape(*sums.shape[:-1], 3, N_BINS), -2, 0)
    return np.asarray(np.abs(confidence - right).sum(axis=-1) / counts.sum(axis=-1), dtype=np.float64)


def true_class_log(probabilities: npt.NDArray[np.float32], references: npt.NDArray[np.int64]) -> Floats:
    """Minus the logarithm of the true class's probability (n,), which is taken as `LEAST` at least."""
    chosen = probabilities[np.arange(len(references)), references].astype(np.float64)
    return np.asarray(-np.log(np.maximum(chosen, LEAST)))


def squared_error(probabilities: npt.NDArray[np.float32], references: npt.NDArray[np.int64]) -> Floats:
    """Sum over classes of the squared difference from the true class's one-hot vector (n,), 0 to 2."""
    errors = probabilities.astype(np.float64)
    errors[np.arange(len(references)), references] -= 1
    return np.asarray(np.square(errors).sum(axis=1))


def fit_temperature(log_probabilities: Floats, references: npt.NDArray[np.int64]) -> float:
    """The temperature T that gives softmax(log p / T) the least cross-entropy (Guo et al. 2017).

    Args:
        log_probabilities: Of a validation part (n, classes), or logits; minus infinity for a class that is impossible.
        references: int64 (n,); those of a class that is impossible tell nothing and are passed over.

    Returns:
        Between `LOWEST` and `HIGHEST`; 1 where nothing tells.
    """
    logs = np.maximum(np.asarray(log_probabilities, dtype=np.float64), -1e4)
    told = logs[np.arange(len(references)), references] > -1e4
    logs, true = logs[told], references[told]
    if not len(logs):
        return 1.0
    logs = logs - logs.max(axis=1, keepdims=True)
    true_logs = logs[np.arange(len(true)), true]

    def slope(inverse: float) -> float:
        """Of the cross-entropy in 1 / T, in which it is convex."""
        weights = np.exp(inverse * logs)
        expected = (weights * logs).sum(axis=1) / weights.sum(axis=1)
        return float((expected - true_logs).mean())

    low, high = np.log(1 / HIGHEST), np.log(1 / LOWEST)
    for _ in range(50):  # halves an interval of 6 to below what float64 tells apart
        middle = (low + high) / 2
        low, high = (middle, high) if slope(float(np.exp(middle))) < 0 else (low, middle)
    return float(np.exp(-(low + high) / 2))


def apply_temperature(probabilities: npt.NDArray[np.float32], temperature: float) -> npt.NDArray[np.float32]:
    """Probabilities float32 (n, classes) at another temperature, each row adding up to 1."""
    logs = np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny)) / temperature
    weights = np.where(probabilities > 0, np.exp(logs - logs.max(axis=1, keepdims=True)), 0.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)
