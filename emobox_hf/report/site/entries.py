"""Runs with their places in a site: what tells each, in words, and the names of its pages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from emobox_hf.corpora.spec import CorpusSpec, list_corpora, load_spec
from emobox_hf.encoders.known.table import KNOWN_ENCODERS, KnownEncoder
from emobox_hf.report.collect import Run, name_runs
from emobox_hf.report.protocol import CONTAMINATED, mark_run
from emobox_hf.report.site.slugs import assign_slugs
from emobox_hf.report.site.values import Value, values_of

CROSS = "cross-corpus"


@dataclass(frozen=True, eq=False)
class Entry:
    """A run and its page.

    Attributes:
        run: The run.
        page: The stem of its page's file.
        digest: Of its settings.
        encoder: The encoder as the site calls it: the short name of a known one.
        details: The options in which it differs from other runs, but for the head.
        protocol: The kind of its folds, or `cross-corpus`.
        languages: ISO 639-1 codes of the corpus it is tested on; empty where they are not known.
        marks: What its protocol is to be held against, see `report.protocol`.
        values: Its scores.
    """

    run: Run
    page: str
    digest: str
    encoder: str
    details: str
    protocol: str
    languages: tuple[str, ...]
    marks: str
    values: Mapping[str, Value]

    @property
    def is_contaminated(self) -> bool:
        """Whether its encoder met the tested corpus."""
        return CONTAMINATED in self.marks

    @property
    def corpus(self) -> str:
        """The corpus, or `train-to-test`."""
        return self.run.corpus

    @property
    def tested(self) -> str:
        """The corpus it is tested on."""
        return self.run.settings.tested

    @property
    def head(self) -> str:
        """Name of its head."""
        return self.run.settings.probe.name

    @property
    def chance(self) -> float:
        """UA of guessing, in percent."""
        return 100 / len(self.run.record.labels)

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return ", ".join(filter(None, (self.encoder, f"head {self.head}", self.details)))

    @cached_property
    def n_folds(self) -> int:
        """How many folds it has."""
        return len({fold.fold for fold in self.run.record.folds})


@dataclass(frozen=True, eq=False)
class Contents:
    """Everything a site is made of, and where its pages are.

    Attributes:
        entries: The runs, oldest first.
        corpus_pages: Corpus to the stem of its page's file.
        encoder_pages: Encoder, as the site calls it, to its page's.
        date: When the latest run was made, in ISO 8601.
    """

    entries: tuple[Entry, ...]
    corpus_pages: Mapping[str, str]
    encoder_pages: Mapping[str, str]
    date: str


def list_entries(found: Iterable[Run]) -> Contents:
    """The runs with their places, oldest first wherever they lie; of two with equal settings each has a page."""
    told = ((run.record.created, run.settings.folder, run.folder.as_posix(), run) for run in found)
    ordered = sorted(told, key=lambda one: one[:3])
    runs, folders = [run for *_, run in ordered], [folder for _, folder, *_ in ordered]
    names, addresses = name_runs(runs), _number(folders)
    pages = assign_slugs(addresses)
    entries = tuple(
        Entry(
            run=run,
            page=pages[address],
            digest=folder.rpartition("-")[2],  # it ends so; asking again would cost as much as the page
            encoder=encoder_name(run.encoder),
            details=_details(run, name),
            protocol=CROSS if run.settings.experiment == CROSS else run.kind_of_folds,
            languages=spec.languages if (spec := find_spec(run.settings.tested)) else (),
            marks=mark_run(run).marks,
            values=values_of(run),
        )
        for run, name, folder, address in zip(runs, names, folders, addresses, strict=True)
    )
    corpora = {corpus.name for run in runs for corpus in run.settings.corpora}
    encoders = assign_slugs(entry.encoder for entry in entries)
    return Contents(entries, assign_slugs(corpora), encoders, max(run.record.created for run in runs))


def find_spec(corpus: str) -> CorpusSpec | None:
    """The spec of one of the package's corpora; None for a corpus of one's own."""
    return load_spec(corpus) if corpus in _CORPORA else None


def encoder_name(name: str) -> str:
    """The short name of a known encoder, whichever of its names a run has; another's own name."""
    return _KNOWN[name].id if name in _KNOWN else name


_CORPORA = frozenset(list_corpora())
_KNOWN: Mapping[str, KnownEncoder] = {
    name: encoder for encoder in KNOWN_ENCODERS.values() for name in (encoder.id, encoder.repo_id) if name
}


def _details(run: Run, name: str) -> str:
    parts = name[len(run.encoder) :].strip(", ").split(", ")
    return ", ".join(part for part in parts if part != f"head {run.settings.probe.name}")


def _number(folders: Sequence[str]) -> list[str]:
    """Each folder's name, a later one of the same name with its number."""
    counts: dict[str, int] = {}
    names = []
    for folder in folders:
        counts[folder] = counts.get(folder, 0) + 1
        names.append(folder if counts[folder] == 1 else f"{folder}-run{counts[folder]}")
    return names
