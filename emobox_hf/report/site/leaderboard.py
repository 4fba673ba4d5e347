"""The leaderboard: a row a run, as data that the page sorts and filters."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from emobox_hf.report.protocol import MEANINGS
from emobox_hf.report.site.entries import Contents, Entry
from emobox_hf.report.site.values import Value
from emobox_hf.scores import SCORES, shown_scores


@dataclass(frozen=True)
class Leaderboard:
    """The leaderboard's page.

    Attributes:
        data: Scores and rows for the script.
        choices: What each filter offers, sorted.
        n_runs: Rows.
        n_intervals: Rows whose first score has an interval.
    """

    data: dict[str, Any]
    choices: dict[str, list[str]]
    n_runs: int
    n_intervals: int


def make_leaderboard(contents: Contents) -> Leaderboard:
    """Every run: inside a corpus and across, on whichever folds."""
    entries, scores = contents.entries, list(shown_scores())
    choices = {
        "corpus": _sorted(entry.tested for entry in entries),
        "language": _sorted(language for entry in entries for language in entry.languages),
        "encoder": _sorted(entry.encoder for entry in entries),
        "protocol": _sorted(entry.protocol for entry in entries),
        "head": _sorted(entry.head for entry in entries),
    }
    return Leaderboard(
        data={"scores": describe_scores(), "marks": MEANINGS, "rows": [_row(entry, scores) for entry in entries]},
        choices=choices,
        n_runs=len(entries),
        n_intervals=sum(entry.values[scores[0]].interval is not None for entry in entries),
    )


def describe_scores() -> list[dict[str, Any]]:
    """The scores that tables show, for a script."""
    return [
        {"name": name, "title": title, "decimals": SCORES[name].decimals, "isPercent": SCORES[name].in_percent}
        for name, title in shown_scores().items()
    ]


def round_value(value: float | None) -> float | None:
    """A number with as many digits as a page needs; None where there is none, or none that JSON has."""
    return None if value is None or not math.isfinite(value) else round(value, 4)


def _row(entry: Entry, scores: list[str]) -> list[Any]:
    """In the order that `site.js` names the columns in."""
    return [
        entry.page,
        entry.corpus,
        entry.tested,
        entry.languages,
        entry.encoder,
        entry.details,
        entry.head,
        entry.protocol,
        entry.n_folds,
        len(entry.run.record.labels),
        entry.marks,
        entry.run.record.created[:10],
        *(_cell(entry.values[score]) for score in scores),
    ]


def _cell(value: Value) -> list[float | None]:
    low, high = value.interval or (None, None)
    return [round_value(one) for one in (value.mean, low, high, value.std_folds, value.std_seeds)]


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(set(names), key=lambda name: (name.casefold(), name))
