"""Corpora whose labels are in tables of separated values, one row an utterance."""

import csv
import string

from emobox_hf.corpora.discovery.rows import describe, map_emotion
from emobox_hf.corpora.discovery.tree import FileTree
from emobox_hf.corpora.spec import CorpusSpec, Table
from emobox_hf.corpora.utterance import Findings
from emobox_hf.errors import InputError, first_five


def discover(spec: CorpusSpec, tree: FileTree) -> Findings:
    """Read every table of the spec; `discovery.columns` names the columns of `emotion`, `speaker`, `text`."""
    findings = Findings()
    for table in spec.discovery.tables:
        _read_table(spec, tree, table, findings)
    known = {utterance.path for utterance in findings.utterances}
    findings.unexpected.extend(path for path in tree.audio() if path not in known)
    return findings


def _read_table(spec: CorpusSpec, tree: FileTree, table: Table, findings: Findings) -> None:
    path = tree.require(table.file, "which lists the corpus's utterances")
    columns = spec.discovery.columns
    for number, row in _rows(spec, tree, path, table):
        raw_emotion = row[columns["emotion"]]
        key = table.key.format(**row)
        emotion = map_emotion(spec, raw_emotion, f"{path}, line {number},")
        reason = spec.discovery.skip.get(key) or (spec.labels_left_out[raw_emotion] if emotion is None else None)
        if reason is not None or emotion is None:
            findings.left_out[key] = str(reason)
            continue
        wanted = table.audio.format(**row)
        audio = tree.find(wanted)
        if audio is None:
            findings.missing[key] = wanted
            continue
        named = {field: row[column] for field, column in columns.items() if field != "emotion"}
        findings.utterances.append(
            describe(spec, key=key, path=audio, raw_emotion=raw_emotion, emotion=emotion, split=table.split, **named)
        )


def _fields(template: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(template) if name]


def _rows(spec: CorpusSpec, tree: FileTree, path: str, table: Table) -> list[tuple[int, dict[str, str]]]:
    """The rows with their line numbers, each a dictionary over the header."""
    try:
        with open(tree.root / path, encoding=spec.discovery.encoding, newline="") as file:
            reader = csv.DictReader(file, delimiter=spec.discovery.separator)
            header = reader.fieldnames or []
            wanted = [*spec.discovery.columns.values(), *_fields(table.audio), *_fields(table.key)]
            if absent := [column for column in wanted if column not in header]:
                raise InputError(
                    f"{tree.root / path}: no column {first_five(absent)}; found {', '.join(header) or 'an empty file'} "
                    f"(separator {spec.discovery.separator!r} expected)"
                )
            rows = [(reader.line_num, row) for row in reader]
    except UnicodeDecodeError as error:
        raise InputError(f"{tree.root / path}: not text in {spec.discovery.encoding}: {error}") from error
    for number, row in rows:
        if None in row.values() or None in row:
            raise InputError(f"{tree.root / path}, line {number}: expected {len(header)} values")
    return rows
