"""The runs under a folder, and what tells them apart."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emobox_hf.errors import InputError
from emobox_hf.results import RECORD, RunRecord, read_record

KINDS_OF_FOLDS = {"published": r"fold\d+", "speaker-independent": r"si_fold\d+", "random": r"random_fold\d+"}


@dataclass(frozen=True)
class Run:
    """A finished run and its folder."""

    folder: Path
    record: RunRecord

    @property
    def experiment(self) -> str:
        """`intra-corpus` or `cross-corpus`."""
        return str(self.record.settings["experiment"])

    @property
    def corpus(self) -> str:
        """The corpus, or `train-to-test`."""
        return str(self.record.settings["corpus"]["name"])

    @property
    def encoder(self) -> str:
        """The encoder as tables call it."""
        return str(self.record.settings["encoder"]["name"])

    @property
    def kind_of_folds(self) -> str:
        """`published`, `speaker-independent`, `random`, or `mixed`."""
        names = {fold.fold for fold in self.record.folds}
        fitting = (kind for kind, form in KINDS_OF_FOLDS.items() if all(re.fullmatch(form, name) for name in names))
        return next(fitting, "mixed")

    @property
    def options(self) -> dict[str, str]:
        """What tells runs of one encoder apart, for people."""
        settings = self.record.settings
        encoder, probe = settings["encoder"], settings["probe"]
        return {
            "head": f"head {probe['head']}",
            "layer": f"layer {encoder['layer']}",
            "context": f"context {encoder['context']}",
            "precision": f"{encoder['mixed_precision']} encoder",
            "resampler": settings["audio"]["resampler"],
            "norm": "output norm" if settings["features"]["output_norm"] else "no norm",
            "storage": settings["features"]["storage_dtype"],
            "seeds": f"seeds {' '.join(map(str, probe.get('seeds', [])))}",
            "epochs": f"{probe.get('epochs', '')} epochs",
            "probe precision": f"{probe.get('precision', '')} probe",
            "labels": f"labels {settings['corpus'].get('labels', '')}",
            "test set": f"test {settings['corpus'].get('test_set', '')}",
        }


def find_runs(root: Path) -> list[Run]:
    """Every finished run under a folder, by path.

    Raises:
        InputError: There is none, or a record cannot be read.
    """
    folders = sorted(path.parent for path in root.rglob(RECORD))
    if not folders:
        raise InputError(f"{root}: expected finished runs, found no {RECORD}; `emobox probe` makes some")
    return [Run(folder, read_record(folder)) for folder in folders]


def name_runs(runs: Sequence[Run]) -> list[str]:
    """A name for each: the encoder, and those options in which the runs of the list differ."""
    options = [run.options for run in runs]
    differing = [name for name in options[0] if len({one[name] for one in options}) > 1] if options else []
    return [
        ", ".join([run.encoder, *(one[name] for name in differing)]) for run, one in zip(runs, options, strict=True)
    ]
