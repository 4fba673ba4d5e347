"""Multinomial logistic regression for a stack of problems that share utterances and labels, by Newton's method.

Each problem minimises, over its weights and an intercept a class, the objective of scikit-learn's LogisticRegression:

    sum over utterances of the cross-entropy + penalty / 2 * sum of the squared weights        (penalty = 1 / C)

It is strictly convex in the weights, so there is one answer, and how it is found does not matter. With fewer
utterances than dimensions the weights are sought among combinations of the utterances, where the answer lies. Newton
steps are solved in float32 by conjugate gradients, preconditioned with the Hessian that would hold if all classes were
alike; gradients and values are float64, so rounding in a step is made good by the next. Solutions are laid out
(stack, classes, columns), for products of a few long rows are several times as fast as those of a few long columns.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch.nn import functional

from emobox_hf.probes.jobs import Indices

LOGIT_TOLERANCE = 1e-4
"""A problem is solved when a Newton step with the approximate Hessian would change no logit of an utterance by more."""
STEP_TOLERANCE = 0.03
"""A Newton step is solved when its residual has shrunk to this share."""
MOST_PRODUCTS = 250
"""Conjugate gradient iterations of a Newton step at most; ending early costs another step, no accuracy."""
STALE_AFTER = 24
"""A Newton step that took more iterations than this has its preconditioner built anew for the next one."""
ROWS_A_COLUMN = 8
"""A preconditioner is built from at most this many utterances a dimension, spread evenly."""


@dataclass(frozen=True, eq=False)
class Problems:
    """Logistic regressions to fit, one a layer: their features and targets.

    Attributes:
        features: float64 (stack, n, columns), whose last column is 1, for the intercept.
        targets: float64 (classes, n), 1 where the utterance is of the class.
        factor: Lower triangular float64 (stack, n, n) if columns stand for utterances instead of dimensions.
    """

    features: torch.Tensor
    targets: torch.Tensor
    factor: torch.Tensor | None

    @property
    def is_present(self) -> torch.Tensor:
        """Classes that have an utterance, bool (classes,)."""
        return self.targets.sum(dim=1) > 0


@dataclass(frozen=True, eq=False)
class Scaler:
    """Mean and scale of each dimension on the training part, float64 (stack, 1, dim) each."""

    centre: torch.Tensor
    scale: torch.Tensor

    def apply(self, vectors: torch.Tensor) -> torch.Tensor:
        """Scaled vectors float64 (stack, n, dim) of vectors float32 (n, stack, dim)."""
        wide = vectors.transpose(0, 1).to(torch.float64, memory_format=torch.contiguous_format)
        return wide.sub_(self.centre).div_(self.scale)

    def take(self, index: int) -> "Scaler":
        """The scaler of one of the stack."""
        return Scaler(self.centre[index : index + 1], self.scale[index : index + 1])


def fit_scaler(vectors: torch.Tensor, *, standardize: bool) -> Scaler:
    """The scaler of vectors float32 (n, stack, dim); dimensions that do not vary get scale 1, as scikit-learn's.

    Centring changes no probability, for the intercept makes up for it, and is done in any case.
    """
    wide = vectors.transpose(0, 1).to(torch.float64, memory_format=torch.contiguous_format)
    variance, centre = torch.var_mean(wide, dim=1, correction=0, keepdim=True)
    rounding = vectors.shape[0] * torch.finfo(torch.float64).eps
    is_constant = variance <= rounding * variance + (rounding * centre) ** 2
    return Scaler(centre, torch.where(is_constant | (not standardize), 1.0, variance.sqrt()))


def make_problems(vectors: torch.Tensor, labels: Indices, n_classes: int) -> Problems:
    """The problems of scaled vectors float64 (stack, n, dim) and labels int64 (n,)."""
    n, dim = vectors.shape[1:]
    targets = functional.one_hot(torch.from_numpy(labels).to(vectors.device), n_classes).mT.to(torch.float64)
    factor = None
    if n < dim:
        products = vectors @ vectors.mT  # (stack, n, n); centred, so it has no full rank
        rounding = 1e-12 * products.diagonal(dim1=1, dim2=2).mean(dim=1) + torch.finfo(torch.float64).tiny
        factor = torch.linalg.cholesky(products + rounding[:, None, None] * torch.eye(n).to(products))
        vectors = factor
    return Problems(functional.pad(vectors, (0, 1), value=1.0), targets, factor)


def to_dimensions(solution: torch.Tensor, problems: Problems, vectors: torch.Tensor) -> torch.Tensor:
    """A solution as weights float64 (stack, classes, dim + 1), the intercept last; `vectors` are the problems' own."""
    if problems.factor is None:
        return solution
    combination = torch.linalg.solve_triangular(problems.factor, solution[:, :, :-1], upper=False, left=False)
    return torch.cat([combination @ vectors, solution[:, :, -1:]], dim=2)


def from_dimensions(weights: torch.Tensor, problems: Problems, vectors: torch.Tensor) -> torch.Tensor:
    """A start from weights (stack, classes, dim + 1): the solution whose logits are nearest to theirs."""
    if problems.factor is None:
        return weights
    logits = weights[:, :, :-1] @ vectors.mT
    solution = torch.linalg.solve_triangular(problems.factor.mT, logits, upper=True, left=False)
    return torch.cat([solution, weights[:, :, -1:]], dim=2)


def predict_log(weights: torch.Tensor, vectors: torch.Tensor, is_present: torch.Tensor) -> torch.Tensor:
    """Log-probabilities (stack, classes, n); minus infinity for classes that training lacked."""
    logits = weights[:, :, :-1] @ vectors.mT + weights[:, :, -1:]
    return logits.masked_fill(~is_present[:, None], -torch.inf).log_softmax(dim=1)


def penalties(c: torch.Tensor, is_present: torch.Tensor) -> torch.Tensor:
    """The penalty for each of scikit-learn's C, in the same shape.

    Two classes are one set of weights w to scikit-learn. Here they are a pair, w / 2 and -w / 2 at the minimum, whose
    squares sum to half of w's: twice the penalty makes up for it.
    """
    return (2.0 if int(is_present.sum()) == 2 else 1.0) / c


def minimize(
    problems: Problems, penalty: torch.Tensor, start: torch.Tensor, *, max_steps: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Solutions float64 (stack, classes, columns), and whether each converged, bool (stack,).

    Args:
        problems: The stack.
        penalty: One a problem, float64 (stack,).
        start: Where to begin, like the solutions.
        max_steps: Newton steps at most.
    """
    features, solution = problems.features, start
    single = features.to(torch.float32)
    ridge = penalty[:, None, None].expand(-1, 1, features.shape[2]).clone()
    ridge[:, :, -1] = 0  # the intercept is not penalised
    value, probabilities = _evaluate(problems, ridge, solution)
    whitening, products = _whiten(single, probabilities, ridge), 0
    for steps in range(max_steps + 1):
        gradient = (probabilities - problems.targets) @ features + ridge * solution
        if products > STALE_AFTER:
            whitening = _whiten(single, probabilities, ridge)
        whitened = whitening.gradient(gradient)
        change = (whitened @ whitening.features.mT).abs().amax(dim=(1, 2))  # of a logit, were this the step
        is_solved = change <= LOGIT_TOLERANCE
        if steps == max_steps or bool(is_solved.all()):
            break
        step, products = _solve_step(whitening, probabilities, -whitened * ~is_solved[:, None, None])
        solution, value, probabilities = _search_line(problems, ridge, solution, value, gradient, step)
    return solution, is_solved


class _Whitening(NamedTuple):
    """Coordinates in which the approximate Hessian H of a class, as if all classes were alike, is the unit matrix.

    All float32.

    Attributes:
        factor: Lower triangular (stack, columns, columns) with factor @ factor.T = H.
        features: (stack, n, columns), features @ inverse(factor).T, the features in these coordinates.
        spread: (stack, 1, n), the weight of each utterance in H.
    """

    factor: torch.Tensor
    features: torch.Tensor
    spread: torch.Tensor

    def gradient(self, gradient: torch.Tensor) -> torch.Tensor:
        """A gradient (stack, classes, columns) with respect to the weights, in the whitened coordinates."""
        wide = gradient.to(torch.float32)
        whitened: torch.Tensor = torch.linalg.solve_triangular(self.factor.mT, wide, upper=True, left=False)
        return whitened

    def step(self, step: torch.Tensor) -> torch.Tensor:
        """A step in the whitened coordinates as a step of the weights, float64."""
        plain: torch.Tensor = torch.linalg.solve_triangular(self.factor, step, upper=False, left=False)
        return plain.to(torch.float64)


def _evaluate(problems: Problems, ridge: torch.Tensor, solution: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The objective (stack,) and the probabilities (stack, classes, n)."""
    logits = (solution @ problems.features.mT).masked_fill(~problems.is_present[:, None], -torch.inf)
    logs = logits.log_softmax(dim=1)
    loss = -torch.where(problems.targets > 0, logs, 0.0).sum(dim=(1, 2))
    return loss + 0.5 * (ridge * solution.square()).sum(dim=(1, 2)), logs.exp()


def _whiten(single: torch.Tensor, probabilities: torch.Tensor, ridge: torch.Tensor) -> _Whitening:
    """The whitened coordinates at probabilities (stack, classes, n), from features float32 (stack, n, columns)."""
    n, columns = single.shape[1:]
    stride = max(1, n // (ROWS_A_COLUMN * columns))
    spread = torch.zeros_like(probabilities[:, :1], dtype=torch.float32)
    spread[:, :, ::stride] = (probabilities * (1 - probabilities)).sum(dim=1, keepdim=True)[:, :, ::stride] * stride
    spread /= max(probabilities.shape[1] - 1, 1)
    rows = single[:, ::stride]
    hessian = (rows * spread[:, 0, ::stride, None]).mT @ rows
    diagonal = hessian.diagonal(dim1=1, dim2=2)
    # float32 keeps six digits of a sum of squares; below them, directions without a penalty would not factorise.
    diagonal += ridge[:, 0].to(torch.float32) + 1e-6 * diagonal.mean(dim=1, keepdim=True)
    factor = torch.linalg.cholesky(hessian)
    return _Whitening(factor, torch.linalg.solve_triangular(factor.mT, single, upper=True, left=False), spread)


def _solve_step(whitening: _Whitening, probabilities: torch.Tensor, rhs: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Newton steps float64 (stack, classes, columns) for the negative gradients `rhs`, and the iterations they took.

    In whitened coordinates the Hessian is 1 + features.T (D - spread) features with D the true weights of the
    utterances, so neither the penalty nor a preconditioner takes a product of its own.
    """
    probabilities = probabilities.to(torch.float32)
    step, residual = torch.zeros_like(rhs), rhs
    search, size = rhs, _inner(rhs, rhs)
    goal = STEP_TOLERANCE**2 * size
    products = 0
    while bool((size > goal).any()) and products < MOST_PRODUCTS:
        products += 1
        is_open = size > goal
        logits = search @ whitening.features.mT  # (stack, classes, n)
        change = probabilities * logits
        change -= probabilities * change.sum(dim=1, keepdim=True) + whitening.spread * logits
        curved = torch.baddbmm(search, change, whitening.features)
        length = torch.where(is_open, size / _inner(search, curved), 0.0)
        step = step + length * search
        residual = residual - length * curved
        before, size = size, torch.where(is_open, _inner(residual, residual), size)
        search = residual + torch.where(is_open, size / before, 0.0) * search
    return whitening.step(step), products


def _search_line(
    problems: Problems,
    ridge: torch.Tensor,
    solution: torch.Tensor,
    value: torch.Tensor,
    gradient: torch.Tensor,
    step: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Solutions, values and probabilities after each step, halved until the objective falls as it should (Armijo)."""
    slope = _inner(gradient, step)[:, 0, 0]
    length = torch.ones_like(slope)
    slack = 1e-12 * value.abs()  # a decrease below rounding counts as one
    while True:
        trial = solution + length[:, None, None] * step
        new_value, probabilities = _evaluate(problems, ridge, trial)
        is_short = new_value > value + 1e-4 * length * slope + slack
        if not bool(is_short.any()) or float(length.min()) < 1e-9:
            return trial, new_value, probabilities
        length = torch.where(is_short, length / 2, length)


def _inner(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Inner product of each problem, (stack, 1, 1)."""
    return (one * other).sum(dim=(1, 2), keepdim=True)
