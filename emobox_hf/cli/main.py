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
from emobox_hf.errors import InputError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the exit code."""
    parser = argparse.ArgumentParser(
        prog="emobox", description="Speech emotion corpora as in EmoBox, and frozen encoders probed on them."
    )
    parser.add_argument("--version", action="version", version=f"emobox {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for group in (corpora, encoders, audit, split, repositories, probe, pseudo_labels, series, report, store, bench):
        group.add_verbs(verbs)
    arguments, options = parser.parse_known_args(argv)
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
