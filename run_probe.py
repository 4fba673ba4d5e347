"""Score a frozen speech encoder on the folds of an emotion corpus, on one process or many.

    accelerate launch run_probe.py --corpus polish --encoder openai/whisper-large-v3

An installed package has this page as a module: `accelerate launch -m run_probe --corpus …`. What a run does stands in
`emobox_hf.experiments.run`, to be read downwards:

    plan -> features -> probes -> record, predictions -> table
"""

import sys
from collections.abc import Sequence

from emobox_hf.cli.probe import probe_command
from emobox_hf.experiments.run import run_probe

__all__ = ["main", "run_probe"]


def main(argv: Sequence[str] | None = None) -> int:
    """The command: 0 done, 2 for what the user has to mend, 130 after Ctrl-C."""
    return probe_command(argv, prog="run_probe.py")


if __name__ == "__main__":
    sys.exit(main())
