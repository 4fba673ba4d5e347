"""The kinds of `emobox report`: what each shows, and how it is made of runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emobox_hf.encoders.known.table import find_known
from emobox_hf.errors import InputError, suggest
from emobox_hf.report.benchmark import benchmark_table
from emobox_hf.report.collect import Run, gather_runs
from emobox_hf.report.cross import cross_tables, paper_tables
from emobox_hf.report.groups import groups_tables
from emobox_hf.report.languages import languages_tables
from emobox_hf.report.layers import layers_table
from emobox_hf.report.noise import noise_tables
from emobox_hf.report.partition import partition_table
from emobox_hf.report.table import Table
from emobox_hf.scores import SCORES


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """What a report shows.

    Attributes:
        score: One of `scores.SCORES`.
        with_contaminated: Whether cells whose encoder was trained on the tested corpus count in means.
    """

    score: str = "ua"
    with_contaminated: bool = False

    def __post_init__(self) -> None:
        """Refuse an unknown score."""
        if self.score not in SCORES:
            raise InputError(f"no score {self.score!r}{suggest(self.score, SCORES)}")


@dataclass(frozen=True)
class Kind:
    """A kind of report: what it shows, in a few words, and the tables that it makes of runs."""

    text: str
    make: Callable[[Sequence[Run], ReportOptions], list[Table]]


def make_tables(kind: str, folders: Sequence[Path], options: ReportOptions | None = None) -> list[Table]:
    """The tables of one kind, from the runs in these folders.

    Raises:
        InputError: There is no such kind, or the runs are not for it.
    """
    if kind not in KINDS:
        raise InputError(f"no report of kind {kind!r}{suggest(kind, KINDS)}")
    return KINDS[kind].make(gather_runs(folders), options or ReportOptions())


def _benchmark(runs: Sequence[Run], options: ReportOptions) -> list[Table]:
    return [benchmark_table(runs, score=options.score, with_contaminated=options.with_contaminated)]


def _cross(runs: Sequence[Run], options: ReportOptions) -> list[Table]:
    known = (find_known(run.encoder) for run in runs)
    ids = dict.fromkeys(encoder.id for encoder in known if encoder is not None)
    return [*cross_tables(runs), *(table for name in ids for table in paper_tables(name))]


def _languages(runs: Sequence[Run], options: ReportOptions) -> list[Table]:
    return languages_tables(runs, score=options.score, with_contaminated=options.with_contaminated)


KINDS: Mapping[str, Kind] = {
    "benchmark": Kind("corpora by encoders", _benchmark),
    "cross": Kind("who trains by who tests", _cross),
    "layers": Kind("UA by layer", lambda runs, options: [layers_table(runs)]),
    "partition": Kind("one encoder under several kinds of folds", lambda runs, options: [partition_table(runs)]),
    "groups": Kind(
        "for whom a run works: by gender, language and speaker",
        lambda runs, options: groups_tables(runs, score=options.score),
    ),
    "noise": Kind(
        "labels that probes on random folds doubt, or that pseudo-labels differ from",
        lambda runs, options: noise_tables(runs),
    ),
    "languages": Kind("languages in the training data of an encoder, and others", _languages),
}
