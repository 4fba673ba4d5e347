"""Limited-memory BFGS for a stack of smooth problems, each with its own steps (Nocedal and Wright, algorithm 7.5)."""

from collections.abc import Callable

import torch

MEMORY = 10
"""Steps whose change of gradient is remembered."""

Evaluate = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def minimize_stack(
    evaluate: Evaluate,
    start: torch.Tensor,
    precondition: Callable[[torch.Tensor], torch.Tensor],
    *,
    tolerance: float,
    max_steps: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Minima float64 (stack, numbers), and whether each was reached, bool (stack,).

    A problem is at its minimum when the fall that a quadratic model promises is below `tolerance` times its value.

    Args:
        evaluate: Numbers (stack, numbers) -> values (stack,) and gradients (stack, numbers), float64.
        start: Where to begin.
        precondition: Gradients -> gradients times a guess of the inverse Hessian, positive definite.
        tolerance: A share of the values, which are above 0.
        max_steps: Evaluations at most, besides the first.
    """
    numbers = start
    value, gradient = evaluate(numbers)
    memory: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    length = torch.ones_like(value)
    direction = -precondition(gradient)
    is_done = -_inner(gradient, direction) / 2 <= tolerance * value
    for _ in range(max_steps):
        if bool(is_done.all()):
            break
        step = (length * ~is_done)[:, None] * direction
        reached, slope = evaluate(numbers + step)
        fall = _inner(gradient, step)
        # Values near the minimum differ by less than their rounding; a step there is not refused for that.
        is_taken = (reached <= value + 1e-4 * fall + 1e-9 * value) & ~is_done
        parabola = -length * fall / (2 * (reached - value - fall))  # the length at its minimum, if it was not taken
        bend = slope - gradient
        curvature = _inner(step, bend)
        # A step that was not taken, or along which the gradient did not rise, is remembered with weight 0.
        is_kept = is_taken & (curvature > 1e-10 * _inner(step, step).sqrt() * _inner(bend, bend).sqrt())
        memory = [*memory[1 - MEMORY :], (step, bend, torch.where(is_kept, 1 / curvature, 0.0))]
        numbers = torch.where(is_taken[:, None], numbers + step, numbers)
        value = torch.where(is_taken, reached, value)
        gradient = torch.where(is_taken[:, None], slope, gradient)
        shorter = torch.maximum(length / 10, torch.minimum(length / 2, parabola))
        length = torch.where(is_taken | is_done, 1.0, shorter)
        turned = -_recall(memory, gradient, precondition)
        direction = torch.where(is_taken[:, None], turned, direction)
        is_done |= is_taken & (-_inner(gradient, direction) / 2 <= tolerance * value)
    return numbers, is_done


def _recall(
    memory: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]],
    gradient: torch.Tensor,
    precondition: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """The gradient times the inverse Hessian that the memory and the guess behind it imply."""
    shares = []
    for step, bend, weight in reversed(memory):
        share = weight * _inner(step, gradient)
        gradient = gradient - share[:, None] * bend
        shares.append(share)
    turned = precondition(gradient)
    for (step, bend, weight), share in zip(memory, reversed(shares), strict=True):
        turned = turned + (share - weight * _inner(bend, turned))[:, None] * step
    return turned


def _inner(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Inner product of each problem, (stack,)."""
    return (one * other).sum(dim=1)
