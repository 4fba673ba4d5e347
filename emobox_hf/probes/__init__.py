"""Probes on frozen frames: heads, settings, training and prediction; arrays in, probabilities out."""

from emobox_hf.probes.jobs import Candidate, Job, ProbeResult, Split, list_jobs
from emobox_hf.probes.settings import ProbeSettings, scale_learning_rate
from emobox_hf.probes.train import train_probes

__all__ = [
    "Candidate",
    "Job",
    "ProbeResult",
    "ProbeSettings",
    "Split",
    "list_jobs",
    "scale_learning_rate",
    "train_probes",
]
