"""Score a frozen speech encoder on the folds of an emotion corpus, on one process or many.

    accelerate launch run_probe.py --corpus polish --encoder openai/whisper-large-v3

The page is read downwards: every step is one call, and each can be found in `emobox_hf.experiments`.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from emobox_hf.errors import InputError
from emobox_hf.experiments.launch import is_first_process, join_group, leave_group
from emobox_hf.experiments.plan import plan_run
from emobox_hf.experiments.request import ProbeRequest, parse_request
from emobox_hf.report.run_table import run_table
from emobox_hf.results import RECORD, read_record, write_run


def run_probe(request: ProbeRequest) -> Path:
    """Do what is asked, unless it is done: plan, extract, train, score, write, show. The run's folder."""
    # What is read, how it is encoded, where the result goes: decided from files alone, no model is loaded.
    plan = plan_run(request)

    if not plan.is_finished:
        from emobox_hf.experiments.run import extract_run, score_run, train_run

        # One process or many, CPU or GPUs: whatever `accelerate launch` or torchrun says.
        accelerator = join_group()

        # waveforms -> frames (time, dim), each utterance once; kept on disk for every fold, head and seed.
        features = extract_run(plan, accelerator)

        # frames -> probe -> probabilities (utterances, classes) of the test part, for each fold and seed.
        started = time.perf_counter()
        probed = train_run(plan, features, accelerator)
        seconds = time.perf_counter() - started

        # probabilities -> UA, WA, F1; the record is written last, so a folder that has one is finished.
        if accelerator.is_main_process:
            write_run(plan.folder, *score_run(plan, features, probed, accelerator, seconds=seconds))
        accelerator.wait_for_everyone()

    if is_first_process():
        print(run_table(read_record(plan.folder)))
        print(f"\n{plan.folder / RECORD}")
    return plan.folder


def main(argv: Sequence[str] | None = None, *, prog: str = "run_probe.py") -> int:
    """The command: 0 done, 2 for what the user has to mend, 130 after Ctrl-C."""
    try:
        run_probe(parse_request(argv, prog=prog))
        leave_group()
    except (InputError, OSError) as error:
        if isinstance(error, OSError) and error.filename is None:
            raise
        if is_first_process():
            print(f"{prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if is_first_process():
            print(f"{prog}: stopped; what was extracted is kept, the same command goes on from there", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
