"""Corpora whose labels are in CSV tables (or of other separators), one row an utterance."""

from emobox_hf.corpora.csv_rows import read_rows
from emobox_hf.corpora.discovery.rows import add_row
from emobox_hf.corpora.discovery.tree import FileTree
from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.corpora.templates import fields_of
from emobox_hf.corpora.utterance import Findings
from emobox_hf.errors import InputError, first_five


def discover(spec: CorpusSpec, tree: FileTree) -> Findings:
    """The utterances of every table; `discovery.columns` names the columns of `emotion`, `speaker`, `text` and extras.

    `discovery.joins` lends each row the columns of another table's row; where that has none, they are empty.
    """
    findings = Findings()
    columns, joins = spec.discovery.columns, spec.discovery.joins
    lenders = []
    for join in joins:
        path = tree.require(join.file, f"which says more of each {join.on}")
        lenders.append({row[join.column]: row for _, row in _read_table(spec, tree, path, [join.column])})
    used = set()
    for table in spec.discovery.tables:
        path = tree.require(table.file, "which lists the corpus's utterances")
        lent = {name for lender in lenders for row in lender.values() for name in row}
        needed = [*columns.values(), *fields_of(table.audio), *fields_of(table.key), *(join.on for join in joins)]
        own = [name for name in needed if name not in lent and name not in ("file", "stem")]
        for number, row in _read_table(spec, tree, path, own):
            fields = dict.fromkeys(lent, "")
            for join, lender in zip(joins, lenders, strict=True):
                fields |= lender.get(row[join.on], {})
            fields |= row
            used.add(
                add_row(
                    spec,
                    tree,
                    findings,
                    table=table,
                    fields=fields,
                    columns={name: fields[column] for name, column in columns.items()},
                    where=f"{path}, line {number},",
                )
            )
    findings.unexpected.extend(path for path in tree.audio() if path not in used)
    return findings


def _read_table(spec: CorpusSpec, tree: FileTree, path: str, needed: list[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows with their line numbers, each a dictionary over the header."""
    separator = spec.discovery.separator
    header, rows = read_rows(tree.root / path, encoding=spec.discovery.encoding, separator=separator)
    if absent := [column for column in needed if column not in header]:
        raise InputError(
            f"{tree.root / path}: no column {first_five(absent)}; found {', '.join(header) or 'an empty file'} "
            f"(separator {separator!r} expected)"
        )
    for number, row in rows:
        if None in row.values() or None in row:
            found = sum(value is not None for name, value in row.items() if name is not None) + len(row.get(None) or ())
            raise InputError(f"{tree.root / path}, line {number}: expected {len(header)} values, found {found}")
    return rows
