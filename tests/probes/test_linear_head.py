from itertools import pairwise

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from toy_frames import make_frames, make_splits

from emobox_hf.probes import ProbeSettings, Split, list_jobs
from emobox_hf.probes.train import train_probes

SETTINGS = ProbeSettings(head="linear")


def run(settings, *, splits=None, distance=0.7, labels=None):
    frames, offsets, drawn = make_frames(distance=distance)
    jobs = list_jobs(splits or make_splits(folds=1), settings)
    (result,) = train_probes(frames, offsets, drawn if labels is None else labels, 3, jobs, settings, n_threads=1)
    return result


def pool(distance=0.7):
    frames, offsets, labels = make_frames(distance=distance)
    rows = frames.numpy().astype(np.float64)
    vectors = [rows[a:b].mean(axis=0) for a, b in pairwise(offsets.tolist())]
    return np.array(vectors), labels.numpy()


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("refit", [True, False])
def test_equals_scikit_learn_fitted_directly(standardize, refit):
    vectors, labels = pool()
    split = make_splits(folds=1)["fold1"]

    def fit(items, c):
        centre = vectors[items].mean(0) if standardize else 0.0
        scale = vectors[items].std(0) if standardize else 1.0
        model = LogisticRegression(C=c, max_iter=2000).fit((vectors[items] - centre) / scale, labels[items])
        return lambda others: model.predict_proba((vectors[others] - centre) / scale)

    scores = {}
    for c in SETTINGS.regularisation:
        predicted = fit(split.train, c)(split.validation).argmax(1)
        scores[c] = balanced_accuracy_score(labels[split.validation], predicted)
    best_c = min(c for c, score in scores.items() if score == max(scores.values()))
    items = np.concatenate([split.train, split.validation]) if refit else split.train
    expected = fit(items, best_c)(split.test)

    result = run(ProbeSettings(head="linear", standardize=standardize, refit=refit))
    assert result.chosen == {"c": best_c}
    assert {one.choice["c"]: one.validation_ua for one in result.candidates} == pytest.approx(scores)
    np.testing.assert_allclose(result.test_probabilities, expected, atol=2e-4)


def test_a_tie_goes_to_the_smaller_c():
    result = run(SETTINGS, distance=20.0)
    best = [one.choice["c"] for one in result.candidates if one.validation_ua == 1.0]
    assert len(best) > 1
    assert result.chosen == {"c": min(best)}
    reverse = ProbeSettings(head="linear", regularisation=SETTINGS.regularisation[::-1])
    assert run(reverse, distance=20.0).chosen == result.chosen


def test_classes_missing_from_training_get_probability_zero_and_are_named():
    _, _, labels = make_frames()
    split = make_splits(folds=1)["fold1"]
    keep = split.train[labels.numpy()[split.train] != 1]
    seen = split.validation[labels.numpy()[split.validation] != 1]
    result = run(SETTINGS, splits={"fold1": Split(keep, seen, split.test)})
    assert result.untrained_classes == (1,)
    assert np.all(result.test_probabilities[:, 1] == 0)
    np.testing.assert_allclose(result.test_probabilities.sum(1), 1, atol=1e-6)


def test_an_unfinished_solver_is_recorded_and_prints_nothing(recwarn):
    result = run(ProbeSettings(head="linear", max_iterations=1))
    assert [one.is_converged for one in result.candidates] == [False] * 6
    assert not recwarn.list
    assert all(one.is_converged for one in run(SETTINGS).candidates)
