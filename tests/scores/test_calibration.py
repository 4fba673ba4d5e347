"""Scores of probabilities against scikit-learn and by hand, and the temperature that mends them."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.metrics import brier_score_loss, log_loss

from emobox_hf.scores import apply_temperature, compute_scores, fit_temperature, score_intervals


def drawn(n=400, *, sharpness=1.0, seed=0):
    """References, and probabilities that are as sure as they are right at a sharpness of 1."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, 4))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    references = np.array([rng.choice(4, p=row) for row in chances])
    sharp = np.exp(sharpness * logits)
    return references, (sharp / sharp.sum(axis=1, keepdims=True)).astype(np.float32)


def scores_of(references, probabilities):
    return compute_scores(references, probabilities.argmax(axis=1), 4, probabilities=probabilities).values


def test_cross_entropy_and_brier_are_scikit_learns():
    references, probabilities = drawn(sharpness=2.0)
    values = scores_of(references, probabilities)
    wide = probabilities.astype(np.float64)
    assert values["nll"] == pytest.approx(log_loss(references, wide / wide.sum(axis=1, keepdims=True)), abs=1e-6)
    expected = brier_score_loss(references, wide / wide.sum(axis=1, keepdims=True), scale_by_half=False)
    assert values["brier"] == pytest.approx(expected, abs=1e-6)


def test_calibration_error_by_hand():
    # Confidence 0.9 and right once of twice; confidence 0.65 and right: (|1.8 - 1| + |0.65 - 1|) / 3.
    probabilities = np.array([[0.9, 0.1], [0.1, 0.9], [0.65, 0.35]], dtype=np.float32)
    values = compute_scores([0, 0, 0], [0, 1, 0], 2, probabilities=probabilities).values
    assert values["ece"] == pytest.approx((0.8 + 0.35) / 3)


def test_a_sure_error_costs_much_but_not_all():
    probabilities = np.array([[1.0, 0.0]], dtype=np.float32)
    assert compute_scores([1], [0], 2, probabilities=probabilities).values["nll"] == pytest.approx(-np.log(1e-7))


def test_calibrated_probabilities_have_a_small_error_and_sharpened_ones_a_large_one():
    assert scores_of(*drawn(4000))["ece"] < 0.03
    assert scores_of(*drawn(4000, sharpness=4.0))["ece"] > 0.15


def test_the_temperature_is_the_best_one_and_undoes_sharpening():
    references, probabilities = drawn(4000, sharpness=3.0)
    logs = np.log(probabilities.astype(np.float64))
    temperature = fit_temperature(logs, references)
    assert temperature == pytest.approx(3.0, rel=0.1)

    def loss(t):
        scaled = logs / t
        return np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(references)), references])

    assert temperature == pytest.approx(minimize_scalar(loss, bounds=(0.5, 10), method="bounded").x, rel=1e-3)
    mended = apply_temperature(probabilities, temperature)
    assert mended.sum(axis=1) == pytest.approx(np.ones(len(references)), abs=1e-5)
    assert (mended.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert scores_of(references, mended)["ece"] < 0.05 < scores_of(references, probabilities)["ece"]


def test_a_faultless_validation_part_asks_for_a_bounded_temperature_and_an_empty_one_for_none():
    logs = np.log(np.array([[0.9, 0.1], [0.2, 0.8]]))
    assert fit_temperature(logs, np.array([0, 1])) == pytest.approx(0.05)
    assert fit_temperature(logs, np.array([1, 0])) == pytest.approx(20.0)
    impossible = np.array([[0.0, -np.inf]])
    assert fit_temperature(impossible, np.array([1])) == 1.0
    assert fit_temperature(np.vstack([logs, impossible]), np.array([0, 0, 1])) == fit_temperature(
        logs, np.array([0, 0])
    )


def test_impossible_classes_stay_so():
    probabilities = np.array([[0.7, 0.3, 0.0]], dtype=np.float32)
    assert apply_temperature(probabilities, 5.0)[0, 2] == 0.0


def test_scores_of_probabilities_have_intervals():
    references, probabilities = drawn()
    speakers = np.arange(400) % 8
    found = score_intervals(references, probabilities.argmax(axis=1), 4, speakers=speakers, probabilities=probabilities)
    values = scores_of(references, probabilities)
    for name in ("nll", "brier", "ece"):
        assert found[name].low < values[name] < found[name].high
