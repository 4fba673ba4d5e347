"""Probes on frozen frames: heads, settings, training and prediction; arrays in, probabilities out.

What needs torch is imported from `emobox_hf.probes.train` and `emobox_hf.probes.linear`; the names here are cheap.
"""

from emobox_hf.probes.jobs import Candidate, Job, LayerProbes, ProbeResult, Split, list_jobs
from emobox_hf.probes.settings import ProbeSettings, scale_learning_rate

__all__ = [
    "Candidate",
    "Job",
    "LayerProbes",
    "ProbeResult",
    "ProbeSettings",
    "Split",
    "list_jobs",
    "scale_learning_rate",
]
