"""Adam for a stack of jobs: each job counts its own steps, each parameter has its own learning rate."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """Adam's moments for a stack of jobs; updates are those of torch's Adam by default (Kingma and Ba, algorithm 1).

    Args:
        flat: The weights, float32 (jobs, parameters).
        rates: The learning rate of each parameter at scale 1, (parameters,).
    """

    def __init__(self, flat: torch.Tensor, rates: torch.Tensor) -> None:
        self.first = torch.zeros_like(flat)
        self.second = torch.zeros_like(flat)
        self.rates = rates
        self.steps_done = np.zeros(len(flat), dtype=np.int64)

    def plan(self, is_active: NDArray[np.bool_], scale: float) -> Iterator[torch.Tensor]:
        """Factors of the moments and of the update, (4, jobs, 1) for each step of an epoch.

        They are copied to the device at once.

        Args:
            is_active: (steps, jobs); where False, a job has no batch left, and keeps its weights and moments.
            scale: What the learning rates are multiplied by.
        """
        done = self.steps_done + is_active.cumsum(axis=0)  # (steps, jobs), from 1 in every job's first step
        self.steps_done = done[-1]
        factors = np.stack(
            [
                (1 - BETA_1) * is_active,
                (1 - BETA_2) * is_active,
                np.sqrt(1 - BETA_2**done),
                scale * is_active / (1 - BETA_1**done),
            ],
            axis=1,
        )
        return iter(torch.from_numpy(factors[..., None].astype(np.float32)).to(self.first.device))

    def step(self, flat: torch.Tensor, gradient: torch.Tensor, factors: torch.Tensor) -> None:
        """Update the parameters `flat` in place by one step; `factors` are from `plan`, `gradient` is overwritten."""
        first, second, root, scale = factors
        self.first.lerp_(gradient, first)
        self.second.lerp_(gradient.square_(), second)
        change = self.first / (self.second.sqrt() / root).add_(EPSILON)
        flat.sub_(change.mul_(self.rates).mul_(scale))
