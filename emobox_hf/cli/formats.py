"""The ways in which verbs print tables."""

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emobox_hf.report.table import Table


def add_formats(verb: argparse.ArgumentParser) -> None:
    """Add the options that choose one."""
    form = verb.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print Markdown")
    form.add_argument("--latex", action="store_true", help="print LaTeX, for booktabs")
    form.add_argument("--csv", action="store_true", help="print comma-separated values, in full")


def print_tables(tables: "Sequence[Table]", arguments: argparse.Namespace) -> None:
    """Print tables in the form that was chosen."""
    if arguments.json:
        print(json.dumps([table.to_dict() for table in tables], indent=1, ensure_ascii=False))
    elif arguments.markdown:
        print("\n".join(table.to_markdown() for table in tables), end="")
    elif arguments.latex:
        print("\n".join(table.to_latex() for table in tables), end="")
    elif arguments.csv:
        print("\n".join(table.to_csv() for table in tables), end="")
    else:
        print("\n\n".join(table.to_text() for table in tables))
