"""Scores move as they should: down in another corpus, up with a leaked speaker, up without wrong labels."""

from pathlib import Path
from typing import Any

import pytest
from toy_corpora import make_corpus

from emobox_hf.experiments.request import make_request
from emobox_hf.experiments.run import run_probe
from emobox_hf.report.collect import Run, find_runs
from emobox_hf.report.noise import list_doubts, noise_curve


@pytest.fixture
def probe(encoder: Path, tmp_path: Path) -> Any:
    """A function options -> the finished run."""

    def run(**options: Any) -> Run:
        defaults = {
            "encoder": str(encoder),
            "head": "linear",
            "workers": 0,
            "features": tmp_path / "features",
            "output": tmp_path / "runs",
        }
        (found,) = find_runs(run_probe(make_request(**defaults | options)))
        return found

    return run


def ua(run: Run) -> float:
    score = run.record.summary["ua"].mean
    assert score is not None
    return score


def test_another_corpus_is_harder_than_another_speaker(probe: Any, tmp_path: Path) -> None:
    low, high = (str(make_corpus(tmp_path, name, pitch=pitch)) for name, pitch in (("low", 1.0), ("high", 1.5)))
    inside = [ua(probe(corpus=path, data_dir=Path(path).with_suffix(""))) for path in (low, high)]
    across = [ua(probe(train=pair[:1], test=pair[1], data_dir=tmp_path)) for pair in ((low, high), (high, low))]
    assert min(inside) > max(across) + 0.1


def test_a_leaked_speaker_raises_the_score(probe: Any, tmp_path: Path) -> None:
    path = str(make_corpus(tmp_path, "own_ways", n_each=8, accent=0.5))
    leaked, independent = (
        ua(probe(corpus=path, data_dir=tmp_path / "own_ways", folds=(folds,))) for folds in ("random", "si")
    )
    assert leaked > independent + 0.1


def test_planted_label_errors_are_doubted_and_the_score_rises_without_them(probe: Any, tmp_path: Path) -> None:
    path = str(make_corpus(tmp_path, "noisy", n_each=10, mislabelled=1))
    run = probe(corpus=path, data_dir=tmp_path / "noisy", folds=("random",))
    planted = {doubt.key for doubt in list_doubts(run) if doubt.key.endswith("_0")}
    most_doubted = {doubt.key for doubt in list_doubts(run)[: len(planted)]}
    whole, without = noise_curve(run, (0.0, 0.1)).rows
    assert len(planted) == 16
    assert len(planted & most_doubted) >= 8  # by chance 1.6
    assert without[2].value > whole[2].value + 5
    assert without[2].value > without[4].value + 5  # as many left out at random
