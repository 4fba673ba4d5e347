"""The runs under a folder, and what tells them apart."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emobox_hf.corpora.configurations import PUBLISHED, RANDOM, SPEAKER_INDEPENDENT, kind_of
from emobox_hf.errors import InputError
from emobox_hf.report.table import Cell, Estimate
from emobox_hf.results import RECORD, RunRecord, RunSettings, read_record
from emobox_hf.scores import SCORES, Interval

KINDS_OF_FOLDS = (PUBLISHED, SPEAKER_INDEPENDENT, RANDOM)
PARTIAL = "folds"  # the option that names the folds of a run that lacks some of their kind


@dataclass(frozen=True)
class Run:
    """A finished run and its folder."""

    folder: Path
    record: RunRecord

    @property
    def settings(self) -> RunSettings:
        """The settings that shaped its scores."""
        return self.record.settings

    @property
    def corpus(self) -> str:
        """The corpus, or `train-to-test`."""
        return self.settings.partition.name

    @property
    def trained(self) -> str:
        """The corpora that are trained on, as the run's name has them."""
        return self.corpus.removesuffix(f"-to-{self.settings.tested}")

    @property
    def encoder(self) -> str:
        """The encoder as tables call it."""
        return self.settings.encoder.name

    @property
    def kind_of_folds(self) -> str:
        """One of `KINDS_OF_FOLDS`, another kind of `corpora.folds`, or `mixed`."""
        kinds = {kind_of(fold.fold) for fold in self.record.folds}
        return kinds.pop() if len(kinds) == 1 else "mixed"

    def score(self, name: str) -> float | None:
        """One of `scores.SCORES` as tables show it, mean over folds; None where the record does not have it."""
        found = self.record.summary.get(name)
        return None if found is None else SCORES[name].scale(found.mean)

    def estimate(self, name: str) -> Cell:
        """Likewise, with its interval."""
        found = self.record.summary.get(name)
        return None if found is None else show_summary(name, found.mean, found.interval)


def show_summary(name: str, value: float | None, interval: Interval | None) -> Cell:
    """A value of a score and its interval as tables show them."""
    if value is None or interval is None:
        return SCORES[name].scale(value)
    low, high = (SCORES[name].scale(bound) for bound in (interval.low, interval.high))
    return Estimate(SCORES[name].scale(value), low, high)


def tell_deviations(runs: Sequence[Run], score: str) -> list[str]:
    """How far apart the folds and the seeds of some runs are, as a note under their table."""
    summaries = [run.record.summary[score] for run in runs if score in run.record.summary]
    told = []
    for over, field in (("folds", "std"), ("seeds, which is training and the draw of validation", "std_seeds")):
        known = [getattr(one, field) for one in summaries if getattr(one, field) is not None]
        if known:
            ends = dict.fromkeys(f"{SCORES[score].scale(end(known)):.1f}" for end in (min, max))
            told.append(f"over {over}, {' to '.join(ends)}")
    unit = " in points" if SCORES[score].in_percent else ""
    return [f"Standard deviation{unit} {'; '.join(told)}."] if told else []


def show_p(value: float | None) -> str | None:
    """A p-value as tables show it."""
    return None if value is None else f"{value:.2g}"


def find_runs(root: Path) -> list[Run]:
    """Every finished run under a folder, oldest first, so that of two that fill one cell of a table the later stays.

    Raises:
        InputError: There is none, or a record cannot be read.
    """
    folders = sorted(path.parent for path in root.rglob(RECORD))
    if not folders:
        raise InputError(f"{root}: expected finished runs, found no {RECORD}; `emobox probe` makes some")
    return sorted((Run(folder, read_record(folder)) for folder in folders), key=lambda run: run.record.created)


def gather_runs(folders: Sequence[Path]) -> list[Run]:
    """The runs under several folders, each once, see `find_runs`."""
    return list({run.folder.resolve(): run for folder in folders for run in find_runs(folder)}.values())


def published_runs(runs: Sequence[Run], score: str = "ua") -> list[Run]:
    """Those inside a corpus on the folds that EmoBox published, as far as they have a score.

    Raises:
        InputError: There is none.
    """
    chosen = [run for run in runs if run.settings.experiment == "intra-corpus" and run.kind_of_folds == "published"]
    if not chosen:
        raise InputError("expected runs on published folds, found none; run `emobox probe`")
    scored = [run for run in chosen if run.score(score) is not None]
    if not scored:
        raise InputError(
            f"none of {len(chosen)} runs on published folds has the score {score}: it needs what they lack, such as "
            "speakers, or they are older than it; run again with --overwrite"
        )
    return scored


def name_runs(runs: Sequence[Run]) -> list[str]:
    """A name for each: the encoder, and those options in which the runs of the list differ.

    Folds that lack some of their kind are named always; weights or commits where one encoder has several.
    """
    options = [run.settings.options for run in runs]
    names = dict.fromkeys(name for one in options for name in one)
    # A setting that only some heads have tells runs apart only where those that have it differ.
    told = [name for name in names if len({one[name] for one in options if name in one}) > 1 or name == PARTIAL]
    versions: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        versions[run.encoder].add(_version(run))
    return [
        ", ".join(
            [
                run.encoder if len(versions[run.encoder]) == 1 else f"{run.encoder} {_version(run)}",
                *(one[name] for name in told if one.get(name)),
            ]
        )
        for run, one in zip(runs, options, strict=True)
    ]


def _version(run: Run) -> str:
    """The first digits of the encoder's commit, of its weights' digest, or of a baseline's version."""
    return re.split("[@:]", run.settings.encoder.identity.partition("+")[0])[-1][:7]
