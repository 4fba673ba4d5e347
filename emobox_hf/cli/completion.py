"""Completion in a shell, by argcomplete where it is installed: verbs, options, corpora, encoders, folds, reports."""

import argparse
import os
from typing import Any

from emobox_hf.options import Parser


def complete(parser: Parser) -> None:
    """Answer a shell that asks for completions, and end; otherwise nothing happens, and nothing is imported."""
    if "_ARGCOMPLETE" not in os.environ:
        return
    import argcomplete

    from emobox_hf.experiments.request import build_parser

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in ("probe", "extract"):  # their options are parsed by the runner; here they are shown
                action.choices[verb] = build_parser(f"emobox {verb}")
            for verb, one in action.choices.items():
                _name_values(one, verb)
    argcomplete.autocomplete(parser, always_complete_options=False)


def _name_values(parser: Parser, verb: str) -> None:
    """Tell argcomplete what the arguments of a verb can be, where argparse does not know."""
    from emobox_hf.corpora.spec import list_corpora
    from emobox_hf.encoders.baselines.table import BASELINES
    from emobox_hf.encoders.known.table import KNOWN_ENCODERS
    from emobox_hf.probes.heads import HEADS

    corpora, encoders = list_corpora(), list(KNOWN_ENCODERS)
    values: dict[str, Any] = dict.fromkeys(("corpus", "test", "train", "corpora"), corpora)
    values |= {"encoder": [*encoders, *BASELINES], "model": encoders, "head": list(HEADS)}
    values |= {"config": _list_configs, "folds": _list_folds}
    if verb in ("build", "fetch"):
        values["name"] = corpora
    elif verb == "report":
        from emobox_hf.report.kinds import KINDS
        from emobox_hf.scores import SCORES

        values |= {"kind": ["list", "site", *KINDS], "score": list(SCORES)}
    elif verb == "experiment":
        from emobox_hf.experiments.series import list_series

        values["name"] = ["list", *list_series()]
    for action in parser._actions:
        if action.dest in values:
            action.completer = _completer(values[action.dest])  # type: ignore[attr-defined]


def _completer(values: Any) -> Any:
    def complete_one(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
        known = values(parsed_args) if callable(values) else values
        return [value for value in known if value.startswith(prefix)]

    return complete_one


def _list_configs(arguments: argparse.Namespace) -> list[str]:
    """The configurations of the corpus that is already typed."""
    from emobox_hf.corpora.configurations import list_configs
    from emobox_hf.errors import InputError

    try:
        return list_configs(arguments.corpus)
    except InputError:
        return []


def _list_folds(arguments: argparse.Namespace) -> list[str]:
    """What `--folds` of the probe runner takes for the corpus that is already typed."""
    return ["si", "random", *(name for name in _list_configs(arguments) if "fold" in name)]
