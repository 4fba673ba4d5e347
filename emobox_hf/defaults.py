"""Defaults of options from a file: `emobox.toml` here, `$EMOBOX_CONFIG`, or `~/.config/emobox/emobox.toml`.

The file holds a table `[defaults]` of options by their long names; each verb takes those it has. What stands on the
command line goes before it. Paths in it are relative to the file. Whatever shapes a score ends in the record anyway.
"""

import argparse
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emobox_hf.errors import InputError, suggest

TABLE = "defaults"


def find_config() -> Path | None:
    """The file that is read: `$EMOBOX_CONFIG`, else `emobox.toml` in the current folder, else the user's own.

    Raises:
        InputError: `$EMOBOX_CONFIG` names no file.
    """
    named = os.environ.get("EMOBOX_CONFIG")
    if named is not None:
        path = Path(named).expanduser()
        if named and not path.is_file():
            raise InputError(f"$EMOBOX_CONFIG is {named}, and there is no such file; unset it, or write one")
        return path if named else None
    home = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    return next((path for path in (Path("emobox.toml"), home / "emobox" / "emobox.toml") if path.is_file()), None)


def read_config(path: Path) -> dict[str, Any]:
    """The defaults in a file, by names with underscores.

    Raises:
        InputError: It is no TOML, or holds something else than the table.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected TOML, found {error}") from error
    if unknown := sorted(set(content) - {TABLE}):
        raise InputError(f"{path}: expected one table, [{TABLE}], found {unknown[0]!r}")
    table = content.get(TABLE, {})
    if not isinstance(table, dict):
        raise InputError(f"{path}: {TABLE} is a table, [{TABLE}], of options")
    return {name.replace("-", "_"): value for name, value in table.items()}


def apply_defaults(parser: argparse.ArgumentParser) -> None:
    """Give a parser, and those of its verbs, the defaults of the user's file.

    Raises:
        InputError: The file is no such table, or a value is none that an option takes.
    """
    path = find_config()
    if path is None:
        return
    values = read_config(path)
    for one in _list_parsers(parser):
        actions = {name: action for action in one._actions for name in _names(action)}
        for name in values.keys() & actions.keys():
            _set_default(one, actions[name], values[name], f"{path}: {name}", path.parent)


def check_names(values: Mapping[str, Any], known: set[str], path: Path) -> None:
    """Refuse, with a suggestion, a default of no option of any verb."""
    for name in values:
        if name not in known:
            raise InputError(f"{path}: no option {name!r}{suggest(name, known)}")


def list_names(parser: argparse.ArgumentParser) -> set[str]:
    """The names of all options of a parser and of its verbs, with underscores."""
    return {name for one in _list_parsers(parser) for action in one._actions for name in _names(action)}


def _list_parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield from _list_parsers(verb)


def _names(action: argparse.Action) -> list[str]:
    return [flag.removeprefix("--").replace("-", "_") for flag in action.option_strings if flag.startswith("--")]


def _set_default(
    parser: argparse.ArgumentParser, action: argparse.Action, value: Any, where: str, folder: Path
) -> None:
    if isinstance(action, argparse._StoreTrueAction):
        if not isinstance(value, bool):
            raise InputError(f"{where}: expected true or false, found {value!r}")
        parser.set_defaults(**{action.dest: value})
        return
    takes_several = action.nargs in ("+", "*")
    if isinstance(value, list) and not takes_several:
        raise InputError(f"{where}: expected one value, found {value!r}")
    read = [_read_value(action, one, where, folder) for one in (value if isinstance(value, list) else [value])]
    parser.set_defaults(**{action.dest: read if takes_several else read[0]})
    action.required = False


def _read_value(action: argparse.Action, value: Any, where: str, folder: Path) -> Any:
    if action.type is Path:
        return folder / Path(str(value)).expanduser()
    try:
        read = action.type(str(value)) if callable(action.type) else str(value)
    except (ValueError, TypeError, argparse.ArgumentTypeError) as error:
        raise InputError(f"{where}: {error}") from error
    if action.choices is not None and read not in action.choices:
        raise InputError(f"{where}: expected one of {', '.join(map(str, action.choices))}, found {value!r}")
    return read
