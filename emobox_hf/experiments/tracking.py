"""What accelerate's trackers are told of a run: settings, validation curves, scores, the confusion figure."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emobox_hf.errors import InputError
from emobox_hf.probes.jobs import Probed
from emobox_hf.results import RunRecord, RunSettings
from emobox_hf.results.settings import to_json

PROJECT = "emobox"


def check_trackers(names: Sequence[str]) -> None:
    """Refuse a tracker that is not installed.

    Raises:
        InputError: One is not.
    """
    from accelerate.tracking import get_available_trackers

    installed = {str(one) for one in get_available_trackers()}
    for name in names:
        if name not in installed:
            raise InputError(f"--report-to {name}: it is not installed; `pip install {name}`, or leave it out")


def report_run(
    names: Sequence[str],
    folder: Path,
    record: RunRecord,
    probed: Sequence[Probed],
    picture: NDArray[np.uint8] | None,
) -> None:
    """Tell trackers of a finished run; what they keep in files goes to its folder.

    Args:
        names: The trackers.
        folder: The run's.
        record: Its record.
        probed: Its probes, for their curves.
        picture: Its confusion matrix, (height, width, 3); None for none.
    """
    from accelerate import Accelerator

    named = {"name": record.settings.folder}
    accelerator = Accelerator(log_with=list(dict.fromkeys(names)), project_dir=folder)
    accelerator.init_trackers(
        PROJECT,
        config=flatten(record.settings),
        init_kwargs={"wandb": {**named, "dir": str(folder)}, "trackio": named},
    )
    step = 0
    for step, values in enumerate(list_curves(probed), start=1):
        accelerator.log(values, step=step)
    for layer, values in list_layers(record):
        step = layer
        accelerator.log(values, step=layer)
    accelerator.log(list_scores(record), step=step + 1)
    for tracker in accelerator.trackers:
        if picture is not None and hasattr(tracker, "log_images"):
            form = {"dataformats": "NHWC"} if tracker.name == "tensorboard" else {}
            tracker.log_images({"confusion": picture[None]}, step=step + 1, **form)
        tracker.finish()  # not all at once by end_training, which ends a launch's group too


def flatten(settings: RunSettings) -> dict[str, str | int | float | bool]:
    """Settings as trackers take them: `encoder.layer` and so on, one value each; digests of splits are left out."""
    table = to_json(settings)
    table["partition"].pop("digests")
    return dict(_flatten(table, ""))


def list_curves(probed: Sequence[Probed]) -> list[dict[str, float]]:
    """UA and cross-entropy of each probe and candidate on its validation part, by name, epoch after epoch."""
    named = [
        (f"{one.result.fold}/seed {one.result.seed}/{curve.name}", curve)
        for one in probed
        for curve in one.result.curves
    ]
    n_epochs = max((len(curve.ua) for _, curve in named), default=0)
    return [
        {
            f"validation {what}/{name}": values[epoch]
            for name, curve in named
            for what, values in (("ua", curve.ua), ("loss", curve.loss))
            if epoch < len(values)
        }
        for epoch in range(n_epochs)
    ]


def list_layers(record: RunRecord) -> Iterator[tuple[int, dict[str, float]]]:
    """Number of each layer that was probed, with its mean scores over folds and seeds, of test and of validation."""
    for layer in dict.fromkeys(line.layer for line in record.layers):
        if isinstance(layer, int):
            uas = [line.validation_ua for line in record.layers if line.layer == layer]
            found = record.layer_summary.get(str(layer), {})
            yield (
                layer,
                {f"layers {name}/test": one.mean for name, one in found.items()}
                | {"layers ua/validation": float(np.mean(uas))},
            )


def list_scores(record: RunRecord) -> dict[str, float]:
    """Scores of the test parts, of each fold and seed, and their means with intervals."""
    scores = {f"test/{name}": one.mean for name, one in record.summary.items()}
    for name, one in record.summary.items():
        if one.interval and one.interval.low is not None and one.interval.high is not None:
            scores |= {f"test/{name} from": one.interval.low, f"test/{name} to": one.interval.high}
    for fold in record.folds:
        scores |= {
            f"test {name}/{fold.fold}/seed {fold.seed}": fold.scores[name]
            for name in record.summary
            if fold.scores.get(name) is not None
        }
    return scores


def _flatten(value: Any, name: str) -> Iterator[tuple[str, str | int | float | bool]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _flatten(one, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        if any(isinstance(one, Mapping) for one in value):
            for number, one in enumerate(value):
                yield from _flatten(one, f"{name}.{number}")
        else:
            yield name, " ".join(map(str, value))
    else:
        yield name, "" if value is None else value
