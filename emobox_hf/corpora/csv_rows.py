"""The rows of a CSV table, whoever made it."""

import csv
import typing
from pathlib import Path

from emobox_hf.errors import InputError


def read_rows(
    path: Path, *, encoding: str = "utf-8", separator: str = ","
) -> tuple[list[str], list[tuple[int, dict[typing.Any, typing.Any]]]]:
    """The header, and each row as a dictionary over it with the number of its last line.

    A row that is too long has the rest under None, one that is too short has None for values.

    Raises:
        InputError: The file is not text in this encoding, or has an endless cell, as an unclosed quote makes one.
    """
    try:
        with open(path, encoding=encoding, newline="") as file:
            reader = csv.DictReader(file, delimiter=separator)
            # a spreadsheet may have put a byte-order mark before the first name
            header = [name.removeprefix("\ufeff") for name in reader.fieldnames or []]
            reader.fieldnames = header
            return header, [(reader.line_num, row) for row in reader]
    except UnicodeError as error:
        raise InputError(f"{path}: not text in {encoding}: {error}") from error
    except csv.Error as error:
        place = f"after line {reader.line_num}"
        hint = "; is a quote not closed there?" if "limit" in str(error) else ""
        raise InputError(f"{path}: not a table, {place}: {error}{hint}") from error
