import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import evaluate
import pytest

METRIC = Path(__file__).parents[2] / "metrics" / "ser_metrics"


@pytest.fixture(scope="session")
def metric_folder() -> Path:
    return METRIC


@pytest.fixture
def load_ser_metrics(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., evaluate.EvaluationModule]]:
    """`evaluate.load` of the metric's folder, with every cache in a temporary folder and the Hub's name standing in."""
    caches = tmp_path_factory.mktemp("caches")
    monkeypatch.setattr(evaluate.config, "HF_MODULES_CACHE", str(caches / "modules"))
    monkeypatch.setattr(evaluate.config, "HF_EVALUATE_OFFLINE", True)
    monkeypatch.setattr(sys, "path", [*sys.path])
    # Modules of an earlier test would be looked for in that test's cache.
    for name in [name for name in sys.modules if name.split(".")[0] == "evaluate_modules"]:
        monkeypatch.delitem(sys.modules, name)
    original = evaluate.load

    def load(path: str = "emobox/ser_metrics", **options: object) -> evaluate.EvaluationModule:
        options.setdefault("cache_dir", str(caches / "metrics"))
        return original(str(METRIC) if path == "emobox/ser_metrics" else path, **options)

    monkeypatch.setattr(evaluate, "load", load)
    yield load
    for name in [name for name in sys.modules if name.split(".")[0] == "evaluate_modules"]:
        del sys.modules[name]


@pytest.fixture
def ser_metrics(load_ser_metrics: Callable[..., evaluate.EvaluationModule]) -> evaluate.EvaluationModule:
    return load_ser_metrics()
