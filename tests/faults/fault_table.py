"""The table of faults: what was injected, how often, how often the right thing was left, and what the user saw."""

import random
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from emobox_hf.text import show_text

COLUMNS = ("fault", "tries", "survived", "what the user saw", "commit")
LONGEST = 200  # characters of what the user saw
MOST_SIGHTS = 3


@dataclass
class Fault:
    """One row: a fault that a test injects again and again.

    Attributes:
        title: The fault in a few words, its kind first: `killed: extract`, `disk full: probe`.
        is_long: Whether this is the long form, by `make faults`.
        n_tries: How often it was injected.
        n_survived: How often all that the test asserts of such a try held.
        sights: What the user saw, each once.
    """

    title: str
    is_long: bool
    n_tries: int = 0
    n_survived: int = 0
    sights: list[str] = field(default_factory=list)

    @contextmanager
    def attempt(self) -> Iterator[random.Random]:
        """One try, survived where the block ends well; gives numbers that are the same at every run."""
        self.n_tries += 1
        yield random.Random(zlib.crc32(f"{self.title} {self.n_tries}".encode()))
        self.n_survived += 1

    def tries(self, *, short: int, long: int) -> Iterator[random.Random]:
        """So many tries, each begun when the one before has held: a loop over them fails at the first that does not."""
        for _ in range(long if self.is_long else short):
            with self.attempt() as draw:
                yield draw

    def count(self, n: int) -> None:
        """So many tries at once, all survived: for tests that assert over all cases together."""
        self.n_tries += n
        self.n_survived += n

    def saw(self, message: object) -> None:
        """Keep what a user saw of it, without the folders of the test."""
        sight = show_text(shorten(str(message)))
        if sight not in self.sights and len(self.sights) < MOST_SIGHTS:
            self.sights.append(sight)

    def to_row(self) -> dict[str, Any]:
        """As a test's report carries it."""
        row = asdict(self)
        del row["is_long"]
        return row


def shorten(message: str) -> str:
    """A message on one line, temporary folders as `…`."""
    line = " ".join(message.split())
    line = re.sub(r"/(?:[^\s/:'\"]+/)*(?:pytest-of-|emobox-)[^\s:'\"/]*(?:/[^\s/:'\"]+)*(?=/)", "…", line)
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def merge(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of one title as one, for a fault may be injected by several tests."""
    merged: dict[str, dict[str, Any]] = {}
    for row in rows:
        one = merged.setdefault(row["title"], {"title": row["title"], "n_tries": 0, "n_survived": 0, "sights": []})
        one["n_tries"] += row["n_tries"]
        one["n_survived"] += row["n_survived"]
        one["sights"] = list(dict.fromkeys([*one["sights"], *row["sights"]]))[:MOST_SIGHTS]
    return [merged[title] for title in sorted(merged)]


def to_cells(row: dict[str, Any], commit: str) -> list[str]:
    """A row as the table has it."""
    return [row["title"], str(row["n_tries"]), str(row["n_survived"]), " / ".join(row["sights"]) or "nothing", commit]


def draw_table(rows: Iterable[list[str]]) -> str:
    """The rows in Markdown."""
    lines = [list(COLUMNS), ["---", "---:", "---:", "---", "---"], *([_escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def read_table(text: str) -> dict[str, list[str]]:
    """The rows of a page that `draw_table` has drawn, by title."""
    rows = (line for line in text.splitlines() if line.startswith("| "))
    cells = ([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows)
    return {row[0]: row for row in cells if row[0] not in (COLUMNS[0], "---")}


def _escape(cell: str) -> str:
    printable = "".join(char if char.isprintable() else repr(char)[1:-1] for char in cell)
    return printable.replace("|", "\\|").replace("<", "&lt;").replace("\\&", "&")
