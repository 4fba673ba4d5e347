"""Options declared once: a field of a frozen dataclass is a setting, a flag of the command line and a word in tables.

A field made by `option` becomes `--its-name`; what it takes follows from its type hint: a flag for `bool`, and
`--no-its-name` where it is on by default, several values for `tuple`, choices for `Literal`.
"""

import argparse
import dataclasses
import inspect
import os
import re
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NoReturn

from emobox_hf.errors import InputError, suggest

_KEY = "option"
Function = typing.TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Option:
    """How a field is shown.

    Attributes:
        help: For `--help`.
        name: What a user calls it; the field's own name if empty.
        flags: Other names for it on the command line, such as `--layers`.
        choices: The values it can have, where its type does not tell them.
        metavar: What stands for a value in `--help`.
        environment: A variable whose value is the default on the command line, where it is set.
        show: Its value for people, to tell two runs apart; None where it tells nothing.
    """

    help: str
    name: str = ""
    flags: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    metavar: str | None = None
    environment: str = ""
    show: Callable[[Any], str] | None = None


class Formatter(argparse.HelpFormatter):
    """Help that shows a default where there is one that says something."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        is_shown = action.option_strings and action.default not in (None, argparse.SUPPRESS, False, "", [], ())
        if (
            not is_shown
            or isinstance(action, argparse.BooleanOptionalAction)
            or "%(default)" in text
            or "default" in text
        ):
            return text
        value = action.default
        shown = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        return f"{text} (default: {shown.replace('%', '%%')})"


class Parser(argparse.ArgumentParser):
    """A parser whose help shows defaults, and which suggests what was meant by a misspelt verb, option or choice.

    It takes `--quiet` and `--verbose`, as `loudness`, which is absent where neither is given.

    Attributes:
        from_environment: The options whose default a variable of the environment has set; no file goes before it.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"formatter_class": Formatter, **settings})
        if "-" in self.prefix_chars:
            add = self.add_argument_group("messages on stderr").add_argument
            # Suppressed, so that a verb does not take back what stands before it.
            shared: dict[str, Any] = {"action": "store_const", "dest": "loudness", "default": argparse.SUPPRESS}
            add("--quiet", const="quiet", help="errors alone", **shared)
            add("--verbose", const="verbose", help="every detail, each retry for instance", **shared)
        self.from_environment: set[str] = set()
        self._words: list[str] = []

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """As argparse's; the words are kept for the error message."""
        self._words = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(self._words, namespace)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, with what may have been meant, and exit with 2."""
        self.exit(2, f"{self.prog}: {self._suggest(message) or f'{message}; `{self.prog} --help` tells more'}\n")

    def _suggest(self, message: str) -> str | None:
        """The message with a suggestion, None where nothing is close."""
        if match := re.match(r"argument (\S+): invalid choice: '(.*?)' \(choose from (.*)\)", message):
            name, typed, known = match[1], match[2], re.findall(r"[^\s,']+", match[3])
            if not name.isupper():
                return _close(typed, known, f"{name}: no {typed!r}")
            what = f"no {name.lower()} {typed!r}"  # of which there are too many for one line
            return _close(typed, known, what) or f"{what}; `{self.prog} --help` lists them"
        if match := re.match(r"unrecognized arguments: (--[\w-]+)", message):
            return _close(match[1], self._flags(), message)
        if match := re.match(r"the following arguments are required: (.*)", message):
            required = [name for part in match[1].split(", ") for name in part.split("/")]
            unknown = [word for word in self._words if word.startswith("--") and not self._knows(word)]
            found = (_close(word, required, f"no option {word!r}") for word in unknown)
            return next((one for one in found if one), None)
        return None

    def _knows(self, word: str) -> bool:
        return any(flag.startswith(word.partition("=")[0]) for flag in self._flags())

    def _flags(self) -> list[str]:
        """The options of this parser and of those of its verbs."""
        flags = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                flags += [flag for one in action.choices.values() for flag in one._flags()]
        return flags


def _close(typed: str, known: Collection[str], message: str) -> str | None:
    suggestion = suggest(typed, [name for name in known if name != typed])
    return message + suggestion if "did you mean" in suggestion else None


def option(default: Any = dataclasses.MISSING, *, factory: Any = dataclasses.MISSING, **shown: Any) -> Any:
    """A dataclass field that is an option: its default, or a `factory` of it, and the fields of `Option`.

    A field without a default is an option that has to be given.
    """
    return dataclasses.field(default=default, default_factory=factory, metadata={_KEY: Option(**shown)})


def list_options(section: type) -> dict[str, tuple[dataclasses.Field[Any], Option]]:
    """The options of a dataclass by the names that users type, with underscores."""
    found = [(field, field.metadata[_KEY]) for field in dataclasses.fields(section) if _KEY in field.metadata]
    return {shown.name or field.name: (field, shown) for field, shown in found}


def add_options(parser: Parser, section: type) -> None:
    """Give a parser the options of a dataclass."""
    hints = typing.get_type_hints(section)
    for name, (field, shown) in list_options(section).items():
        settings: dict[str, Any] = {"help": shown.help, "dest": name, **_read_hint(hints[field.name])}
        default = default_of(field)
        told = os.environ.get(shown.environment) or default
        if told != default:
            default = told
            parser.from_environment.add(name)
        if default is dataclasses.MISSING:
            settings["required"] = True
        elif default is True:
            settings |= {"action": argparse.BooleanOptionalAction, "default": True}
        elif settings.get("action") != "store_true":
            settings["default"] = default
        if shown.choices:
            settings["choices"] = shown.choices
        if shown.metavar:
            settings["metavar"] = shown.metavar
        parser.add_argument(f"--{name.replace('_', '-')}", *shown.flags, **settings)


def take_options(section: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a dataclass by the names of its fields, of those `values` that are its options; lists as tuples."""
    given = {field.name: values[name] for name, (field, _) in list_options(section).items() if name in values}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


def read_options(section: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """As `take_options`, of values that a program gives: text for a path, one value for several, a number for a text.

    Raises:
        InputError: A value is none that the option takes.
    """
    hints = typing.get_type_hints(section)
    return {
        field.name: _read_value(hints[field.name], shown.choices, values[name], name)
        for name, (field, shown) in list_options(section).items()
        if name in values
    }


_TAKEN: Mapping[type, tuple[type, ...]] = {
    Path: (str, os.PathLike),
    str: (str, Integral, os.PathLike),
    int: (Integral,),
    float: (Real,),
}
"""What may stand for a value of a type."""


def _read_value(hint: Any, choices: Collection[str], value: Any, name: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        return _read_value(next(one for one in arguments if one is not type(None)), choices, value, name)
    if origin is tuple:
        several = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
        return tuple(_read_value(arguments[0], choices, one, name) for one in several)
    choices = arguments if origin is typing.Literal else choices
    if choices:
        if value not in choices:
            raise InputError(f"{name}: no {value!r}{suggest(str(value), list(map(str, choices)))}")
        return value
    if not isinstance(value, _TAKEN.get(hint, hint)) or (isinstance(value, bool) and hint is not bool):
        raise InputError(f"{name}: expected {hint.__name__}, found {value!r}")
    return value if isinstance(value, hint) else hint(value)


def sign(*sections: type) -> Callable[[Function], Function]:
    """A decorator: gives a function the options of dataclasses as keyword-only parameters, for `help` and notebooks.

    The function itself takes them as `**options` and refuses others by `check_names`.
    """

    def give(function: Function) -> Function:
        own = inspect.signature(function)
        kept = [one for one in own.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        options, lines = [], []
        for section in sections:
            hints = typing.get_type_hints(section)
            for name, (field, shown) in list_options(section).items():
                default = default_of(field)
                options.append(
                    inspect.Parameter(
                        name,
                        inspect.Parameter.KEYWORD_ONLY,
                        default=inspect.Parameter.empty if default is dataclasses.MISSING else default,
                        annotation=hints[field.name],
                    )
                )
                lines.append(f"    {name}: {shown.help}")
        function.__signature__ = own.replace(parameters=[*kept, *options])  # type: ignore[attr-defined]
        function.__doc__ = "\n".join([inspect.cleandoc(function.__doc__ or ""), "", "Options:", *lines])
        return function

    return give


def check_names(names: Iterable[str], sections: Iterable[type]) -> None:
    """Refuse, with a suggestion, a name that is no option of any of the sections."""
    known = [name for section in sections for name in list_options(section)]
    for name in names:
        if name not in known:
            raise InputError(f"no option {name!r}{suggest(name, known)}")


def is_on_by_default(name: str, sections: Iterable[type]) -> bool:
    """Whether an option of one of the sections is a flag that has to be taken back to be off."""
    found = (list_options(section).get(name.replace("-", "_")) for section in sections)
    return any(default_of(one[0]) is True for one in found if one)


def describe(settings: Any) -> dict[str, str]:
    """What tables say of a dataclass's options, by their names; those without a word are left out."""
    shown = {
        name: (one.show, getattr(settings, field.name)) for name, (field, one) in list_options(type(settings)).items()
    }
    return {name: show(value) for name, (show, value) in shown.items() if show is not None}


def default_of(field: dataclasses.Field[Any]) -> Any:
    """The default of a field, `dataclasses.MISSING` if it has none."""
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _read_hint(hint: Any) -> dict[str, Any]:
    """What argparse has to know of a type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _read_hint(next(one for one in arguments if one is not type(None)))
    if origin is tuple:
        return {**_read_hint(arguments[0]), "nargs": "+"}
    if origin is typing.Literal:
        return {"choices": arguments}
    return {"action": "store_true"} if hint is bool else {} if hint is str else {"type": hint}
