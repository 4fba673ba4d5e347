"""The `linear` head: logistic regression on mean vectors, of each layer and of their learned weighted sum."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from emobox_hf.errors import InputError
from emobox_hf.probes.data import check_jobs, check_labels, untrained_classes
from emobox_hf.probes.heads import LinearHead
from emobox_hf.probes.jobs import Candidate, Indices, Job, LayerProbes, Learned, ProbeResult
from emobox_hf.probes.logistic import (
    Scaler,
    fit_scaler,
    from_dimensions,
    make_problems,
    minimize,
    penalties,
    predict_log,
    to_dimensions,
)
from emobox_hf.probes.weighted import WeightedSum, fit_weighted_sum
from emobox_hf.probes.workers import Tick, run_units
from emobox_hf.scores import compute_scores, fit_temperature

LAYERS_AT_ONCE = 4
"""Layers of a job that one core solves together; few enough that a job's layers keep several cores busy."""
STACK_BYTES = 2**30
"""What the scaled vectors of the layers that are solved together may take up."""


@dataclass(frozen=True, eq=False)
class _Corpus:
    """Labelled mean vectors: float32 (n, layers, dim) on the device, labels int64 (n,), the layers' numbers."""

    vectors: torch.Tensor
    labels: Indices
    n_classes: int
    layers: tuple[int, ...]


@dataclass(frozen=True)
class _Unit:
    """Layers of a job that are fitted together, by index; or the weighted sum of all its layers."""

    job: int
    layers: slice
    is_weighted: bool


def train_linear_probes(
    vectors: torch.Tensor,
    labels: NDArray[np.int64] | torch.Tensor,
    n_classes: int,
    layers: Sequence[int],
    jobs: Sequence[Job],
    settings: LinearHead,
    *,
    device: str | torch.device = "cpu",
    n_threads: int | None = None,
    progress: bool = False,
) -> list[LayerProbes]:
    """Fit and apply a probe to each layer and, of several, to their learned weighted sum; one outcome a job, in order.

    Solutions are those of scikit-learn's LogisticRegression, to convergence. The choice of C looks at the validation
    part alone: the best UA, of several the smallest C. With `refit` the chosen C is then fitted on train and validation
    together; candidates keep the scores from before. Classes that training lacks get probability 0. On a CPU a job's
    results depend on nothing but the job, to the bit.

    Args:
        vectors: Mean over the frames of each utterance, float32 (n, layers, dim).
        labels: int64 (n,), from 0 to n_classes - 1.
        n_classes: Number of classes, whether or not each occurs.
        layers: Their names, as results give them.
        jobs: What to train.
        settings: How.
        device: Where to compute, in float64 and float32; a device without float64 (mps) leaves it to the CPU.
        n_threads: Units of work side by side on a CPU; without it, the cores this process may use, divided by
            `$LOCAL_WORLD_SIZE`.
        progress: Show how far the work is, see `emobox_hf.progress`.

    Raises:
        InputError: The arrays do not fit each other, vectors are not finite, a label is out of range, or a job has an
            empty part, shares utterances between parts or trains on a single class.
    """
    classes = check_labels(labels, n_classes)
    if vectors.ndim != 3 or vectors.shape[:2] != (len(classes), len(layers)) or not vectors.is_floating_point():
        raise InputError(
            f"vectors of {len(classes)} labelled utterances and {len(layers)} layers are floating point "
            f"({len(classes)}, {len(layers)}, dim), not {vectors.dtype} {tuple(vectors.shape)}"
        )
    if not bool(torch.isfinite(vectors).all()):
        raise InputError("vectors are finite numbers; some are not: extract the features again")
    check_jobs(jobs, classes)
    place = torch.device("cpu" if torch.device(device).type == "mps" else device)
    corpus = _Corpus(vectors.to(place), classes, n_classes, tuple(layers))
    units = _list_units(corpus, len(jobs))

    def work(unit: _Unit, tick: Tick) -> list[ProbeResult]:
        if unit.is_weighted:
            return [_fit_sum(corpus, jobs[unit.job], settings, tick)]
        return _fit_layers(corpus, jobs[unit.job], unit.layers, settings, tick)

    total = len(jobs) * (len(layers) + (len(layers) > 1)) * len(settings.regularisation)
    outcomes = run_units(work, units, device=place, n_threads=n_threads, total=total, progress=progress)
    by_job: list[list[ProbeResult]] = [[] for _ in jobs]
    for unit, results in zip(units, outcomes, strict=True):
        by_job[unit.job] += results
    return [_gather_layers(results, len(layers)) for results in by_job]


def _list_units(corpus: _Corpus, n_jobs: int) -> list[_Unit]:
    """Units of all jobs: job by job the layers in order, then their weighted sum."""
    n, n_layers, dim = corpus.vectors.shape
    most = LAYERS_AT_ONCE if corpus.vectors.device.type == "cpu" else n_layers
    size = max(1, min(most, STACK_BYTES // (8 * n * dim)))
    units = []
    for job in range(n_jobs):
        units += [_Unit(job, slice(start, start + size), False) for start in range(0, n_layers, size)]
        units += [_Unit(job, slice(0, n_layers), True)] if n_layers > 1 else []
    return units


def _gather_layers(results: Sequence[ProbeResult], n_layers: int) -> LayerProbes:
    by_layer = tuple(results[:n_layers])
    losses = [_chosen_loss(one) for one in by_layer]
    best = max(range(n_layers), key=lambda layer: (by_layer[layer].validation_ua, -losses[layer]))
    return LayerProbes(by_layer, best, results[n_layers] if n_layers > 1 else None)


def _chosen_loss(result: ProbeResult) -> float:
    chosen = next(one for one in result.candidates if one.choice["c"] == result.chosen["c"])
    return math.inf if chosen.validation_loss is None else chosen.validation_loss


def _fit_layers(corpus: _Corpus, job: Job, layers: slice, settings: LinearHead, tick: Tick) -> list[ProbeResult]:
    """A result for each of some layers of a job."""
    started = time.perf_counter()
    cs = sorted(settings.regularisation)
    scaler, scaled = _scale(corpus, job.train, layers, settings)
    problems = make_problems(scaled, corpus.labels[job.train], corpus.n_classes)
    unseen = scaler.apply(corpus.vectors[job.validation, layers])
    n_layers = len(scaled)
    solutions = [problems.features.new_zeros((n_layers, corpus.n_classes, problems.features.shape[2]))]
    found, weights = [], []
    for c in cs:
        penalty = penalties(solutions[0].new_full((n_layers,), c), problems.is_present)
        solution, is_solved = minimize(
            problems, penalty, _extrapolate(solutions, cs), max_steps=settings.max_iterations
        )
        solutions.append(solution)
        weights.append(to_dimensions(solution, problems, scaled))
        found.append((predict_log(weights[-1], unseen, problems.is_present), is_solved))
        tick(n_layers)
    candidates = [
        _candidates(corpus, job, settings, cs, [(logs[k], is_solved[k]) for logs, is_solved in found])
        for k in range(n_layers)
    ]
    chosen = [_choose(one) for one in candidates]
    numbers = [cs.index(one.choice["c"]) for one in chosen]
    temperatures = [_fit_temperature(corpus, job, found[number][0][k]) for k, number in enumerate(numbers)]
    models = torch.stack([weights[number][k] for k, number in enumerate(numbers)])
    if settings.refit:
        items = np.concatenate([job.train, job.validation])
        before = scaler
        scaler, scaled = _scale(corpus, items, layers, settings)
        problems = make_problems(scaled, corpus.labels[items], corpus.n_classes)
        penalty = penalties(torch.tensor([one.choice["c"] for one in chosen]).to(models), problems.is_present)
        start = from_dimensions(_rescale(models, before, scaler), problems, scaled)
        solution, _ = minimize(problems, penalty, start, max_steps=settings.max_iterations)
        models = to_dimensions(solution, problems, scaled)
    logs = predict_log(models, scaler.apply(corpus.vectors[job.test, layers]), problems.is_present)
    seconds = (time.perf_counter() - started) / n_layers
    return [
        _result(
            corpus,
            job,
            candidates[k],
            one,
            one.choice | {"layer": name},
            logs[k],
            seconds,
            temperature=temperatures[k],
            learned=_keep([name], scaler.take(k), models[k], problems.is_present),
        )
        for k, (one, name) in enumerate(zip(chosen, corpus.layers[layers], strict=True))
    ]


def _fit_sum(corpus: _Corpus, job: Job, settings: LinearHead, tick: Tick) -> ProbeResult:
    """The result of the learned weighted sum of all layers of a job."""
    started = time.perf_counter()
    cs = sorted(settings.regularisation)

    def fit(items: Indices, some: Sequence[float]) -> tuple[Scaler, WeightedSum]:
        scaler, scaled = _scale(corpus, items, slice(None), settings)
        options = torch.tensor(some, dtype=torch.float64, device=scaled.device)
        labels = corpus.labels[items]
        return scaler, fit_weighted_sum(scaled, labels, corpus.n_classes, options, max_steps=settings.max_iterations)

    scaler, fitted = fit(job.train, cs)
    logs = fitted.predict_log(scaler.apply(corpus.vectors[job.validation]))
    tick(len(cs))
    candidates = _candidates(corpus, job, settings, cs, list(zip(logs, fitted.is_converged, strict=True)))
    chosen = _choose(candidates)
    which = cs.index(chosen.choice["c"])
    temperature = _fit_temperature(corpus, job, logs[which])
    if settings.refit:
        scaler, fitted = fit(np.concatenate([job.train, job.validation]), [chosen.choice["c"]])
        which = 0
    log = fitted.predict_log(scaler.apply(corpus.vectors[job.test]))[which]
    shares = tuple(fitted.scores[which].softmax(dim=0).tolist())
    seconds = time.perf_counter() - started
    return _result(
        corpus,
        job,
        candidates,
        chosen,
        chosen.choice,
        log,
        seconds,
        temperature=temperature,
        layer_weights=shares,
        learned=_keep(corpus.layers, scaler, fitted.classifier[which], fitted.is_present, fitted.scores[which]),
    )


def apply_linear_probes(
    vectors: torch.Tensor, layers: Sequence[int], learned: Sequence[Learned], *, device: str | torch.device = "cpu"
) -> NDArray[np.float32]:
    """Probabilities float32 (probes, n, classes) that trained probes give each utterance.

    Args:
        vectors: Mean over the frames of each utterance, float32 (n, layers, dim).
        layers: The layers' numbers; those that the probes were trained on are among them.
        learned: By each probe.
        device: As of `train_linear_probes`.
    """
    place = torch.device("cpu" if torch.device(device).type == "mps" else device)
    return np.stack([_apply(vectors.to(place), layers, one) for one in learned])


def _apply(vectors: torch.Tensor, layers: Sequence[int], learned: Learned) -> NDArray[np.float32]:
    tensors = {name: torch.from_numpy(array).to(vectors.device) for name, array in learned.items()}
    columns = [list(layers).index(number) for number in learned["layers"].tolist()]
    scaled = Scaler(tensors["centre"][:, None], tensors["scale"][:, None]).apply(vectors[:, columns])
    if "scores" in tensors:
        is_converged = torch.ones(1, dtype=torch.bool)
        fitted = WeightedSum(tensors["scores"][None], tensors["classifier"][None], is_converged, tensors["is_present"])
        log = fitted.predict_log(scaled)[0]
    else:
        log = predict_log(tensors["classifier"][None], scaled, tensors["is_present"])[0]
    probabilities: NDArray[np.float32] = log.exp().T.to(torch.float32).cpu().numpy()
    return probabilities


def _keep(
    layers: Sequence[int],
    scaler: Scaler,
    classifier: torch.Tensor,
    is_present: torch.Tensor,
    scores: torch.Tensor | None = None,
) -> Learned:
    """What a probe has learned: its layers, their scaling, its classifier, the classes it knows, scores of a sum."""
    kept = {
        "centre": scaler.centre[:, 0],  # (layers, dim)
        "scale": scaler.scale[:, 0],
        "classifier": classifier,  # (classes, dim + 1), the intercept last
        "is_present": is_present,
        **({} if scores is None else {"scores": scores}),
    }
    arrays = {name: tensor.cpu().numpy().copy() for name, tensor in kept.items()}
    return {"layers": np.array(layers, dtype=np.int64), **arrays}


def _scale(corpus: _Corpus, items: Indices, layers: slice, settings: LinearHead) -> tuple[Scaler, torch.Tensor]:
    """A scaler fitted on `items`, and their vectors with it, float64 (layers, items, dim)."""
    vectors = corpus.vectors[items, layers]
    scaler = fit_scaler(vectors, standardize=settings.standardize)
    return scaler, scaler.apply(vectors)


def _extrapolate(solutions: Sequence[torch.Tensor], cs: Sequence[float]) -> torch.Tensor:
    """A start for the next C: extrapolated from the last two solutions, which change evenly with the logarithm of C."""
    done = len(solutions) - 1
    if done < 2:
        return solutions[-1]
    ratio = math.log(cs[done] / cs[done - 1]) / math.log(cs[done - 1] / cs[done - 2])
    return solutions[-1] + min(ratio, 1.0) * (solutions[-1] - solutions[-2])


def _rescale(models: torch.Tensor, before: Scaler, after: Scaler) -> torch.Tensor:
    """Models (layers, classes, dim + 1) with the same logits on vectors that another scaler scaled."""
    plain = models[:, :, :-1] / before.scale
    intercept = models[:, :, -1:] + (plain * (after.centre - before.centre)).sum(dim=2, keepdim=True)
    return torch.cat([plain * after.scale, intercept], dim=2)


def _candidates(
    corpus: _Corpus,
    job: Job,
    settings: LinearHead,
    cs: Sequence[float],
    found: Sequence[tuple[torch.Tensor, torch.Tensor]],
) -> tuple[Candidate, ...]:
    """A candidate for each C, in the order of the settings; `found` are log-probabilities and convergence."""
    labels = corpus.labels[job.validation]
    by_c = {}
    for c, (logs, is_solved) in zip(cs, found, strict=True):
        values = logs.cpu().numpy()
        losses = -values[labels, np.arange(len(labels))]
        known = losses[np.isin(labels, corpus.labels[job.train])]
        ua = compute_scores(labels, values.argmax(axis=0), corpus.n_classes).ua
        loss = float(known.mean()) if len(known) else None
        by_c[c] = Candidate({"c": c}, ua, validation_loss=loss, is_converged=bool(is_solved))
    return tuple(by_c[c] for c in settings.regularisation)


def _fit_temperature(corpus: _Corpus, job: Job, log: torch.Tensor) -> float:
    """Of log-probabilities (classes, n) of the validation part."""
    return fit_temperature(log.T.cpu().numpy(), corpus.labels[job.validation])


def _choose(candidates: Sequence[Candidate]) -> Candidate:
    return max(candidates, key=lambda one: (one.validation_ua, -one.choice["c"]))


def _result(
    corpus: _Corpus,
    job: Job,
    candidates: tuple[Candidate, ...],
    chosen: Candidate,
    choice: dict[str, float],
    log: torch.Tensor,
    seconds: float,
    *,
    temperature: float,
    learned: Learned,
    layer_weights: tuple[float, ...] | None = None,
) -> ProbeResult:
    return ProbeResult(
        fold=job.fold,
        seed=job.seed,
        chosen=choice,
        validation_ua=chosen.validation_ua,
        candidates=candidates,
        test_probabilities=log.exp().T.to(torch.float32).cpu().numpy(),
        untrained_classes=untrained_classes(corpus.labels, job),
        seconds=seconds,
        temperature=temperature,
        layer_weights=layer_weights,
        learned=learned,
    )
