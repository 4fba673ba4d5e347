"""`emobox VERB`; each group of verbs has a file of its own.

Exit code 0: done; 1: the answer is no; 2: wrong usage or input; 130: stopped by Ctrl-C.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from emobox_hf import __version__
from emobox_hf.cli import (
    audit,
    bench,
    compare,
    corpora,
    encoders,
    predict,
    probe,
    pseudo_labels,
    report,
    repositories,
    series,
    split,
    store,
    verify,
)
from emobox_hf.cli.completion import complete
from emobox_hf.cli.logs import speaking
from emobox_hf.defaults import apply_defaults, check_names, find_config, list_names, read_config
from emobox_hf.errors import InputError, tell_system_error
from emobox_hf.files import cache_dir
from emobox_hf.options import Parser
from emobox_hf.text import show_text

GROUPS = (
    corpora,
    encoders,
    audit,
    split,
    repositories,
    probe,
    predict,
    pseudo_labels,
    series,
    report,
    compare,
    verify,
    store,
    bench,
)


def build_parser() -> Parser:
    """The parser of `emobox` with every verb."""
    parser = Parser(
        prog="emobox", description="Speech emotion corpora as in EmoBox, and frozen encoders probed on them."
    )
    parser.add_argument("--version", action="version", version=f"emobox {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    for group in GROUPS:
        group.add_verbs(verbs)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the exit code. Without one, print the help."""
    parser = build_parser()
    complete(parser)
    try:
        check_config()
        apply_defaults(parser)
    except InputError as error:
        print(f"emobox: {show_text(error)}", file=sys.stderr)
        return 2
    arguments, options = parser.parse_known_args(argv)
    if arguments.verb is None:
        if options:
            parser.error(f"unrecognized arguments: {' '.join(options)}")
        parser.print_help()
        return 0
    if getattr(arguments, "takes_options", False):  # those of `emobox probe`, parsed there
        arguments.options = options
    elif options:
        _parser_of(parser, arguments.verb).error(f"unrecognized arguments: {' '.join(options)}")
    try:
        with speaking(arguments):
            code: int = arguments.run(arguments)
    except InputError as error:
        print(f"emobox {arguments.verb}: {show_text(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"emobox {arguments.verb}: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `emobox list | head` closes the pipe; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        told = tell_system_error(error, [Path.cwd(), cache_dir()])
        if told is None:
            raise
        print(f"emobox {arguments.verb}: {show_text(told)}", file=sys.stderr)
        return 2
    else:
        return code
    return 0


def check_config() -> None:
    """Refuse a name in the user's file of defaults that is no option, be it of a verb or of the probe runner.

    Raises:
        InputError: There is such a name; the message has a suggestion.
    """
    path = find_config()
    if path is None:
        return
    from emobox_hf.experiments.request import SECTIONS
    from emobox_hf.options import list_options

    known = list_names(build_parser()).union(*(list_options(section) for section in SECTIONS.values()))
    check_names(read_config(path), known, path)


def _parser_of(parser: Parser, verb: str) -> Parser:
    group = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    found: Parser = group.choices[verb]
    return found


if __name__ == "__main__":
    sys.exit(main())
