"""Corpora whose labels are in JSON files: objects within objects, one record an utterance."""

import typing
from collections.abc import Iterator

from emobox_hf.corpora.discovery.rows import add_row
from emobox_hf.corpora.discovery.tree import FileTree
from emobox_hf.corpora.spec import CorpusSpec
from emobox_hf.corpora.templates import fields_of, fill
from emobox_hf.corpora.utterance import Findings
from emobox_hf.errors import InputError, first_five
from emobox_hf.files import read_json, read_text


def discover(spec: CorpusSpec, tree: FileTree) -> Findings:
    """The utterances in the JSON files of the spec, one a record.

    `table.records` is the way to them, such as `{movie}/{dialogue}/Dialog/{utterance}`: a name in braces stands for
    every key at that level. The templates of audio and key see those keys and the record's own values. Each of
    `discovery.columns` is a way from the top of the file to one value, filled in with the same: a value that is not
    there is None, but every record needs an emotion. `discovery.split_lists` names files with one value of the key
    `discovery.split_by` a line, each for a part of the corpus.
    """
    findings = Findings()
    parts = _read_parts(spec, tree)
    used = set()
    for table in spec.discovery.tables:
        path = tree.require(table.file, "which lists the corpus's utterances")
        templates = (table.audio, table.key, *spec.discovery.columns.values())
        needed = {name for template in templates for name in fields_of(template)} - {"file", "stem"}
        top = _read_json(tree, path)
        for fields, record in _walk(top, str(table.records).split("/"), {}, f"{tree.root / path}"):
            where = f"{path}, {'/'.join(fields.values())},"
            fields |= {name: str(value) for name, value in record.items() if isinstance(value, str | int | float)}
            if absent := needed - set(fields):
                raise InputError(f"{tree.root}: {where} has no {first_five(sorted(absent))}")
            columns = {name: _look_up(top, way, fields) for name, way in spec.discovery.columns.items()}
            if columns["emotion"] is None:
                raise InputError(f"{tree.root}: {where} has no value at {spec.discovery.columns['emotion']}")
            if spec.discovery.split_by is not None:
                value = fields[spec.discovery.split_by]
                if value not in parts:
                    raise InputError(
                        f"{tree.root}: {where} has the {spec.discovery.split_by} {value!r}, which is in none of "
                        f"{', '.join(spec.discovery.split_lists.values())}"
                    )
                columns["split"] = parts[value]
            used.add(add_row(spec, tree, findings, table=table, fields=fields, columns=columns, where=where))
    findings.unexpected.extend(path for path in tree.audio() if path not in used)
    return findings


def _read_parts(spec: CorpusSpec, tree: FileTree) -> dict[str, str]:
    """The part of the corpus by value of `split_by`, from the files of `split_lists`."""
    parts: dict[str, str] = {}
    for part, file in spec.discovery.split_lists.items():
        path = tree.require(file, f"which lists the part {part!r}")
        lines = read_text(tree.root / path, spec.discovery.encoding).splitlines()
        parts |= {line.strip(): part for line in lines if line.strip()}
    return parts


def _read_json(tree: FileTree, path: str) -> typing.Any:
    return read_json(tree.root / path)


def _walk(
    node: typing.Any, steps: list[str], fields: dict[str, str], where: str
) -> Iterator[tuple[dict[str, str], dict[str, typing.Any]]]:
    """Every record at the end of `steps`, with the keys on the way to it by their names."""
    if not isinstance(node, dict):
        raise InputError(f"{where}: expected an object, found {type(node).__name__}")
    if not steps:
        yield dict(fields), node
        return
    step, *rest = steps
    if not step.startswith("{"):
        if step not in node:
            raise InputError(f"{where}: no {step!r}; found {', '.join(node)}")
        yield from _walk(node[step], rest, fields, f"{where}, {step}")
        return
    for key, value in node.items():
        yield from _walk(value, rest, {**fields, step.strip("{}"): key}, f"{where}, {key}")


def _look_up(top: typing.Any, way: str, fields: dict[str, str]) -> str | None:
    node = top
    for step in way.split("/"):
        key = fill(step, fields, way)
        if not isinstance(node, dict) or key not in node:
            return None
        node = node[key]
    return None if node is None else str(node)
