"""`emobox VERB`; each group of verbs has a file of its own.

Exit code 0: done; 1: the answer is no; 2: wrong usage or input; 130: stopped by Ctrl-C.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from emobox_hf import __version__
from emobox_hf.cli import (
    audit,
    bench,
    corpora,
    encoders,
    probe,
    pseudo_labels,
    report,
    repositories,
    series,
    split,
    store,
)
from emobox_hf.cli.completion import complete
from emobox_hf.defaults import apply_defaults, check_names, find_config, list_names, read_config
from emobox_hf.errors import InputError
from emobox_hf.options import Parser

GROUPS = (corpora, encoders, audit, split, repositories, probe, pseudo_labels, series, report, store, bench)


def build_parser() -> argparse.ArgumentParser:
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
        _apply_config(parser)
    except InputError as error:
        print(f"emobox: {error}", file=sys.stderr)
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
        parser.error(f"unrecognized arguments: {' '.join(options)}")
    try:
        code: int = arguments.run(arguments)
    except InputError as error:
        print(f"emobox {arguments.verb}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"emobox {arguments.verb}: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `emobox list | head` closes the pipe; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.filename is None:
            raise
        print(f"emobox {arguments.verb}: {error}", file=sys.stderr)
        return 2
    else:
        return code
    return 0


def _apply_config(parser: argparse.ArgumentParser) -> None:
    """Give all verbs the defaults of the user's file; a name that neither they nor the probe runner have is refused."""
    path = find_config()
    if path is None:
        return
    from emobox_hf.experiments.request import build_parser as build_probe_parser

    known = list_names(parser) | list_names(build_probe_parser("emobox probe"))
    check_names(read_config(path), known, path)
    apply_defaults(parser)


if __name__ == "__main__":
    sys.exit(main())
