"""Defaults of options from a file: `$EMOBOX_CONFIG`, else `emobox.toml` here, else `~/.config/emobox/emobox.toml`.

The file holds a table `[defaults]` of options by their long names; each verb takes those it has. What stands on the
command line goes before it, and so does what a launcher has set. Paths in it are relative to the file. Whatever shapes
a score ends in the record anyway.
"""

import argparse
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emobox_hf.errors import InputError, suggest
from emobox_hf.files import read_toml
from emobox_hf.options import Parser

TABLE = "defaults"
# What a command is about, the form of its answer, and consent: a file says none of them for all commands to come.
NO_DEFAULTS = {
    *("corpus", "corpora", "train", "test", "out", "repo", "all", "help", "version", "json", "markdown"),
    *("quiet", "verbose", "overwrite", "yes", "public", "i_have_the_right", "token"),
}


def find_config() -> Path | None:
    """The file that is read; None where there is none, or where `$EMOBOX_CONFIG` is empty.

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
        InputError: It is no TOML, holds something else than the table, or an option that takes no default from a file.
    """
    content = read_toml(path)
    if unknown := sorted(set(content) - {TABLE}):
        raise InputError(f"{path}: expected one table, [{TABLE}], found {unknown[0]!r}")
    table = content.get(TABLE, {})
    if not isinstance(table, dict):
        raise InputError(f"{path}: {TABLE} is a table, [{TABLE}], of options")
    for name in table:
        if name.replace("-", "_") in NO_DEFAULTS:
            raise InputError(f"{path}: {name!r} takes no default from a file: it is said on the command line, always")
    return {name.replace("-", "_"): value for name, value in table.items()}


def apply_defaults(parser: Parser) -> None:
    """Give a parser, and those of its verbs, the defaults of the user's file; their help names it.

    Of options that exclude each other none gets a default. A flag that the file sets can be taken back: `--no-` and its
    name.

    Raises:
        InputError: The file is no such table, or a value is none that an option takes.
    """
    path = find_config()
    if path is None:
        return
    values = read_config(path)
    for one in _list_parsers(parser):
        actions = {name: action for action in one._actions for name in _names(action)}
        excluding = {id(action) for group in one._mutually_exclusive_groups for action in group._group_actions}
        taken = [
            name
            for name in values
            if name in actions and id(actions[name]) not in excluding and name not in one.from_environment
        ]
        for name in taken:
            _set_default(one, actions[name], name, values[name], path)
        if taken:
            one.epilog = f"{one.epilog or ''} Defaults from {path}: {', '.join(taken)}.".strip()


def check_names(values: Mapping[str, Any], known: set[str], path: Path) -> None:
    """Refuse, with a suggestion, a default of no option of any verb."""
    for name in values:
        if name not in known:
            raise InputError(f"{path}: no option {name!r}{suggest(name, known - NO_DEFAULTS)}")


def list_names(parser: Parser) -> set[str]:
    """The names of all options of a parser and of its verbs, with underscores."""
    return {name for one in _list_parsers(parser) for action in one._actions for name in _names(action)}


def _list_parsers(parser: Parser) -> Iterator[Parser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield from _list_parsers(verb)


def _names(action: argparse.Action) -> list[str]:
    return [flag.removeprefix("--").replace("-", "_") for flag in action.option_strings if flag.startswith("--")]


def _set_default(parser: Parser, action: argparse.Action, name: str, value: Any, path: Path) -> None:
    where = f"{path}: {name}"
    if isinstance(action, argparse._StoreTrueAction):
        if not isinstance(value, bool):
            raise InputError(f"{where}: expected true or false, found {value!r}")
        parser.set_defaults(**{action.dest: value})
        if value:
            flag = f"--no-{name.replace('_', '-')}"
            parser.add_argument(flag, action="store_false", dest=action.dest, help=f"takes back what {path} says")
        return
    if isinstance(action, argparse.BooleanOptionalAction):
        if not isinstance(value, bool):
            raise InputError(f"{where}: expected true or false, found {value!r}")
        parser.set_defaults(**{action.dest: value != name.startswith("no_")})
        return
    takes_several = action.nargs in ("+", "*")
    if isinstance(value, list) and not takes_several:
        raise InputError(f"{where}: expected one value, found {value!r}")
    read = [_read_value(action, one, where, path.parent) for one in (value if isinstance(value, list) else [value])]
    parser.set_defaults(**{action.dest: read if takes_several else read[0]})
    action.required = False


def _read_value(action: argparse.Action, value: Any, where: str, folder: Path) -> Any:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise InputError(f"{where}: expected a value such as the command line takes, found {value!r}")
    text = str(value)
    is_path = action.type is Path or text.startswith(("./", "../", "~/"))
    if is_path:
        text = str(folder / Path(text).expanduser())
    try:
        read = action.type(text) if callable(action.type) else text
    except (ValueError, TypeError, argparse.ArgumentTypeError) as error:
        raise InputError(f"{where}: {error}") from error
    if action.choices is not None and read not in action.choices:
        raise InputError(f"{where}: expected one of {', '.join(map(str, action.choices))}, found {value!r}")
    return read
