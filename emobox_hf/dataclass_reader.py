"""From tables of TOML or JSON to frozen dataclasses, every field checked against its type hint."""

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping

from emobox_hf.errors import InputError, suggest


def read_as(hint: typing.Any, value: typing.Any, where: str) -> typing.Any:
    """Turn a value of TOML or JSON into what a type hint asks for: a dataclass, a tuple, a mapping, a plain value.

    Args:
        hint: The type; a union stands for its first member that is not None, and for None where it has that.
        value: What was read.
        where: Names the place in messages.

    Raises:
        InputError: A field is unknown, missing or of another type.
    """
    if type(value) is hint:  # most values of a record
        return value
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        return read_as(next(a for a in arguments if a is not type(None)), value, where)
    if dataclasses.is_dataclass(hint):
        return _read_table(typing.cast(type, hint), _expect(dict, value, where), where)
    if origin is tuple:
        items = enumerate(_expect(list, value, where))
        return tuple(read_as(arguments[0], item, f"{where}[{i}]") for i, item in items)
    if origin is Mapping:
        pairs = _expect(dict, value, where).items()
        return {key: read_as(arguments[1], item, f"{where}.{key}") for key, item in pairs}
    if origin is typing.Literal:
        if value not in arguments:
            raise InputError(f"{where}: expected one of {', '.join(map(str, arguments))}, found {value!r}")
        return value
    if hint is float and isinstance(value, int):
        return float(value)
    return _expect(hint, value, where)


_hints_of = functools.cache(typing.get_type_hints)


@functools.cache
def _list_required(kind: type) -> tuple[str, ...]:
    missing = dataclasses.MISSING
    return tuple(
        field.name
        for field in dataclasses.fields(kind)
        if field.default is missing and field.default_factory is missing
    )


def _read_table(kind: type, table: dict[str, typing.Any], where: str) -> typing.Any:
    hints = _hints_of(kind)
    if unknown := sorted(table.keys() - hints.keys()):
        raise InputError(f"{where}: unknown field {unknown[0]!r}{suggest(unknown[0], list(hints))}")
    if absent := [name for name in _list_required(kind) if name not in table]:
        raise InputError(f"{where}: missing {', '.join(absent)}")
    return kind(**{name: read_as(hints[name], value, f"{where}: {name}") for name, value in table.items()})


def _expect(kind: type, value: typing.Any, where: str) -> typing.Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"{where}: expected {kind.__name__}, found {value!r}")
    return value
