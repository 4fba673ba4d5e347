"""A learned weighted sum of layers under a logistic regression: layer weights and classifier are fitted jointly.

The features of an utterance are the sum over layers of softmax(scores) times the layer's mean vector, each layer scaled
on the training part; SUPERB (arXiv 2105.01051) learns such a sum below its heads. The objective is that of `logistic`
with the same penalty on the scores, so that a strong one keeps the layers even. It is not convex in both, so the start
is part of the method: even layer weights and the classifier that is best with them (SUPERB draws it). Nothing is drawn,
and both are then moved together by full-batch L-BFGS.
"""

from dataclasses import dataclass

import torch

from emobox_hf.probes.jobs import Indices
from emobox_hf.probes.lbfgs import minimize_stack
from emobox_hf.probes.logistic import make_problems, minimize, penalties, to_dimensions

TOLERANCE = 1e-3
"""A fit has converged when a quadratic model predicts a decrease of at most this share of the objective."""
MOST_STEPS = 100
"""L-BFGS steps of a fit at most; one that has not converged by then is used as it is, for validation judges it."""


@dataclass(frozen=True, eq=False)
class WeightedSum:
    """Weighted sums of layers with their classifiers, one for each C of a fit.

    Attributes:
        scores: float64 (cs, layers), whose softmax are the layers' weights.
        classifier: float64 (cs, classes, dim + 1), the intercept last.
        is_converged: bool (cs,).
        is_present: Classes that the training part has, bool (classes,).
    """

    scores: torch.Tensor
    classifier: torch.Tensor
    is_converged: torch.Tensor
    is_present: torch.Tensor

    def predict_log(self, vectors: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (cs, classes, n) of scaled vectors (layers, n, dim)."""
        mixed = _mix(self.scores.softmax(dim=1), vectors.to(torch.float64))
        logits = self.classifier[:, :, :-1] @ mixed.mT + self.classifier[:, :, -1:]
        return logits.masked_fill(~self.is_present[:, None], -torch.inf).log_softmax(dim=1)


def fit_weighted_sum(
    vectors: torch.Tensor, labels: Indices, n_classes: int, cs: torch.Tensor, *, max_steps: int
) -> WeightedSum:
    """Fit scaled vectors float64 (layers, n, dim) to labels int64 (n,), once for each of `cs` (in rising order)."""
    even = vectors.mean(dim=0, keepdim=True)
    problems = make_problems(even, labels, n_classes)
    penalty = penalties(cs, problems.is_present)
    solution, starts = problems.features.new_zeros((1, n_classes, problems.features.shape[2])), []
    for index in range(len(cs)):
        solution, _ = minimize(problems, penalty[index : index + 1], solution, max_steps=max_steps)
        starts.append(to_dimensions(solution, problems, even))
    classifier = torch.cat(starts)
    joint = _Joint(vectors.to(torch.float32), problems.targets, problems.is_present, penalty)
    start = joint.join(classifier, torch.zeros(len(cs), len(vectors)).to(classifier))
    preconditioner = _Preconditioner.at(joint, classifier, even[0])

    def precondition(gradient: torch.Tensor) -> torch.Tensor:
        return joint.join(*preconditioner.solve(*joint.split(gradient)))

    steps = min(max_steps, MOST_STEPS)
    parameters, is_converged = minimize_stack(joint.evaluate, start, precondition, tolerance=TOLERANCE, max_steps=steps)
    classifier, scores = joint.split(parameters)
    return WeightedSum(scores, classifier, is_converged, problems.is_present)


@dataclass(frozen=True, eq=False)
class _Joint:
    """The objective of layer weights and classifier together, for several penalties, as a function of one row each.

    Attributes:
        vectors: float32 (layers, n, dim).
        targets: float64 (classes, n).
        is_present: bool (classes,).
        penalty: float64 (stack,).
    """

    vectors: torch.Tensor
    targets: torch.Tensor
    is_present: torch.Tensor
    penalty: torch.Tensor

    def join(self, classifier: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Classifier and scores as rows of parameters (stack, classes * (dim + 1) + layers)."""
        return torch.cat([classifier.flatten(1), scores], dim=1)

    def split(self, parameters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The classifier (stack, classes, dim + 1) and the layers' scores (stack, layers) in `parameters`."""
        classifier, scores = parameters.tensor_split([parameters.shape[1] - len(self.vectors)], dim=1)
        return classifier.reshape(len(parameters), len(self.targets), -1), scores

    def evaluate(self, parameters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The objective float64 (stack,) and its gradient float64, by products in float32."""
        classifier, scores = self.split(parameters)
        shares, weights = scores.softmax(dim=1), classifier[:, :, :-1]
        single = weights.to(torch.float32)
        mixed = _mix(shares.to(torch.float32), self.vectors)  # (stack, n, dim)
        logits = (single @ mixed.mT).to(torch.float64) + classifier[:, :, -1:]  # (stack, classes, n)
        logs = logits.masked_fill(~self.is_present[:, None], -torch.inf).log_softmax(dim=1)
        loss = -torch.where(self.targets > 0, logs, 0.0).sum(dim=(1, 2))
        value = loss + 0.5 * self.penalty * (weights.square().sum(dim=(1, 2)) + scores.square().sum(dim=1))
        error = logs.exp() - self.targets
        # The classifiers' gradient from each layer, (layers, stack, classes, dim); both gradients are sums of it.
        by_layer = (error.to(torch.float32).flatten(0, 1) @ self.vectors).view(-1, *single.shape)
        to_classifier = torch.einsum("sl,lscd->scd", shares, by_layer.to(torch.float64))
        to_classifier = to_classifier + self.penalty[:, None, None] * weights
        to_scores = torch.einsum("lscd,scd->sl", by_layer, single).to(torch.float64)
        to_scores = (
            shares * (to_scores - (shares * to_scores).sum(dim=1, keepdim=True)) + self.penalty[:, None] * scores
        )
        return value, self.join(torch.cat([to_classifier, error.sum(dim=2, keepdim=True)], dim=2), to_scores)


@dataclass(frozen=True, eq=False)
class _Preconditioner:
    """Inverses of approximate Hessians at the start: as if all classes were alike, and of the scores.

    Attributes:
        classifier: float32 (stack, dim + 1, dim + 1).
        scores: float64 (stack, layers, layers).
    """

    classifier: torch.Tensor
    scores: torch.Tensor

    @classmethod
    def at(cls, joint: _Joint, classifier: torch.Tensor, even: torch.Tensor) -> "_Preconditioner":
        """The inverses at classifiers (stack, classes, dim + 1) on the mean over all layers, `even` (n, dim)."""
        ones = torch.nn.functional.pad(even, (0, 1), value=1.0)
        logits = (classifier @ ones.T).masked_fill(~joint.is_present[:, None], -torch.inf)
        probabilities = logits.softmax(dim=1)
        spread = (probabilities * (1 - probabilities)).sum(dim=1) / max(len(joint.targets) - 1, 1)  # (stack, n)
        single = ones.to(torch.float32)
        of_classes = torch.stack([(single * one[:, None].to(torch.float32)).T @ single for one in spread])
        diagonal = of_classes.diagonal(dim1=1, dim2=2)
        diagonal[:, :-1] += joint.penalty[:, None].to(torch.float32)
        diagonal += 1e-6 * diagonal.mean(dim=1, keepdim=True)
        n_layers = len(joint.vectors)
        weights = classifier[:, None, :, :-1].to(torch.float32)
        logits = (weights @ joint.vectors.mT).to(torch.float64)  # (stack, layers, classes, n)
        logits = (logits - logits.mean(dim=1, keepdim=True)) / n_layers  # what a score adds to each logit
        weighted = probabilities[:, None] * logits
        weighted -= probabilities[:, None] * weighted.sum(dim=2, keepdim=True)
        of_scores = logits.flatten(2) @ weighted.flatten(2).mT
        diagonal = of_scores.diagonal(dim1=1, dim2=2)
        diagonal += joint.penalty[:, None]
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(of_classes))
        return cls(inverse, torch.cholesky_inverse(torch.linalg.cholesky(of_scores)))

    def solve(self, classifier: torch.Tensor, scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradients of the classifier and of the scores, each times its approximate inverse Hessian."""
        direction = classifier.to(torch.float32) @ self.classifier
        return direction.to(torch.float64), (self.scores @ scores[:, :, None])[:, :, 0]


def _mix(shares: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """Weighted sums (stack, n, dim) of vectors (layers, n, dim) by shares (stack, layers)."""
    return (shares @ vectors.flatten(1)).view(len(shares), *vectors.shape[1:])
