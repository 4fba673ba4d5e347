"""Probes on frozen frames: heads, settings, training and prediction; arrays in, probabilities out.

What needs torch is imported from `emobox_hf.probes.train` and `emobox_hf.probes.linear`; the names here are cheap.
"""

from emobox_hf.probes.heads import HEADS, EmoboxHead, Head, LinearHead, make_head, scale_learning_rate
from emobox_hf.probes.jobs import (
    Candidate,
    FrameInputs,
    Job,
    LayerProbes,
    Probed,
    ProbeResult,
    Split,
    VectorInputs,
    list_jobs,
)

__all__ = [
    "HEADS",
    "Candidate",
    "EmoboxHead",
    "FrameInputs",
    "Head",
    "Job",
    "LayerProbes",
    "LinearHead",
    "ProbeResult",
    "Probed",
    "Split",
    "VectorInputs",
    "list_jobs",
    "make_head",
    "scale_learning_rate",
]
