"""The `linear` head: logistic regression on mean-pooled frames; validation chooses the regularisation."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from emobox_hf.probes.jobs import Candidate, Indices, Job
from emobox_hf.probes.settings import ProbeSettings
from emobox_hf.scores import compute_scores


def train_linear(
    vectors: NDArray[np.float64],
    labels: Indices,
    n_classes: int,
    job: Job,
    settings: ProbeSettings,
    *,
    tick: Callable[[], object],
) -> tuple[list[Candidate], Candidate, NDArray[np.float32]]:
    """Candidates (one a C), the one chosen, and its test probabilities float32 (n_test, n_classes).

    The choice looks at the validation part alone: best UA, of several the smallest C. With `refit` the chosen C is
    then fitted on train and validation together; the candidate keeps the score from before.

    Args:
        vectors: Mean-pooled frames of all utterances, (n, dim).
        labels: int64 (n,).
        n_classes: Number of classes; those without a training utterance get probability 0.
        job: The parts.
        settings: The candidates and the solver's options.
        tick: Called after every candidate; may raise to end the training.
    """

    def fit(items: Indices, c: float) -> Pipeline:
        solver = LogisticRegression(C=c, max_iter=settings.max_iterations)
        steps = [StandardScaler(), solver] if settings.standardize else [solver]
        return make_pipeline(*steps).fit(vectors[items], labels[items])

    candidates, models = [], []
    for c in settings.regularisation:
        model = fit(job.train, c)
        ua = compute_scores(labels[job.validation], model.predict(vectors[job.validation]), n_classes).ua
        candidates.append(Candidate({"c": c}, ua, is_converged=_is_converged(model, settings)))
        models.append(model)
        tick()
    best = max(range(len(candidates)), key=lambda i: (candidates[i].validation_ua, -candidates[i].choice["c"]))
    model = models[best]
    if settings.refit:
        model = fit(np.concatenate([job.train, job.validation]), candidates[best].choice["c"])
    probabilities = np.zeros((len(job.test), n_classes), dtype=np.float32)
    probabilities[:, model.classes_] = model.predict_proba(vectors[job.test])
    return candidates, candidates[best], probabilities


def _is_converged(model: Pipeline, settings: ProbeSettings) -> bool:
    return bool(model[-1].n_iter_.max() < settings.max_iterations)
