"""How fast probes train, beside the loops one would write: PyTorch one probe at a time, scikit-learn one fit at a time.

    python benchmarks/perf/probes.py [--device cuda] [--epochs 100] [--json FILE]

Data of EmoDB's size are drawn: 535 clips of 2.8 s on average at 50 frames a second, 768 dimensions, 7 classes, 5 folds.
The `emobox` head is trained with 2 learning rates and 3 seeds (30 probes), the `linear` head for 13 layers, 5 folds and
6 Cs with refits. The loops do a part, scaled to the whole; scikit-learn at its own tolerance, and to convergence.
"""

import argparse
import json
import os
import platform
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from timeit import timeit
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import nn

from emobox_hf.probes import Job, LayerProbes, ProbeSettings, Split, list_jobs
from emobox_hf.probes.linear import train_linear_probes
from emobox_hf.probes.train import DTYPES, train_probes

N, DIM, CLASSES, LAYERS = 535, 768, 7, 13
Arrays = tuple[torch.Tensor, torch.Tensor, np.ndarray[Any, Any]]
Figures = dict[str, float]
clock = partial(timeit, number=1)  # seconds; all that is timed ends by fetching results, so no device is still busy


def make_data() -> tuple[Arrays, torch.Tensor, dict[str, Split]]:
    """Frames float16, offsets and labels; mean vectors float32 (n, layers, dim) with a steep spectrum; five folds."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.gamma(7.3, 2.8 * 50 / 7.3, N).astype(int), 60, 450)  # EmoDB: 1.2 to 9.0 s, deviation 1.0
    labels = rng.integers(0, CLASSES, N)
    hidden = rng.standard_normal((N, 120))
    hidden[:, :20] += rng.standard_normal((CLASSES, 20))[labels]
    layers = (hidden * np.arange(1, 121) ** -0.6) @ rng.standard_normal((LAYERS, 120, DIM))
    vectors = layers.swapaxes(0, 1) + 0.15 * rng.standard_normal((N, LAYERS, DIM))
    frames = np.repeat(vectors[:, -1], lengths, axis=0) + rng.standard_normal((lengths.sum(), DIM))
    offsets = torch.from_numpy(np.concatenate([[0], lengths.cumsum()]))
    order = rng.permutation(N)
    turned = [np.roll(order, 107 * fold) for fold in range(5)]
    splits = {f"fold{fold + 1}": Split(one[193:], one[107:193], one[:107]) for fold, one in enumerate(turned)}
    return (torch.from_numpy(frames).half(), offsets, labels), torch.from_numpy(vectors).float(), splits


def train_plain(data: Arrays, job: Job, rate: float, epochs: int, dtype: torch.dtype, device: torch.device) -> None:
    """One probe with padded batches, nn.Linear and Adam; validation once an epoch."""
    frames, offsets, labels = data
    clips = torch.split(frames.to(device, dtype), offsets.diff().tolist())
    targets = torch.from_numpy(labels).to(device)
    frame, utterance = nn.Linear(DIM, 256).to(device), nn.Linear(256, CLASSES).to(device)
    optimizer = torch.optim.Adam([*frame.parameters(), *utterance.parameters()], lr=rate)

    def predict(items: Any) -> torch.Tensor:
        padded = nn.utils.rnn.pad_sequence([clips[i] for i in items], batch_first=True)
        lengths = torch.tensor([len(clips[i]) for i in items], device=device)
        mask = torch.arange(padded.shape[1], device=device) < lengths[:, None]
        hidden = nn.functional.linear(padded, frame.weight.to(dtype), frame.bias.to(dtype)).relu().float()
        return utterance((hidden * mask[:, :, None]).sum(1) / lengths[:, None])  # type: ignore[no-any-return]

    for _ in range(epochs):
        for items in torch.from_numpy(job.train)[torch.randperm(len(job.train))].split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(predict(items), targets[items]).backward()
            optimizer.step()
        with torch.no_grad():
            for items in torch.from_numpy(job.validation).split(32):
                (predict(items).argmax(1) == targets[items]).sum().item()


def fit_scikit_learn(vectors: Any, job: Job, *, labels: Any, tol: float) -> None:
    """One layer of one fold: a fit for each C, then the best one on train and validation together."""
    settings, scores = ProbeSettings(), []
    for c in settings.regularisation:
        solver = LogisticRegression(C=c, tol=tol, max_iter=2000 if tol == 1e-4 else 100_000)
        model = make_pipeline(StandardScaler(), solver).fit(vectors[job.train], labels[job.train])
        scores.append(model.score(vectors[job.validation], labels[job.validation]))
    both = np.concatenate([job.train, job.validation])
    model.set_params(logisticregression__C=settings.regularisation[int(np.argmax(scores))])
    model.fit(vectors[both], labels[both]).predict_proba(vectors[job.test])


def clock_frames(data: Arrays, splits: dict[str, Split], epochs: int, device: torch.device) -> Figures:
    """Seconds for 30 probes of `epochs`, by loop and precision."""
    figures = {}
    for precision, dtype in DTYPES.items():
        settings = ProbeSettings(seeds=(0, 1, 2), epochs=epochs, warmup_epochs=epochs // 10, precision=precision)
        jobs = list_jobs(splits, settings)
        train_plain(data, jobs[0], 1e-3, 1, dtype, device)
        plain = partial(train_plain, data, jobs[0], 1e-3, 3 * epochs, dtype, device)  # 3 of 30 probes
        figures[f"emobox, plain loop, {precision}"] = 10 * clock(plain)
        ours = partial(train_probes, *data, CLASSES, jobs, settings, device=device)
        figures[f"emobox, ours, {precision}"] = clock(ours)
    return figures


def clock_vectors(vectors: torch.Tensor, labels: Any, splits: dict[str, Split], device: torch.device) -> Figures:
    """Seconds for 13 layers, 5 folds and 6 Cs."""
    settings, figures = ProbeSettings(head="linear"), {}
    jobs, wide = list_jobs(splits, settings), vectors.numpy().astype(np.float64)
    warnings.simplefilter("ignore")
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:  # the fastest way to run it on a few cores
        for name, tol, some_jobs in [("", 1e-4, jobs), (", converged", 1e-8, jobs[:1])]:
            some = [(wide[:, layer], job) for layer in (0, 4, 8, 12) for job in some_jobs]
            fit = partial(fit_scikit_learn, labels=labels, tol=tol)
            spent = clock(lambda fit=fit, some=some: list(pool.map(fit, *zip(*some, strict=True))))
            figures[f"linear, scikit-learn{name}"] = spent * LAYERS * len(jobs) / len(some)
    found: list[LayerProbes] = []
    ours = partial(train_linear_probes, vectors, labels, CLASSES, range(LAYERS), jobs, settings, device=device)
    spent = clock(lambda: found.extend(ours()))
    of_layers = sum(one.seconds for probes in found for one in probes.by_layer)
    of_sums = sum(probes.weighted.seconds for probes in found if probes.weighted)
    figures["linear, ours, layers"] = spent * of_layers / (of_layers + of_sums)
    return figures | {"linear, ours, weighted sum besides": spent * of_sums / (of_layers + of_sums)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", type=torch.device, default="cpu")
    parser.add_argument("--epochs", type=int, default=2, help="of the emobox head; seconds are for so many")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    arguments = parser.parse_args()
    data, vectors, splits = make_data()
    figures = clock_frames(data, splits, arguments.epochs, arguments.device)
    figures |= clock_vectors(vectors, data[2], splits, arguments.device)
    for name, seconds in figures.items():
        print(f"{name:<42}{seconds:9.2f} s")
    if arguments.json:
        about = {"machine": platform.platform(), "cores": os.cpu_count(), "device": str(arguments.device)}
        arguments.json.write_text(json.dumps(about | {"figures": figures}, indent=1))


if __name__ == "__main__":
    main()
