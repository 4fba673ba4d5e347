import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from toy_frames import make_frames, make_splits, pool

from emobox_hf.errors import InputError
from emobox_hf.probes import Job, LinearHead, Split, linear, list_jobs
from emobox_hf.probes.lbfgs import minimize_stack
from emobox_hf.probes.linear import train_linear_probes

SETTINGS = LinearHead()


def make_vectors(n, dim, *, n_classes=4, n_layers=1, distance=1.0, seed=0):
    """Vectors float32 (n, layers, dim) with a steep spectrum, as encoders give them, and labels (n,)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n)
    hidden = rng.standard_normal((n, 24)) + distance * rng.standard_normal((n_classes, 24))[labels]
    spectrum = np.arange(1, 25) ** -0.7
    vectors = np.stack(
        [
            (hidden * spectrum) @ rng.standard_normal((24, dim)) + 0.1 * rng.standard_normal((n, dim)) + 3
            for _ in range(n_layers)
        ],
        axis=1,
    )
    return torch.from_numpy(vectors.astype(np.float32)), labels


def thirds(n):
    parts = np.array_split(np.random.default_rng(1).permutation(n), [n * 3 // 5, n * 4 // 5])
    return Split(*parts)


def fit_scikit_learn(vectors, labels, items, c, *, standardize=True):
    solver = LogisticRegression(C=c, tol=1e-8, max_iter=100_000)
    scaler = StandardScaler(with_std=standardize)
    return make_pipeline(scaler, solver).fit(vectors[items].astype(np.float64), labels[items])


def predict_scikit_learn(model, vectors, items, n_classes):
    probabilities = np.zeros((len(items), n_classes))
    probabilities[:, model.classes_] = model.predict_proba(vectors[items].astype(np.float64))
    return probabilities


def run(settings, *, splits=None, distance=0.7, labels=None):
    frames, offsets, drawn = make_frames(distance=distance)
    jobs = list_jobs(splits or make_splits(folds=1), settings.seeds)
    labels = drawn if labels is None else labels
    (found,) = train_linear_probes(pool(frames, offsets)[:, None], labels, 3, [12], jobs, settings)
    return found.by_layer[0]


@pytest.mark.parametrize("c", [1e-4, 1e-2, 1e0, 1e1])
@pytest.mark.parametrize(
    ("n", "dim", "present"),
    [(90, 160, (0, 1, 2, 3)), (400, 30, (0, 1, 2, 3)), (120, 120, (0, 2, 3)), (90, 160, (1, 3)), (400, 30, (0, 3))],
    ids=["n<dim", "n>dim", "a class absent", "two classes, n<dim", "two classes, n>dim"],
)
@pytest.mark.parametrize("refit", [True, False])
def test_probabilities_are_those_of_scikit_learn_at_convergence(n, dim, present, c, refit):
    vectors, labels = make_vectors(n, dim, distance=0.6)
    split = thirds(n)
    keep = [part[np.isin(labels[part], present)] for part in (split.train, split.validation)]
    settings = LinearHead(regularisation=(c,), refit=refit)
    jobs = list_jobs({"fold1": Split(*keep, split.test)}, settings.seeds)
    ((result,),) = (one.by_layer for one in train_linear_probes(vectors, labels, 4, [7], jobs, settings))
    items = np.concatenate(keep) if refit else keep[0]
    plain = vectors[:, 0].numpy()
    expected = predict_scikit_learn(fit_scikit_learn(plain, labels, items, c), plain, split.test, 4)
    np.testing.assert_allclose(result.test_probabilities, expected, atol=1e-3)
    (candidate,) = result.candidates
    assert candidate.is_converged
    validated = predict_scikit_learn(fit_scikit_learn(plain, labels, keep[0], c), plain, keep[1], 4)
    loss = log_loss(labels[keep[1]], validated, labels=range(4))
    assert candidate.validation_loss == pytest.approx(loss, rel=5e-3)
    assert candidate.validation_ua == balanced_accuracy_score(labels[keep[1]], validated.argmax(1))
    assert set(present) | set(result.untrained_classes) == {0, 1, 2, 3}


@pytest.mark.parametrize("standardize", [True, False])
def test_each_layer_and_fold_chooses_its_own_c_by_validation(standardize, monkeypatch):
    monkeypatch.setattr(linear, "LAYERS_AT_ONCE", 2)
    vectors, labels = make_vectors(100, 40, n_layers=3, distance=0.5)
    settings = LinearHead(regularisation=(1e-1, 1e-4, 1e-2), standardize=standardize, refit=False)
    jobs = list_jobs(make_splits(100), settings.seeds)
    outcomes = train_linear_probes(vectors, labels, 4, [3, 6, 9], jobs, settings)
    for job, outcome in zip(jobs, outcomes, strict=True):
        for layer, result in enumerate(outcome.by_layer):
            plain = vectors[:, layer].numpy()
            models = {
                c: fit_scikit_learn(plain, labels, job.train, c, standardize=standardize)
                for c in settings.regularisation
            }
            scores = {
                c: balanced_accuracy_score(labels[job.validation], model.predict(plain[job.validation]))
                for c, model in models.items()
            }
            assert {one.choice["c"]: one.validation_ua for one in result.candidates} == pytest.approx(scores)
            assert [one.choice["c"] for one in result.candidates] == [1e-1, 1e-4, 1e-2]
            best_c = min(c for c, score in scores.items() if score == max(scores.values()))
            assert result.chosen == {"c": best_c, "layer": [3, 6, 9][layer]}
            expected = predict_scikit_learn(models[best_c], plain, job.test, 4)
            np.testing.assert_allclose(result.test_probabilities, expected, atol=1e-3)
            assert result.layer_weights is None


def test_the_best_layer_has_the_best_ua_then_the_lower_loss_then_comes_first():
    vectors, labels = make_vectors(120, 20, distance=6.0)  # a layer that tells all classes apart
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal((120, 1, 20)).astype(np.float32))
    blurred = vectors + 0.5 * noise
    settings = LinearHead(regularisation=(1e-2,))
    jobs = list_jobs(make_splits(120, folds=1), settings.seeds)

    def probe(*layers):
        (found,) = train_linear_probes(torch.cat(layers, dim=1), labels, 4, range(len(layers)), jobs, settings)
        return found

    assert probe(noise, vectors, vectors).best == 1
    clear, unclear = probe(vectors, blurred).by_layer
    assert clear.validation_ua == unclear.validation_ua == 1.0
    losses = [one.candidates[0].validation_loss for one in (clear, unclear)]
    assert losses[0] != losses[1]
    assert probe(vectors, blurred).best == int(np.argmin(losses))
    assert probe(blurred, vectors).best == 1 - int(np.argmin(losses))


def test_the_weighted_sum_leans_on_the_layer_that_tells_and_beats_an_even_mean():
    vectors, labels = make_vectors(200, 20, distance=2.0)
    noise = np.random.default_rng(3).standard_normal((200, 4, 20)).astype(np.float32)
    layers = torch.cat([torch.from_numpy(noise[:, :2]), vectors, torch.from_numpy(noise[:, 2:])], dim=1)
    jobs = list_jobs(make_splits(200, folds=2), SETTINGS.seeds)
    outcomes = train_linear_probes(layers, labels, 4, range(5), jobs, SETTINGS)
    scaled = (layers - layers.mean(0)) / layers.std(0)
    even = train_linear_probes(scaled.mean(dim=1, keepdim=True), labels, 4, [0], jobs, SETTINGS)
    for job, one, other in zip(jobs, outcomes, even, strict=True):
        weights = one.weighted.layer_weights
        assert sum(weights) == pytest.approx(1)
        assert int(np.argmax(weights)) == 2
        assert weights[2] > 0.5
        assert one.weighted.chosen.keys() == {"c"}
        losses = [log_loss(labels[job.test], found.test_probabilities) for found in (one.weighted, other.by_layer[0])]
        assert losses[0] < losses[1]
        assert other.weighted is None


def test_the_weighted_sums_gradient_is_that_of_its_objective():
    from emobox_hf.probes.weighted import _Joint

    rng = torch.Generator().manual_seed(0)
    vectors = torch.randn(3, 11, 5, generator=rng)
    targets = torch.nn.functional.one_hot(torch.arange(11) % 4, 4).T.double()
    joint = _Joint(vectors, targets, torch.ones(4, dtype=torch.bool), torch.tensor([0.5, 3.0], dtype=torch.float64))
    numbers = torch.randn(2, 4 * 6 + 3, generator=rng, dtype=torch.float64)
    value, gradient = joint.evaluate(numbers)

    leaf = numbers.clone().requires_grad_()
    classifier, scores = leaf[:, :24].reshape(2, 4, 6), leaf[:, 24:]
    mixed = torch.einsum("sl,lnd->snd", scores.softmax(1), vectors.double())
    logits = torch.einsum("scd,snd->snc", classifier[:, :, :5], mixed) + classifier[:, None, :, 5]
    loss = -(logits.log_softmax(2) * targets.T).sum((1, 2))
    penalty = (classifier[:, :, :5] ** 2).sum((1, 2)) + (scores**2).sum(1)
    expected = loss + 0.5 * joint.penalty * penalty
    expected.sum().backward()
    torch.testing.assert_close(value, expected.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient, leaf.grad, rtol=1e-4, atol=1e-4)


def test_lbfgs_finds_the_minimum_of_each_problem_of_a_stack():
    """Rosenbrock's valley from two starts, one of them the minimum itself, which is left as it is."""

    def rosenbrock(numbers):
        leaf = numbers.clone().requires_grad_()
        value = 100 * (leaf[:, 1] - leaf[:, 0] ** 2) ** 2 + (1 - leaf[:, 0]) ** 2 + 1
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
        return value.detach(), gradient

    start = torch.tensor([[-1.2, 1.0], [1.0, 1.0]], dtype=torch.float64)
    found, is_done = minimize_stack(rosenbrock, start, lambda g: g / 100, tolerance=1e-12, max_steps=200)
    assert is_done.all()
    torch.testing.assert_close(found, torch.ones_like(found), rtol=0, atol=1e-4)
    _, is_done = minimize_stack(rosenbrock, start, lambda g: g / 100, tolerance=1e-12, max_steps=3)
    assert is_done.tolist() == [False, True]


def test_a_tie_goes_to_the_smaller_c():
    result = run(SETTINGS, distance=20.0)
    best = [one.choice["c"] for one in result.candidates if one.validation_ua == 1.0]
    assert len(best) > 1
    assert result.chosen == {"c": min(best), "layer": 12}
    reverse = LinearHead(regularisation=SETTINGS.regularisation[::-1])
    assert run(reverse, distance=20.0).chosen == result.chosen


def test_classes_missing_from_training_get_probability_zero_and_are_named():
    _, _, labels = make_frames()
    split = make_splits(folds=1)["fold1"]
    keep = split.train[labels.numpy()[split.train] != 1]
    result = run(SETTINGS, splits={"fold1": Split(keep, split.validation, split.test)})
    assert result.untrained_classes == (1,)
    assert all(math.isfinite(one.validation_loss) for one in result.candidates)
    only = split.validation[labels.numpy()[split.validation] == 1]
    without_refit = LinearHead(refit=False)
    result = run(without_refit, splits={"fold1": Split(keep, only, split.test)})
    assert [one.validation_loss for one in result.candidates] == [None] * len(result.candidates)
    assert np.all(result.test_probabilities[:, 1] == 0)
    np.testing.assert_allclose(result.test_probabilities.sum(1), 1, atol=1e-6)


def test_dimensions_that_do_not_vary_and_utterances_that_repeat_do_no_harm():
    vectors, labels = make_vectors(60, 100)
    vectors[:, :, :30] = 5.0
    vectors[1::2], labels[1::2] = vectors[::2].clone(), labels[::2]
    split = thirds(60)
    jobs = [Job("fold1", *split, seed=0)]
    settings = LinearHead(regularisation=(1.0,), refit=False)
    (found,) = train_linear_probes(vectors, labels, 4, [0], jobs, settings)
    plain = vectors[:, 0].numpy()
    expected = predict_scikit_learn(fit_scikit_learn(plain, labels, split.train, 1.0), plain, split.test, 4)
    np.testing.assert_allclose(found.by_layer[0].test_probabilities, expected, atol=1e-3)


def test_an_unfinished_solver_is_recorded_and_prints_nothing(recwarn):
    result = run(LinearHead(max_iterations=1))
    assert [one.is_converged for one in result.candidates][2:] == [False] * 5
    assert not recwarn.list
    assert all(one.is_converged for one in run(SETTINGS).candidates)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v[:, 0], r"\(60, 2\)|floating point \(60, 1, dim\)"),
        (lambda v: v[:-1], r"floating point \(60, 1, dim\), not torch.float32 \(59, 1, 8\)"),
        (lambda v: v.long(), "floating point"),
        (lambda v: torch.where(v == v.max(), torch.nan, v), "some are not"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(change, message):
    frames, offsets, labels = make_frames()
    vectors = change(pool(frames, offsets)[:, None])
    with pytest.raises(InputError, match=message):
        train_linear_probes(vectors, labels, 3, [0], list_jobs(make_splits(), SETTINGS.seeds), SETTINGS)
