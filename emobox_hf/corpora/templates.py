"""Templates of a specification: text with names in braces, `{speaker}`, `{path.name}` or `{path.stem}`."""

import string
from collections.abc import Mapping
from functools import cache

from emobox_hf.errors import InputError, first_five

_PARTS_OF_PATHS = ("name", "stem")


class Cell(str):
    """A value for templates; `{path.name}` is the last part of a path, `{path.stem}` that without its extension."""

    @property
    def name(self) -> str:
        """The last part of a path."""
        return self.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The last part of a path without its extension."""
        stem, dot, _ = self.name.rpartition(".")
        return stem if dot and stem else self.name


def find_fault(template: str) -> str:
    """Why a text is no template, in a few words; empty where it is one.

    >>> find_fault("{speaker}-{path.stem}"), find_fault("{a"), find_fault("{key.__class__}")
    ('', "expected '}' before end of string", '{key.__class__}: only .name and .stem can follow a name')
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        return str(error)
    for _, field, layout, conversion in parts:
        if field is None:
            continue
        name, dot, part = field.partition(".")
        if layout or conversion or not name.isidentifier():
            return f"{{{field}}}: a name was expected between the braces, and nothing else"
        if dot and part not in _PARTS_OF_PATHS:
            return f"{{{field}}}: only .name and .stem can follow a name"
    return ""


@cache
def fields_of(template: str) -> tuple[str, ...]:
    """The names in braces of a template: `{path.name}` uses `path`."""
    return tuple(name.partition(".")[0] for _, name, _, _ in string.Formatter().parse(template) if name)


def fill(template: str, fields: Mapping[str, str | None], where: str) -> str:
    """The text that a template stands for.

    Args:
        template: One without a fault.
        fields: The values by name.
        where: Names the template and its row in messages.

    Raises:
        InputError: The template uses a name that is not among the fields.
    """
    if absent := [name for name in fields_of(template) if name not in fields]:
        raise InputError(f"{where}: {template!r} uses {first_five(absent)}; known here: {', '.join(sorted(fields))}")
    return template.format(**{name: Cell(value) if isinstance(value, str) else value for name, value in fields.items()})
