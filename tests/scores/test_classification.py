import dataclasses
import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from emobox_hf.errors import InputError
from emobox_hf.scores import (
    SCORES,
    compute_scores,
    confusion_matrix,
    kappa,
    per_class_f1,
    per_class_precision,
    per_class_support,
    score_confusion,
)

N_CLASSES = 5
LABEL_PAIRS = st.lists(st.tuples(*[st.integers(0, N_CLASSES - 1)] * 2), min_size=1, max_size=60).map(
    lambda pairs: tuple(np.array(pairs).T)
)


def test_hand_worked_case():
    # Class 0: 3 of 4 right; class 1: 1 of 2; class 2: 0 of 1, never predicted; class 3 nowhere.
    scores = compute_scores([0, 0, 0, 0, 1, 1, 2], [0, 0, 0, 1, 1, 0, 1], 4)
    assert scores.confusion_matrix == ((3, 1, 0, 0), (1, 1, 0, 0), (0, 1, 0, 0), (0, 0, 0, 0))
    assert scores.recall == (0.75, 0.5, 0.0, None)
    assert scores.n == 7
    assert scores.absent_classes == (3,)
    assert scores.ua == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    assert scores.wa == pytest.approx(4 / 7)
    # F1: 6/8, 2/5, 0; class 3 occurs nowhere and does not count.
    assert scores.macro_f1 == pytest.approx((6 / 8 + 2 / 5 + 0) / 3)
    assert scores.weighted_f1 == pytest.approx((4 * 6 / 8 + 2 * 2 / 5) / 7)


def test_predicting_the_frequent_class_pays_in_accuracy_alone():
    scores = compute_scores([0] * 9 + [1], [0] * 10, 2)
    assert (scores.wa, scores.ua) == (0.9, 0.5)


def test_class_that_is_only_predicted_counts_in_macro_f1_but_not_in_ua():
    scores = compute_scores([0, 0], [0, 1], 2)
    assert scores.ua == 0.5
    assert scores.recall == (0.5, None)
    assert scores.macro_f1 == pytest.approx((2 / 3 + 0) / 2)
    assert scores.absent_classes == (1,)


@given(LABEL_PAIRS)
def test_every_score_equals_scikit_learn(pair):
    references, predictions = pair
    confusion = confusion_matrix(references, predictions, N_CLASSES)
    scores = compute_scores(references, predictions, N_CLASSES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class that is only predicted
        assert scores.ua == pytest.approx(metrics.balanced_accuracy_score(references, predictions), abs=1e-12)
    assert scores.wa == pytest.approx(metrics.accuracy_score(references, predictions), abs=1e-12)
    for name, average in (("macro_f1", "macro"), ("weighted_f1", "weighted")):
        expected = metrics.f1_score(references, predictions, average=average, zero_division=0)
        assert getattr(scores, name) == pytest.approx(expected, abs=1e-12)

    labels = range(N_CLASSES)
    np.testing.assert_array_equal(confusion, metrics.confusion_matrix(references, predictions, labels=labels))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        references, predictions, labels=labels, zero_division=0
    )
    np.testing.assert_allclose(per_class_precision(confusion), precision, atol=1e-12)
    np.testing.assert_allclose([value or 0.0 for value in scores.recall], recall, atol=1e-12)
    np.testing.assert_allclose(per_class_f1(confusion), f1, atol=1e-12)
    np.testing.assert_array_equal(per_class_support(confusion), support)
    assert scores.absent_classes == tuple(np.flatnonzero(support == 0))


@given(LABEL_PAIRS)
def test_classes_that_never_occur_change_no_score(pair):
    small, large = compute_scores(*pair, N_CLASSES), compute_scores(*pair, N_CLASSES + 3)
    for name in small.values:
        assert small.values[name] == pytest.approx(large.values[name], abs=1e-12)
    assert set(large.absent_classes) - set(small.absent_classes) == {5, 6, 7}


@given(LABEL_PAIRS, st.randoms(use_true_random=False))
def test_order_of_utterances_has_no_effect(pair, random):
    order = random.sample(range(len(pair[0])), len(pair[0]))
    assert compute_scores(*pair, N_CLASSES) == compute_scores(pair[0][order], pair[1][order], N_CLASSES)


@given(st.lists(LABEL_PAIRS, min_size=1, max_size=4))
def test_stacked_matrices_score_like_single_ones(pairs):
    confusions = np.stack([confusion_matrix(*pair, N_CLASSES) for pair in pairs])
    formulas = {name: score.of_confusion for name, score in SCORES.items() if score.of_confusion is not None}
    assert "ua" in formulas
    for name, formula in formulas.items():
        singles = [score_confusion(confusion).values[name] for confusion in confusions]
        np.testing.assert_allclose(formula(confusions), singles, atol=1e-12)


def test_scores_are_json_and_compare():
    scores = compute_scores(np.array([0, 1], dtype=np.int8), np.array([0, 0], dtype=np.uint64), 3)
    assert json.loads(json.dumps(dataclasses.asdict(scores)))["recall"] == [1.0, 0.0, None]
    assert scores == compute_scores([0, 1], [0, 0], 3)


@pytest.mark.parametrize(
    ("references", "predictions", "n_classes", "message"),
    [
        ([], [], 2, "references are empty"),
        ([0, 1], [0], 2, "found 1 predictions and 2 references"),
        ([0, 1], [0, 2], 2, "predictions from 0 to 1 .* found 2"),
        ([0, -1], [0, 1], 2, "references from 0 to 1 .* found -1"),
        ([0, 1], [0.2, 0.8], 2, "whole numbers .* float64 .* argmax"),
        ([0, 1], [[0.2, 0.8], [0.1, 0.9]], 2, "shape \\(2, 2\\)"),
        ([0, 1], [0, None], 2, "found object"),
        ([0, 1], ["sad", "angry"], 2, "whole numbers"),
        ([True], [True], 2, "found bool"),
        ([0], [0], 0, "number of classes of at least 1, found 0"),
    ],
)
def test_bad_input_is_refused(references, predictions, n_classes, message):
    with pytest.raises(InputError, match=message):
        compute_scores(references, predictions, n_classes)


def test_kappa_is_scikit_learn_s_and_undefined_where_chance_is_certain():
    random = np.random.default_rng(0)
    references, predictions = random.integers(0, 4, 200), random.integers(0, 4, 200)
    predictions[:120] = references[:120]
    ours = float(kappa(confusion_matrix(references, predictions, 5)))
    assert ours == pytest.approx(metrics.cohen_kappa_score(references, predictions))
    assert np.isnan(kappa(confusion_matrix([1, 1], [1, 1], 3)))
