"""Completion in a shell, by argcomplete where it is installed: verbs, options, names of corpora and encoders."""

import argparse
import os


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks for completions, and end; otherwise nothing happens, and nothing is imported."""
    if "_ARGCOMPLETE" not in os.environ:
        return
    import argcomplete

    from emobox_hf.corpora.spec import list_corpora
    from emobox_hf.encoders.known.table import KNOWN_ENCODERS
    from emobox_hf.experiments.request import build_parser

    names = {"corpus": list_corpora(), "name": list_corpora(), "test": list_corpora(), "train": list_corpora()}
    names |= {"corpora": list_corpora(), "encoder": list(KNOWN_ENCODERS), "model": list(KNOWN_ENCODERS)}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in ("probe", "extract"):  # their options are parsed by the runner; here they are shown
                action.choices[verb] = build_parser(f"emobox {verb}")
            for one in action.choices.values():
                _name_values(one, names)
    argcomplete.autocomplete(parser, always_complete_options=False)


def _name_values(parser: argparse.ArgumentParser, names: dict[str, list[str]]) -> None:
    for action in parser._actions:
        if action.dest in names:
            action.completer = _complete_from(names[action.dest])  # type: ignore[attr-defined]


def _complete_from(values: list[str]) -> object:
    return lambda prefix, **_: [value for value in values if value.startswith(prefix)]
