"""The scripts of benchmarks/perf fit the package: they are imported, and what the suite can afford of them runs."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = sorted((Path(__file__).parents[2] / "benchmarks" / "perf").glob("*.py"))


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"perf_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_shows_its_options(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if path.stem == "resamplers":
        pytest.importorskip("torchaudio")
    monkeypatch.setattr(sys, "argv", [path.name, "--help"])
    with pytest.raises(SystemExit) as ended:
        load(path).main()
    assert ended.value.code == 0


def test_scikit_learns_loop_fits_what_the_linear_head_fits() -> None:
    probes = load(next(path for path in SCRIPTS if path.stem == "probes"))
    data = probes.draw_data(80)
    (job, *_) = probes.list_jobs(data.splits, (0,))
    probes.fit_scikit_learn(data.vectors[:, 0].numpy(), job, labels=data.labels, tol=1e-2)
