"""The runs under a folder, and what tells them apart."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emobox_hf.errors import InputError
from emobox_hf.report.table import percent
from emobox_hf.results import RECORD, RunRecord, read_record

KINDS_OF_FOLDS = {"published": r"fold\d+", "speaker-independent": r"si_fold\d+", "random": r"random_fold\d+"}
PARTIAL = "folds"


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
    def tested(self) -> str:
        """The corpus that is tested on."""
        return str(self.record.settings["sources"][-1]["name"]) if "sources" in self.record.settings else self.corpus

    @property
    def trained(self) -> str:
        """The corpora that are trained on, as the run's name has them."""
        return self.corpus.removesuffix(f"-to-{self.tested}")

    @property
    def test_set(self) -> str:
        """Of a cross-corpus run `balanced`, `all`, or what else it was tested on."""
        return str(self.record.settings["corpus"].get("test_set", ""))

    @property
    def test_set_chosen_by(self) -> str:
        """The model that a test set of one's own had to agree with; empty where there was none."""
        return str(self.record.settings["corpus"].get("test_set_chosen_by", ""))

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

    def percent(self, score: str) -> float | None:
        """`ua`, `wa`, `macro_f1` or `weighted_f1` in percent, mean over folds."""
        return percent(self.record.summary[score]["mean"])

    @property
    def options(self) -> dict[str, str]:
        """What tells runs of one encoder apart, for people."""
        settings = self.record.settings
        corpus, encoder, probe = settings["corpus"], settings["encoder"], settings["probe"]
        return {
            PARTIAL: "" if corpus.get("all_folds", True) else f"only {' '.join(corpus['folds'])}",
            "head": f"head {probe['head']}",
            "layer": f"layer {encoder['layer']}",
            "context": f"context {encoder['context']}",
            "precision": f"{encoder['mixed_precision']} encoder",
            "resampler": settings["audio"]["resampler"],
            "duration": f"clips to {settings['audio']['max_duration_s']} s",
            "norm": "output norm" if settings["features"]["output_norm"] else "no norm",
            "storage": settings["features"]["storage_dtype"],
            "seeds": f"seeds {' '.join(map(str, probe.get('seeds', [])))}",
            "epochs": f"{probe.get('epochs', '')} epochs",
            "probe precision": f"{probe.get('precision', '')} probe",
            "labels": f"labels {corpus.get('labels', '')}",
            "test set": f"test {self.test_set}",
        }


def find_runs(root: Path) -> list[Run]:
    """Every finished run under a folder, oldest first, so that of two that fill one cell of a table the later stays.

    Raises:
        InputError: There is none, or a record cannot be read.
    """
    folders = sorted(path.parent for path in root.rglob(RECORD))
    if not folders:
        raise InputError(f"{root}: expected finished runs, found no {RECORD}; `emobox probe` makes some")
    return sorted((Run(folder, read_record(folder)) for folder in folders), key=lambda run: run.record.created)


def published_runs(runs: Sequence[Run]) -> list[Run]:
    """Those inside a corpus on the folds that EmoBox published.

    Raises:
        InputError: There is none.
    """
    chosen = [run for run in runs if run.experiment == "intra-corpus" and run.kind_of_folds == "published"]
    if not chosen:
        raise InputError("expected runs on published folds, found none; run `emobox probe`")
    return chosen


def name_runs(runs: Sequence[Run]) -> list[str]:
    """A name for each: the encoder, and those options in which the runs of the list differ.

    Folds that lack some of their kind are named always; weights or commits where one encoder has several.
    """
    options = [run.options for run in runs]
    told = [name for name in (options[0] if options else ()) if len({one[name] for one in options}) > 1]
    told = list(dict.fromkeys([*told, PARTIAL]))
    versions: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        versions[run.encoder].add(_version(run))
    return [
        ", ".join(
            [
                run.encoder if len(versions[run.encoder]) == 1 else f"{run.encoder} {_version(run)}",
                *(one[name] for name in told if one[name]),
            ]
        )
        for run, one in zip(runs, options, strict=True)
    ]


def _version(run: Run) -> str:
    """The first digits of the encoder's commit, or of its weights' digest."""
    return re.split("[@:]", str(run.record.settings["encoder"]["identity"]))[-1][:7]
