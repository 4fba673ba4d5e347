"""How fast probes train, beside the loops one would write: PyTorch one probe at a time, scikit-learn one fit at a time.

    python benchmarks/perf/probes.py [--device cuda] [--epochs 100] [--json FILE] [--profile]

Data of EmoDB's size are drawn: 535 clips of 2.8 s on average at 50 frames a second, 768 dimensions, 7 classes, 5 folds.
The `emobox` head is trained with 2 learning rates and 3 seeds (30 probes), the `linear` head for 13 layers, 5 folds and
6 Cs with refits. The loops do a part, scaled to the whole. scikit-learn's is as one writes it, one fit after the other;
and as it is fastest on a few cores, a fit a core on one thread each, at its own tolerance and to convergence.
`--profile` tells instead where the time of the `linear` head goes.
"""

import argparse
import json
import os
import platform
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from emobox_hf.bench.probe_rate import CLASSES, LAYERS, DrawnData, clock, draw_data, measure_precision
from emobox_hf.probes import Job, LayerProbes, LinearHead, linear, list_jobs, logistic
from emobox_hf.probes.linear import train_linear_probes
from emobox_hf.probes.train import DTYPES

Figures = dict[str, float]

PARTS = {
    "Newton steps by conjugate gradients, float32": (logistic, "_solve_step"),
    "their preconditioners: products, Cholesky factors, float32": (logistic, "_whiten"),
    "objective, probabilities and line search, float64": (logistic, "_search_line"),
    "products of utterances and their Cholesky factors, float64": (linear, "make_problems"),
}
"""Functions that do not call each other."""


def fit_scikit_learn(vectors: Any, job: Job, *, labels: Any, tol: float) -> None:
    """One layer of one fold: a fit for each C, then the best one on train and validation together."""
    cs, scores = LinearHead().regularisation, []
    for c in cs:
        solver = LogisticRegression(C=c, tol=tol, max_iter=2000 if tol == 1e-4 else 100_000)
        model = make_pipeline(StandardScaler(), solver).fit(vectors[job.train], labels[job.train])
        scores.append(model.score(vectors[job.validation], labels[job.validation]))
    both = np.concatenate([job.train, job.validation])
    model.set_params(logisticregression__C=cs[int(np.argmax(scores))])
    model.fit(vectors[both], labels[both]).predict_proba(vectors[job.test])


def fit_all(map_: Callable[..., Iterable[None]], fits: Sequence[tuple[Any, Job]], labels: Any, *, tol: float) -> None:
    """`fit_scikit_learn` of each pair of vectors and job, by `map_`."""
    list(map_(partial(fit_scikit_learn, labels=labels, tol=tol), *zip(*fits, strict=True)))


def clock_frames(data: DrawnData, epochs: int, device: torch.device) -> Figures:
    """Seconds for 30 probes of `epochs`, by loop and precision."""
    figures = {}
    for precision in DTYPES:
        rates = measure_precision(data, device, precision, epochs=epochs)
        figures[f"emobox, plain loop, {precision}"] = rates.n_steps / rates.loop_steps_per_s
        figures[f"emobox, ours, {precision}"] = rates.n_steps / rates.steps_per_s
    return figures


def clock_vectors(data: DrawnData, device: torch.device) -> Figures:
    """Seconds for 13 layers, 5 folds and 6 Cs."""
    settings, figures = LinearHead(), {}
    jobs, wide = list_jobs(data.splits, settings.seeds), data.vectors.numpy().astype(np.float64)
    warnings.simplefilter("ignore")
    plain = [(wide[:, layer], jobs[0]) for layer in (4, 8)]
    spent = clock(partial(fit_all, map, plain, data.labels, tol=1e-4))
    figures["linear, scikit-learn, plain loop"] = spent * LAYERS * len(jobs) / len(plain)
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, tol, some_jobs in [("a fit a core", 1e-4, jobs), ("a fit a core, converged", 1e-8, jobs[:1])]:
            some = [(wide[:, layer], job) for layer in (0, 4, 8, 12) for job in some_jobs]
            spent = clock(partial(fit_all, pool.map, some, data.labels, tol=tol))
            figures[f"linear, scikit-learn, {name}"] = spent * LAYERS * len(jobs) / len(some)
    found: list[LayerProbes] = []
    layers = range(LAYERS)
    ours = partial(train_linear_probes, data.vectors, data.labels, CLASSES, layers, jobs, settings, device=device)
    spent = clock(lambda: found.extend(ours()))
    of_layers = sum(one.seconds for probes in found for one in probes.by_layer)
    of_sums = sum(probes.weighted.seconds for probes in found if probes.weighted)
    figures["linear, ours, layers"] = spent * of_layers / (of_layers + of_sums)
    return figures | {"linear, ours, weighted sum besides": spent * of_sums / (of_layers + of_sums)}


def share_vectors(data: DrawnData) -> Figures:
    """Percent of the cores' time of the `linear` head's layers by part."""
    spent, lock = dict.fromkeys(PARTS, 0.0), threading.Lock()

    def clocked(part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            started = time.perf_counter()
            result = call(*given, **named)
            with lock:
                spent[part] += time.perf_counter() - started
            return result

        return run

    with ExitStack() as patches:
        for part, (module, name) in PARTS.items():
            patches.enter_context(patch.object(module, name, clocked(part, getattr(module, name))))
        found = train_linear_probes(
            data.vectors, data.labels, CLASSES, range(LAYERS), list_jobs(data.splits, (0,)), LinearHead()
        )
    whole = sum(one.seconds for probes in found for one in probes.by_layer)
    return {part: 100 * seconds / whole for part, seconds in spent.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", type=torch.device, default="cpu")
    parser.add_argument("--epochs", type=int, default=2, help="of the emobox head; seconds are for so many")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--profile", action="store_true", help="where the time of the linear head goes, alone")
    arguments = parser.parse_args()
    data = draw_data()
    if arguments.profile:
        for part, share in share_vectors(data).items():
            print(f"{part:<60}{share:6.1f} %")
        return
    figures = clock_frames(data, arguments.epochs, arguments.device)
    figures |= clock_vectors(data, arguments.device)
    for name, seconds in figures.items():
        print(f"{name:<42}{seconds:9.2f} s")
    if arguments.json:
        about = {"machine": platform.platform(), "cores": os.cpu_count(), "device": str(arguments.device)}
        arguments.json.write_text(json.dumps(about | {"figures": figures}, indent=1))


if __name__ == "__main__":
    main()
