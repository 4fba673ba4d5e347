"""Faults injected by script. Each test is a row, or part of one, of the table that `make faults` prints and keeps.

A test takes `inject`, names its fault, and asserts over as many tries as the form has: few as part of the suite, many
with `EMOBOX_FAULTS` set to the page to write. One marked `faults` has no short form.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fault_table import Fault, draw_table, merge, read_table, to_cells

from emobox_hf.processor import processor_name

PAGE = os.environ.get("EMOBOX_FAULTS", "")
Inject = Callable[[str], Fault]

INTRODUCTION = """# Faults

Each row is a fault that the tests in `tests/faults` inject: how often, how often everything that the test asserts of a
try held (the result as without the fault, or one error that names the place and what to do; nothing wrong left behind),
and what the user saw. `make faults` makes the table, `make faults FAULTS=tests/faults/test_x.py` some of its rows, and
the other rows stay; the last column is the commit that a row was made at. The seeds are fixed. The rows were made on
PROCESSOR.

"""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests that have no short form to `make faults`."""
    if PAGE:
        return
    long_ones = [item for item in items if item.get_closest_marker("faults")]
    if long_ones:
        config.hook.pytest_deselected(items=long_ones)
        items[:] = [item for item in items if item not in set(long_ones)]


@pytest.fixture
def inject(request: pytest.FixtureRequest) -> Iterator[Inject]:
    """Gives the row of the fault that is named; what becomes of it goes into the table."""
    rows: list[Fault] = []

    def named(title: str) -> Fault:
        rows.append(Fault(title, is_long=bool(PAGE)))
        return rows[-1]

    yield named
    request.node.user_properties += [("fault", row.to_row()) for row in rows]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of this run, and put its rows into the page."""
    if not PAGE:
        return
    reports = [report for some in terminalreporter.stats.values() for report in some]
    properties = [
        one for report in reports if getattr(report, "when", "") == "teardown" for one in report.user_properties
    ]
    rows = [to_cells(row, _commit()) for row in merge(row for name, row in properties if name == "fault")]
    terminalreporter.write_line(draw_table(rows))
    page = Path(PAGE)
    known = read_table(page.read_text(encoding="utf-8")) if page.is_file() else {}
    known |= {row[0]: row for row in rows}
    introduction = INTRODUCTION.replace("PROCESSOR", processor_name())
    page.write_text(introduction + draw_table(known[title] for title in sorted(known)), encoding="utf-8")


def _commit() -> str:
    found = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
