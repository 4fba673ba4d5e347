"""Ranks of systems over corpora, against SciPy, statsmodels' rule of Holm by hand, and what the paper's table gives."""

import numpy as np
import pytest
from scipy import stats

from emobox_hf.errors import InputError
from emobox_hf.scores import holm, rank_systems

TABLE = np.random.default_rng(0).normal(size=(12, 4)) + np.array([0.0, 0.5, 1.5, 1.5])


def test_ranks_and_tests_are_scipys():
    found = rank_systems(TABLE)
    expected = np.mean([stats.rankdata(-row) for row in TABLE], axis=0)
    assert found.mean_ranks == pytest.approx(expected)
    friedman = stats.friedmanchisquare(*TABLE.T)
    assert (found.statistic, found.p_value) == pytest.approx((friedman.statistic, friedman.pvalue))
    assert len(found.pairs) == 6
    for pair in found.pairs:
        assert expected[pair.first] <= expected[pair.second]
        difference = TABLE[:, pair.first] - TABLE[:, pair.second]
        assert pair.p_value == pytest.approx(stats.wilcoxon(difference).pvalue)
        assert pair.median == pytest.approx(np.median(difference))
        assert (pair.wins, pair.losses) == ((difference > 0).sum(), (difference < 0).sum())
        assert pair.p_holm >= pair.p_value


def test_the_critical_difference_is_the_tables():
    # Demsar's table of q at 0.05: 2.569 for four systems, 3.164 for ten.
    assert rank_systems(TABLE).critical_difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 12)), abs=2e-3)
    ten = np.random.default_rng(1).normal(size=(32, 10))
    assert rank_systems(ten).critical_difference == pytest.approx(3.164 * np.sqrt(10 * 11 / (6 * 32)), abs=2e-3)


def test_lower_may_be_better():
    up, down = rank_systems(TABLE), rank_systems(-TABLE, higher_is_better=False)
    assert down.mean_ranks == pytest.approx(up.mean_ranks)
    assert [(pair.first, pair.second, pair.wins) for pair in down.pairs] == [
        (pair.first, pair.second, pair.wins) for pair in up.pairs
    ]


def test_systems_that_never_differ_have_p_one():
    same = np.column_stack([TABLE[:, 0], TABLE[:, 0], TABLE[:, 2]])
    (pair,) = (pair for pair in rank_systems(same).pairs if {pair.first, pair.second} == {0, 1})
    assert (pair.p_value, pair.wins, pair.losses) == (1.0, 0, 0)


def test_holm_is_monotone_and_bounded():
    assert holm([0.5, 0.001, 0.4, 0.01]) == pytest.approx([0.8, 0.004, 0.8, 0.03])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE[:4], "5 corpora and 3 systems or more, each run on each, found 4 x 4"),
        (TABLE[:, :2], "found 12 x 2"),
        (np.where(TABLE[0, 0] == TABLE, np.nan, TABLE), "some are missing"),
    ],
)
def test_too_little_is_refused(table, message):
    with pytest.raises(InputError, match=message):
        rank_systems(table)
