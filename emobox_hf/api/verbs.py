"""`probe`, `predict` and `pipeline`: verbs of the command line as functions, with its options as keyword arguments."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emobox_hf.api.predictions import Predictions, collect
from emobox_hf.api.runs import Place, Run, load_run
from emobox_hf.api.tracking import run_and_report
from emobox_hf.experiments.prediction_request import FileChoice, ProbeChoice
from emobox_hf.experiments.request import SECTIONS, make_request, read_defaults
from emobox_hf.options import check_names, read_options, sign

if TYPE_CHECKING:
    from emobox_hf.api.pipeline import Pipeline
    from emobox_hf.results import ProbeFile


@sign(*SECTIONS.values())
def probe(**options: Any) -> Run:
    """Score a frozen speech encoder on the folds of a corpus: what `emobox probe` does, with its options.

    A run that is finished is not done again. What is interrupted goes on from the features that are stored. Defaults of
    one's own, in `emobox.toml`, hold as on the command line.

    Raises:
        InputError: What is asked for does not exist or does not fit, or a clip cannot be read.

    >>> probe(corpus="polish", encoder="microsoft/wavlm-base", head="liner")
    Traceback (most recent call last):
    ...
    emobox_hf.errors.InputError: head: no 'liner'; did you mean 'linear'?
    """
    return load_run(run_and_report(make_request(**read_defaults() | options)))


@sign(ProbeChoice, FileChoice)
def predict(run: Run | Place, files: Place | Iterable[Place], **options: Any) -> Predictions:
    """What the trained probes of a run say of any sound: what `emobox predict` does, with its options.

    Args:
        run: A run, its folder, or the file of its probes.
        files: Files and folders; long files are cut into windows.
        **options: See below.

    Raises:
        InputError: The run kept no probes, its encoder is not found, or a file cannot be read.
    """
    from emobox_hf.experiments.prediction import load_predictor, predict_files
    from emobox_hf.experiments.sound_files import list_files

    check_names(options, (ProbeChoice, FileChoice))
    choice = ProbeChoice(**read_options(ProbeChoice, options))
    of_files = FileChoice(**read_options(FileChoice, options))
    places = [files] if isinstance(files, str | os.PathLike) else list(files)
    found = list_files([Path(place).expanduser() for place in places])
    predictor = load_predictor(find_probes(run), choice)
    return collect(predict_files(predictor, found, of_files), predictor.labels)


@sign(ProbeChoice)
def pipeline(run: Run | Place, **options: Any) -> "Pipeline":
    """The trained probes of a run, to be called as transformers' pipeline for audio classification is.

    Args:
        run: A run, its folder, or the file of its probes.
        **options: See below.

    Raises:
        InputError: The run kept no probes, or its encoder is not found.
    """
    from emobox_hf.api.pipeline import Pipeline
    from emobox_hf.experiments.prediction import load_predictor

    check_names(options, (ProbeChoice,))
    return Pipeline(load_predictor(find_probes(run), ProbeChoice(**read_options(ProbeChoice, options))))


def find_probes(run: Run | Place) -> "ProbeFile":
    """The trained probes of a run, of its folder or of the only one below a folder, or of a file.

    Raises:
        InputError: There are none.
    """
    from emobox_hf.results import PROBE, read_probes

    if isinstance(run, Run):
        return read_probes(run.folder)
    place = Path(run).expanduser()
    has_own = place.is_file() or (place / PROBE).is_file()
    return read_probes(place if has_own else load_run(place).folder)
