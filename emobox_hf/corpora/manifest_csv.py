"""Manifests as CSV tables, one line an utterance: written, and read back, or read where somebody made one by hand."""

import csv
import dataclasses
import io
import json
import math
import typing
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from emobox_hf.corpora.csv_rows import read_rows
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError, first_five
from emobox_hf.files import parse_json, write_text
from emobox_hf.text import read_cell, write_cell

FIELDS = tuple(field.name for field in dataclasses.fields(Utterance))


def write_manifest(utterances: Sequence[Utterance], path: Path) -> None:
    """Write utterances as a CSV table in UTF-8 with a header, whole or not at all.

    None is an empty cell, extras are a JSON object. Before a text that a spreadsheet would take for a formula stands an
    apostrophe, which `read_manifest` takes away.
    """
    write_text(path, format_manifest(utterances))


def format_manifest(utterances: Sequence[Utterance]) -> str:
    """Utterances as CSV text, one line each below a header of the field names."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for utterance in utterances:
        values = dataclasses.asdict(utterance)
        values["extras"] = json.dumps(utterance.extras, ensure_ascii=False) if utterance.extras else None
        writer.writerow(
            [
                "" if value is None else write_cell(value) if isinstance(value, str) else value
                for value in values.values()
            ]
        )
    return text.getvalue()


def read_manifest(path: Path) -> list[Utterance]:
    """Read what `write_manifest` wrote, or a table of one's own: only `key` and `emotion` have to be there.

    Raises:
        InputError: The file is absent or not UTF-8, lacks one of them, has a column that means nothing here, or has a
            key twice.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such manifest; `emobox manifest CORPUS --out {path}` writes one")
    header, rows = read_rows(path)
    if not {"key", "emotion"} <= set(header) or not set(header) <= set(FIELDS):
        raise InputError(
            f"{path}: expected the columns key and emotion, and any of {', '.join(FIELDS)}; found {', '.join(header)}"
        )
    utterances = [_read_row(f"{path}, line {number}", row) for number, row in rows]
    if twice := [key for key, count in Counter(u.key for u in utterances).items() if count > 1]:
        raise InputError(f"{path}: each key once was expected; these come again: {first_five(twice)}")
    return utterances


def _read_row(where: str, row: dict[str, str]) -> Utterance:
    values: dict[str, typing.Any] = {
        name: value if name is None else read_cell(value) for name, value in row.items() if value
    }
    if None in row or not {"key", "emotion"} <= set(values):
        raise InputError(f"{where}: expected a key, an emotion, and as many cells as the header has; found {row}")
    values = {"path": "", "raw_emotion": values["emotion"]} | values
    try:
        values |= {name: float(values[name]) for name in ("start_s", "end_s") if name in values}
    except ValueError as error:
        raise InputError(f"{where}: start_s and end_s are seconds: {error}") from error
    extras = values["extras"] = parse_json(values.get("extras", "{}"), f"{where}: extras")
    if not isinstance(extras, dict) or not all(isinstance(text, str) for text in extras.values()):
        raise InputError(f"{where}: extras is a JSON object of texts, found {values['extras']}")
    if not all(0 <= values.get(name, 0) < math.inf for name in ("start_s", "end_s")):
        raise InputError(f"{where}: start_s and end_s are seconds from the beginning of the file")
    return Utterance(**values)
