"""From tables of TOML or JSON to frozen dataclasses, every field checked against its type hint."""

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass

from emobox_hf.errors import InputError, suggest

LONGEST_SHOWN = 80  # characters of a value in a message


@dataclass(frozen=True, eq=False)
class Keys:
    """In `Annotated[dict[str, Any], Keys(...)]`: what a dictionary holds whose values have types of their own.

    Attributes:
        named: Key and type of what it has to hold.
        others: The type of every other value.
    """

    named: Mapping[str, typing.Any]
    others: typing.Any = typing.Any


def read_as(hint: typing.Any, value: typing.Any, where: str) -> typing.Any:
    """Turn a value of TOML or JSON into what a type hint asks for: a dataclass, a tuple, a mapping, a plain value.

    Args:
        hint: The type. Lists and dictionaries of plain values stay as they were written.
        value: What was read; a dataclass that is one already stays.
        where: Names the place in messages.

    Raises:
        InputError: A field is unknown, missing or of another type.
    """
    if _is_plain(hint, value):
        return value
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _read_union(arguments, value, where)
    if dataclasses.is_dataclass(hint):
        kind = typing.cast(type, hint)
        return value if isinstance(value, kind) else _read_table(kind, _expect(dict, value, where), where)
    if origin is typing.Annotated:
        keys = next(one for one in arguments if isinstance(one, Keys))
        return _read_keys(keys, _expect(dict, value, where), where)
    if origin in (tuple, list):
        (kind, *_), found = arguments, _expect(list, value, where)
        items = [o if _is_plain(kind, o) else read_as(kind, o, f"{where}[{i}]") for i, o in enumerate(found)]
        return tuple(items) if origin is tuple else value if items == value else items
    if origin in (Mapping, dict):
        kind, pairs = arguments[1], _expect(dict, value, where).items()
        table = {key: one if _is_plain(kind, one) else read_as(kind, one, f"{where}.{key}") for key, one in pairs}
        return value if table == value else table
    if origin is typing.Literal:
        if value not in arguments:
            raise InputError(f"{where}: expected one of {', '.join(map(str, arguments))}, found {_show(value)}")
        return value
    if hint is float and type(value) is int:
        return float(value)
    return _expect(hint, value, where)


def _is_plain(hint: typing.Any, value: typing.Any) -> bool:
    """Whether a value is of its type as it stands, as most values of a record are; asked before places are named."""
    kind = type(value)
    return hint is typing.Any or (kind in _plain_types(hint) and (kind is not int or -(2**63) <= value < 2**63))


@functools.cache
def _plain_types(hint: typing.Any) -> frozenset[type]:
    """Those that values of a type hint may have and need no reading."""
    is_union = typing.get_origin(hint) in (types.UnionType, typing.Union)
    kinds = typing.get_args(hint) if is_union else (hint,)
    return frozenset(kind for kind in (str, bool, int, float, type(None)) if kind in kinds)


def _read_union(arguments: tuple[typing.Any, ...], value: typing.Any, where: str) -> typing.Any:
    kinds = [one for one in arguments if one is not type(None)]
    if value is None and len(kinds) < len(arguments):
        return None
    if type(value) in kinds:
        return _expect(type(value), value, where)
    if len(kinds) == 1:
        return read_as(kinds[0], value, where)
    for kind in kinds:
        try:
            return read_as(kind, value, where)
        except InputError:
            continue
    names = " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
    raise InputError(f"{where}: expected {names}, found {_show(value)}")


def _read_keys(keys: Keys, table: dict[str, typing.Any], where: str) -> dict[str, typing.Any]:
    if absent := [name for name in keys.named if name not in table]:
        raise InputError(f"{where}: missing {', '.join(absent)}")
    kinds = {name: keys.named.get(name, keys.others) for name in table}
    return {
        name: value if _is_plain(kinds[name], value) else read_as(kinds[name], value, f"{where}.{name}")
        for name, value in table.items()
    }


@functools.cache
def _hints_of(kind: type) -> dict[str, typing.Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


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
    values = {
        name: value if _is_plain(hints[name], value) else read_as(hints[name], value, f"{where}: {name}")
        for name, value in table.items()
    }
    return kind(**values)


def _expect(kind: type, value: typing.Any, where: str) -> typing.Any:
    is_other = not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
    if is_other or (kind is int and not -(2**63) <= value < 2**63):
        raise InputError(f"{where}: expected {kind.__name__}, found {_show(value)}")
    return value


def _show(value: typing.Any) -> str:
    """A value in a message, cut where it is long."""
    shown = repr(value)
    return shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}…"
