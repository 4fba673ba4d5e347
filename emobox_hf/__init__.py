"""EmoBox on Hugging Face: speech-emotion corpora, one probe, one metric.

Importing this module makes `datasets.load_dataset("emobox/<corpus>", "<fold>")` and
`evaluate.load("emobox/ser_metrics")` work; it loads neither `datasets` nor `torch`.

`probe`, `predict`, `pipeline`, `load_run` and `load_runs` do what the command line does, from Python; they are loaded
when they are first asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

from emobox_hf.corpora.configurations import list_configs
from emobox_hf.corpora.folds import partition
from emobox_hf.corpora.manifest import build_manifest
from emobox_hf.corpora.spec import list_corpora, load_spec
from emobox_hf.errors import InputError
from emobox_hf.hub.register import register

if TYPE_CHECKING:
    from emobox_hf.api.pipeline import Pipeline
    from emobox_hf.api.predictions import Predictions
    from emobox_hf.api.runs import Run, load_run, load_runs
    from emobox_hf.api.verbs import pipeline, predict, probe

__all__ = [
    "InputError",
    "Pipeline",
    "Predictions",
    "Run",
    "__version__",
    "build_manifest",
    "list_configs",
    "list_corpora",
    "load_run",
    "load_runs",
    "load_spec",
    "partition",
    "pipeline",
    "predict",
    "probe",
]

_HOMES = {
    **dict.fromkeys(("Run", "load_run", "load_runs"), "emobox_hf.api.runs"),
    **dict.fromkeys(("pipeline", "predict", "probe"), "emobox_hf.api.verbs"),
    "Pipeline": "emobox_hf.api.pipeline",
    "Predictions": "emobox_hf.api.predictions",
}
"""Names that are loaded when they are first asked for, and the modules that have them."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


register()
