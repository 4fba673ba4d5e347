"""Several systems on several corpora: ranks, whether they differ at all, and which pairs do.

The tests are those that Demsar (2006, Journal of Machine Learning Research 7) recommends for classifiers over data
sets, with Benavoli et al. (2016, the same journal 17) for the pairs: Wilcoxon's signed-rank test with Holm's
correction, since what mean ranks say of two systems depends on the others that are ranked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from emobox_hf.errors import InputError
from emobox_hf.scores.classification import Floats

FEWEST_CORPORA, FEWEST_SYSTEMS = 5, 3  # below, no signed-rank test comes to 0.05, and Friedman's is about nothing


@dataclass(frozen=True, kw_only=True)
class RankedPair:
    """Two systems over the corpora.

    Attributes:
        first: Index of the one with the better mean rank.
        second: Index of the other.
        median: Median over corpora of the first's score minus the second's.
        wins: On how many corpora the first is better.
        losses: On how many it is worse.
        p_value: Wilcoxon's, two-sided.
        p_holm: The same after Holm's correction over all pairs.
    """

    first: int
    second: int
    median: float
    wins: int
    losses: int
    p_value: float
    p_holm: float


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Systems ranked over corpora, 1 the best.

    Attributes:
        mean_ranks: float64 (systems,); of equal scores each has the mean of the ranks.
        statistic: Friedman's chi-squared.
        p_value: Of no difference between any of them.
        critical_difference: Nemenyi's at 0.05: two mean ranks that are closer are not told apart by it.
        pairs: Every pair, by the better mean rank, then the other's.
    """

    mean_ranks: Floats
    statistic: float
    p_value: float
    critical_difference: float
    pairs: tuple[RankedPair, ...]


def rank_systems(values: npt.ArrayLike, *, higher_is_better: bool = True) -> Ranking:
    """Rank systems by their scores, (corpora, systems), on every corpus.

    Raises:
        InputError: There are too few corpora or systems, or a score is missing.
    """
    from scipy import stats

    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] < FEWEST_CORPORA or table.shape[1] < FEWEST_SYSTEMS:
        shape = " x ".join(map(str, table.shape))
        raise InputError(
            f"ranks need {FEWEST_CORPORA} corpora and {FEWEST_SYSTEMS} systems or more, each run on each, found {shape}"
        )
    if not np.isfinite(table).all():
        raise InputError("ranks need a score of every system on every corpus; some are missing")
    better = table if higher_is_better else -table
    n_corpora, n_systems = table.shape
    ranks = stats.rankdata(-better, axis=1).mean(axis=0)
    friedman = stats.friedmanchisquare(*better.T)
    quantile = stats.studentized_range.ppf(0.95, n_systems, np.inf) / np.sqrt(2)
    order = sorted(range(n_systems), key=lambda system: (ranks[system], system))
    pairs = list(combinations(order, 2))
    p_values = [_wilcoxon(better[:, one] - better[:, other]) for one, other in pairs]
    return Ranking(
        mean_ranks=ranks,
        statistic=float(friedman.statistic),
        p_value=float(friedman.pvalue),
        critical_difference=float(quantile * np.sqrt(n_systems * (n_systems + 1) / (6 * n_corpora))),
        pairs=tuple(
            RankedPair(
                first=one,
                second=other,
                median=float(np.median(table[:, one] - table[:, other])),
                wins=int((better[:, one] > better[:, other]).sum()),
                losses=int((better[:, one] < better[:, other]).sum()),
                p_value=p_value,
                p_holm=p_holm,
            )
            for (one, other), p_value, p_holm in zip(pairs, p_values, holm(p_values), strict=True)
        ),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values after Holm's correction (1979) for as many tests, each 1 at most and in the order given.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _wilcoxon(differences: Floats) -> float:
    from scipy import stats

    return float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0
