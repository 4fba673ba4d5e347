"""Pages that set runs beside each other: across corpora, beside the paper, two beside each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from emobox_hf.corpora.configurations import PUBLISHED
from emobox_hf.encoders.known.table import KNOWN_ENCODERS
from emobox_hf.report.collect import name_runs
from emobox_hf.report.cross import cross_tables, paper_tables
from emobox_hf.report.reference import PAPER_METRICS, paper_scores
from emobox_hf.report.site.entries import CROSS, Contents, Entry
from emobox_hf.report.site.leaderboard import describe_scores, round_value
from emobox_hf.report.site.matrices import HeatMap, shade_table
from emobox_hf.report.site.run_page import mean_of_folds, recall_of_labels
from emobox_hf.report.site.values import Value
from emobox_hf.scores import SCORES, shown_scores


@dataclass(frozen=True)
class CrossPage:
    """Who trains by who tests, a heat map for each encoder and score, and the paper's beside."""

    ours: tuple[HeatMap, ...]
    paper: tuple[HeatMap, ...]


@dataclass(frozen=True)
class Pair:
    """A score of a run and the paper's of the same corpus and encoder, in percent."""

    ours: Value
    paper: float

    @property
    def difference(self) -> float | None:
        """Ours less the paper's, in points."""
        return None if self.ours.mean is None else self.ours.mean - self.paper


@dataclass(frozen=True)
class PaperRow:
    """A run on published folds beside the paper's numbers, a pair a score of `reference.PAPER_METRICS`."""

    entry: Entry
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class PaperPage:
    """The paper's numbers beside ours; `scores` are the titles of those it has."""

    rows: tuple[PaperRow, ...]
    scores: tuple[str, ...]


def make_cross_page(contents: Contents) -> CrossPage:
    """The heat maps of all cross-corpus runs; none where there is no such run."""
    entries = [entry for entry in contents.entries if entry.protocol == CROSS]
    if not entries:
        return CrossPage((), ())
    runs = [entry.run for entry in entries]
    links: dict[str, dict[tuple[str, str], str]] = {}
    for entry, name in zip(entries, name_runs(runs), strict=True):
        links.setdefault(name, {})[entry.run.trained, entry.tested] = entry.page
    tables = cross_tables(runs)
    named = [name for name in links for _ in range(len(tables) // len(links))]
    printed = (table for name in sorted({entry.encoder for entry in entries}) for table in paper_tables(name))
    return CrossPage(
        tuple(shade_table(table, links[name]) for table, name in zip(tables, named, strict=True)),
        tuple(shade_table(table, {}) for table in printed),
    )


def make_paper_page(contents: Contents) -> PaperPage:
    """Every run on all published folds of a corpus, of an encoder that the paper has."""
    printed = {corpus: paper_scores(corpus) for corpus in contents.corpus_pages}
    rows = []
    for entry in contents.entries:
        known = KNOWN_ENCODERS.get(entry.encoder)
        is_whole = entry.protocol == PUBLISHED and entry.run.settings.partition.all_folds
        paper = printed[entry.tested].get(known.id) if known and known.in_paper and is_whole else None
        if paper:
            pairs = (Pair(entry.values[score], paper[metric]) for score, metric in PAPER_METRICS.items())
            rows.append(PaperRow(entry, tuple(pairs)))
    rows.sort(key=lambda row: (row.entry.corpus, row.entry.encoder, row.entry.page))
    return PaperPage(tuple(rows), tuple(SCORES[score].title for score in PAPER_METRICS))


def make_comparison(contents: Contents) -> dict[str, Any]:
    """What the page that compares two runs embeds; options are numbers of `texts`, each once."""
    options = [{"encoder": entry.encoder, **entry.run.settings.options} for entry in contents.entries]
    names = list(dict.fromkeys(name for one in options for name in one))
    texts: dict[str, int] = {}

    def number(text: str) -> int:
        return texts.setdefault(text, len(texts))

    runs = [
        _compared(entry, [number(one.get(name, "")) for name in names], number)
        for entry, one in zip(contents.entries, options, strict=True)
    ]
    return {"scores": describe_scores(), "options": names, "runs": runs, "texts": list(texts)}


def _compared(entry: Entry, options: Sequence[int], number: Callable[[str], int]) -> list[Any]:
    """In the order that `site.js` reads."""
    values = [entry.values[score] for score in shown_scores()]
    cells = [[round_value(one) for one in (value.mean, *(value.interval or (None, None)))] for value in values]
    folds = [[number(name), round_value(ua)] for name, ua in mean_of_folds(entry, "ua").items()]
    recall = [[number(label), round_value(value)] for label, value in recall_of_labels(entry).items()]
    return [entry.page, entry.corpus, entry.title, entry.protocol, list(options), cells, folds, recall]
