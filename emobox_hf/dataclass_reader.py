"""From tables of TOML or JSON to frozen dataclasses, every field checked against its type hint."""

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
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
    return _reader_of(hint)(value, where)


Reader = Callable[[typing.Any, str], typing.Any]


@functools.cache
def _reader_of(hint: typing.Any) -> Reader:
    """`read_as` of one type hint, made once: thousands of records are of the same types."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is typing.Any:
        return lambda value, where: value
    if origin in (types.UnionType, typing.Union):
        return _make_union_reader(arguments)
    if dataclasses.is_dataclass(hint):
        return _make_table_reader(typing.cast(type, hint))
    if origin is typing.Annotated:
        return _make_keys_reader(next(one for one in arguments if isinstance(one, Keys)))
    if origin in (tuple, list):
        return _make_list_reader(arguments[0], is_tuple=origin is tuple)
    if origin in (Mapping, dict):
        return _make_dict_reader(arguments[1])
    if origin is typing.Literal:
        return lambda value, where: _expect_one_of(arguments, value, where)
    if hint is float:
        return lambda value, where: float(value) if type(value) is int else _expect(float, value, where)
    return lambda value, where: _expect(hint, value, where)


def _is_plain(hint: typing.Any, value: typing.Any) -> bool:
    """Whether a value is of its type as it stands, as most values of a record are; asked before places are named."""
    kind = type(value)
    return kind in _plain_types(hint) and (kind is not int or -(2**63) <= value < 2**63)


@functools.cache
def _plain_types(hint: typing.Any) -> frozenset[type]:
    """Those that values of a type hint may have and need no reading."""
    is_union = typing.get_origin(hint) in (types.UnionType, typing.Union)
    kinds = typing.get_args(hint) if is_union else (hint,)
    return frozenset(kind for kind in (str, bool, int, float, type(None)) if kind in kinds)


def _make_union_reader(arguments: tuple[typing.Any, ...]) -> Reader:
    kinds = [one for one in arguments if one is not type(None)]
    names = " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)

    def read(value: typing.Any, where: str) -> typing.Any:
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
        raise InputError(f"{where}: expected {names}, found {_show(value)}")

    return read


def _make_list_reader(kind: typing.Any, *, is_tuple: bool) -> Reader:
    plain, read_one = _plain_types(kind), _reader_of(kind)

    def read(value: typing.Any, where: str) -> typing.Any:
        found = _expect(list, value, where)
        kinds = set(map(type, found))
        if kinds <= plain and (int not in kinds or (len(kinds) == 1 and max(map(abs, found)) < 2**63)):
            return tuple(found) if is_tuple else found
        items = [one if _is_plain(kind, one) else read_one(one, f"{where}[{i}]") for i, one in enumerate(found)]
        return tuple(items) if is_tuple else value if items == value else items

    return read


def _make_dict_reader(kind: typing.Any) -> Reader:
    plain, read_one = _plain_types(kind) - {int}, _reader_of(kind)

    def read(value: typing.Any, where: str) -> typing.Any:
        pairs = _expect(dict, value, where).items()
        table = {key: one if type(one) in plain else read_one(one, f"{where}.{key}") for key, one in pairs}
        return value if table == value else table

    return read


def _make_keys_reader(keys: Keys) -> Reader:
    def read(value: typing.Any, where: str) -> dict[str, typing.Any]:
        table = _expect(dict, value, where)
        if absent := [name for name in keys.named if name not in table]:
            raise InputError(f"{where}: missing {', '.join(absent)}")
        kinds = {name: keys.named.get(name, keys.others) for name in table}
        return {
            name: one if _is_plain(kinds[name], one) else read_as(kinds[name], one, f"{where}.{name}")
            for name, one in table.items()
        }

    return read


def _make_table_reader(kind: type) -> Reader:
    fields, missing = dataclasses.fields(kind), dataclasses.MISSING
    hints = typing.get_type_hints(kind, include_extras=True)
    hints = {field.name: hints[field.name] for field in fields}
    required = [one.name for one in fields if one.default is missing and one.default_factory is missing]
    plain = {name: _plain_types(hint) - {int} for name, hint in hints.items()}  # the size of whole numbers is looked at

    def read(value: typing.Any, where: str) -> typing.Any:
        if isinstance(value, kind):
            return value
        table = _expect(dict, value, where)
        if unknown := sorted(table.keys() - hints.keys()):
            raise InputError(f"{where}: unknown field {unknown[0]!r}{suggest(unknown[0], list(hints))}")
        if absent := [name for name in required if name not in table]:
            raise InputError(f"{where}: missing {', '.join(absent)}")
        values = {
            name: one if type(one) in plain[name] else read_as(hints[name], one, f"{where}: {name}")
            for name, one in table.items()
        }
        return kind(**values)

    return read


def _expect_one_of(values: tuple[typing.Any, ...], value: typing.Any, where: str) -> typing.Any:
    if value not in values:
        raise InputError(f"{where}: expected one of {', '.join(map(str, values))}, found {_show(value)}")
    return value


def _expect(kind: type, value: typing.Any, where: str) -> typing.Any:
    is_other = not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
    if is_other or (kind is int and not -(2**63) <= value < 2**63):
        raise InputError(f"{where}: expected {kind.__name__}, found {_show(value)}")
    return value


def _show(value: typing.Any) -> str:
    """A value in a message, cut where it is long."""
    shown = repr(value)
    return shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}…"
