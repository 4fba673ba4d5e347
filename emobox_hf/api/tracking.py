"""A run, and what trackers are told of it."""

from collections.abc import Sequence
from pathlib import Path

from emobox_hf.errors import InputError
from emobox_hf.experiments.request import ProbeRequest
from emobox_hf.experiments.run import run_probe
from emobox_hf.probes.jobs import Probed
from emobox_hf.progress import LOGGER
from emobox_hf.results import RunRecord


def run_and_report(request: ProbeRequest) -> Path:
    """Do a run, see `run_probe`, and tell the trackers of it that are asked for; its folder.

    Raises:
        InputError: As `run_probe`, or a tracker is not installed, known before any work.
    """
    names = request.places.report_to
    if not names:
        return run_probe(request)
    from emobox_hf.experiments.tracking import check_trackers, report_run
    from emobox_hf.report.figures import confusion_pixels

    check_trackers(names)
    is_told = False

    def report(folder: Path, record: RunRecord, probed: Sequence[Probed]) -> None:
        nonlocal is_told
        is_told = True
        try:
            picture = confusion_pixels(record)
        except InputError as error:  # matplotlib is an extra; the rest is worth telling
            LOGGER.warning("%s; %s are told no confusion figure", error, ", ".join(names))
            picture = None
        report_run(names, folder, record, probed, picture)

    folder = run_probe(request, report=report)
    if not is_told:
        LOGGER.info("%s was finished before: trackers are told of runs that are done now, see --overwrite", folder)
    return folder
