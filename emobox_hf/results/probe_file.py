"""Trained probes of a run beside its record: weights as safetensors, with all that is needed to predict with them.

The header of the file holds JSON: the settings of the run (encoder and its identity, layer, how sound is read, how
features are stored, the head), the labels in the order of the probabilities, and fold, seed, layer and temperature of
each probe. So a probe that leaves its run's folder can still be used.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emobox_hf.dataclass_reader import read_as
from emobox_hf.errors import InputError, first_line
from emobox_hf.files import whole_file
from emobox_hf.probes.jobs import Learned
from emobox_hf.results.settings import RunSettings, from_json, to_json

PROBE = "probe.safetensors"
PROBE_FORMAT = 1
"""Counts the ways in which this package has written such files."""
_HEADER = "emobox_probe"


@dataclass(frozen=True, eq=False, kw_only=True)
class KeptProbe:
    """A trained probe.

    Attributes:
        fold: `fold1` …
        seed: Of the fold's probes.
        layer: `weighted` for the learned weighted sum of all layers; empty for the probe that is scored.
        temperature: By which its logits are divided to be as sure as it is right on its validation part.
        learned: What its head did.
    """

    fold: str
    seed: int
    layer: str
    temperature: float
    learned: Learned

    @property
    def name(self) -> str:
        """What stands before the names of its tensors."""
        return ".".join(filter(None, (self.fold, f"seed{self.seed}", self.layer)))


@dataclass(frozen=True, eq=False, kw_only=True)
class ProbeFile:
    """The trained probes of a run.

    Attributes:
        settings: Of the run.
        labels: What the probes tell, in the order of their probabilities.
        channels: Which channel of a file is heard, by its number of channels; of others the first.
        feature_format: `features.key.FEATURE_FORMAT` of what they learned from.
        probes: One a fold and seed, and the weighted sums of all layers where there are several.
    """

    settings: RunSettings
    labels: tuple[str, ...]
    channels: Mapping[int, int] = field(default_factory=dict)
    feature_format: int
    probes: Sequence[KeptProbe]

    def select(self, *, fold: str = "", layer: str = "") -> "list[KeptProbe]":
        """The probes of all folds or of one; those that are scored, or those of the weighted sum of all layers.

        Raises:
            InputError: There is none.
        """
        of_layer = [one for one in self.probes if one.layer == layer]
        if not of_layer:
            raise InputError(
                f"no probe of layer {layer!r}; `weighted` there is where all layers were probed (--layers all), else "
                "the probe that is scored alone"
            )
        folds = list(dict.fromkeys(one.fold for one in of_layer))
        if fold and fold not in folds:
            raise InputError(f"no probe of fold {fold!r}, found those of {', '.join(folds)}")
        return [one for one in of_layer if fold in ("", one.fold)]


def write_probes(folder: Path, file: ProbeFile) -> None:
    """Write the probes beside a run's record, whole or not at all."""
    from safetensors.numpy import save_file

    header = {
        "format": PROBE_FORMAT,
        "feature_format": file.feature_format,
        "labels": file.labels,
        "channels": {str(n): channel for n, channel in file.channels.items()},
        "probes": [
            {"fold": one.fold, "seed": one.seed, "layer": one.layer, "temperature": one.temperature}
            for one in file.probes
        ],
        "settings": to_json(file.settings),
    }
    tensors = {f"{one.name}.{name}": array for one in file.probes for name, array in one.learned.items()}
    with whole_file(folder / PROBE) as part:
        save_file(tensors, part, metadata={_HEADER: json.dumps(header, ensure_ascii=False)})


def read_probes(place: Path) -> ProbeFile:
    """The probes of a run's folder, or of a file.

    Raises:
        InputError: There are none, they are damaged, or a later version of this package wrote them.
    """
    path = place / PROBE if place.is_dir() else place
    if not path.is_file():
        raise InputError(
            f"{path}: no such file: that run is of an earlier version, or had --no-save-probe. `emobox probe` with its "
            "options and --overwrite trains its probes again, from the features that are stored, and keeps them"
        )
    try:
        header, tensors = _read(path)
        if header["format"] > PROBE_FORMAT:
            raise InputError(
                f"{path}: format {header['format']}, this version reads up to {PROBE_FORMAT}; install a newer"
            )
        return ProbeFile(
            settings=from_json(header["settings"], str(path)),
            labels=read_as(tuple[str, ...], header["labels"], f"{path}: labels"),
            channels={int(n): channel for n, channel in header["channels"].items()},
            feature_format=int(header["feature_format"]),
            probes=[_take(one, tensors) for one in header["probes"]],
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path}: expected probes, found none that can be read ({first_line(error)}); take another copy, or run "
            "again with --overwrite"
        ) from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as opened:
            header = json.loads((opened.metadata() or {}).get(_HEADER, "null"))
            if not isinstance(header, dict):
                raise ValueError("its header tells of no probes")
            return header, {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118, no mapping
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _take(table: Mapping[str, Any], tensors: Mapping[str, Any]) -> KeptProbe:
    probe = KeptProbe(**table, learned={})
    start = f"{probe.name}."
    learned = {name.removeprefix(start): array for name, array in tensors.items() if _is_of(name, start)}
    if not learned:
        raise ValueError(f"no weights of {probe.name}")
    return dataclasses.replace(probe, learned=learned)


def _is_of(name: str, start: str) -> bool:
    """Whether a tensor is a probe's own: `fold1.seed0.weighted.scores` is not that of `fold1.seed0`."""
    return name.startswith(start) and "." not in name.removeprefix(start)
