"""One run from a request to its record, to be read downwards; each step is one call into this wing."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from emobox_hf.experiments.environment import forget_device_peak
from emobox_hf.experiments.launch import join_group
from emobox_hf.experiments.plan import plan_run
from emobox_hf.experiments.request import ProbeRequest
from emobox_hf.probes.jobs import Probed
from emobox_hf.progress import LOGGER
from emobox_hf.results import RunRecord, set_aside_damaged, write_run

Report = Callable[[Path, RunRecord, Sequence[Probed]], object]


def run_probe(request: ProbeRequest, *, report: Report | None = None) -> Path:
    """Do what is asked, unless it is done: plan, extract, train, score, write. The run's folder.

    Args:
        request: What is asked for.
        report: Is called at the end, on the first process, with the folder of a run that was done now, its record and
            its probes.

    Raises:
        InputError: What is asked for does not exist or does not fit, or a clip cannot be read.
    """
    # What is read, how it is encoded, where the result goes: decided from files alone, no model is loaded.
    plan = plan_run(request)
    if plan.is_finished and not _set_aside(plan.folder):
        return plan.folder

    # torch, which a second run can do without
    from emobox_hf.experiments.steps import extract_run, keep_probes, read_run, score_run, train_run

    # One process or many, CPU or GPUs: whatever `accelerate launch` or torchrun says.
    accelerator = join_group()
    forget_device_peak(accelerator.device)

    # waveforms -> frames (time, dim), each utterance once; kept on disk for every fold, head and seed.
    features, inputs = read_run(plan, extract_run(plan, accelerator), accelerator)

    # frames -> probe -> probabilities (utterances, classes) of the test part, for each fold and seed.
    started = time.perf_counter()
    probed = train_run(plan, features, inputs, accelerator)
    seconds = time.perf_counter() - started

    # probabilities -> UA, WA, F1; the record is written last, so a folder that has one is finished.
    if accelerator.is_main_process:
        record, predictions = score_run(plan, features, probed, accelerator, seconds=seconds)
        write_run(plan.folder, record, predictions, keep_probes(plan, probed))
        if report:
            report(plan.folder, record, probed)
    accelerator.wait_for_everyone()
    return plan.folder


def _set_aside(folder: Path) -> bool:
    """Whether the files of the finished run were damaged; they are out of the way then, and the log says so."""
    if problem := set_aside_damaged(folder):
        LOGGER.warning("%s; set aside", problem)
    return bool(problem)
