"""The scripts of benchmarks/perf fit the package: they are imported, and what the suite can afford of them runs."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

LACKING = {"datasets", "evaluate", "soundfile", "soxr", "av", "pyarrow", "sklearn", "wrapt", "pandas", "librosa"}

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


def test_shares_of_the_linear_heads_time_are_shares() -> None:
    probes = load(next(path for path in SCRIPTS if path.stem == "probes"))
    shares = probes.share_vectors(probes.draw_data(60))
    assert min(shares.values()) > 0
    assert sum(shares.values()) < 100


# Read by Python at its start, so that processes of processes lack the packages too.
WITHOUT = """
import sys

LACKING = {names}

class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in LACKING else self.finder.find_spec(name, path, target)
    def find_distributions(self, context):
        lists = context.name not in LACKING and hasattr(self.finder, "find_distributions")
        return self.finder.find_distributions(context) if lists else ()
    def invalidate_caches(self):
        if hasattr(self.finder, "invalidate_caches"):
            self.finder.invalidate_caches()

sys.meta_path[:] = map(Without, sys.meta_path)
"""


def test_the_main_page_runs_on_wav_files_where_there_is_torch_transformers_and_accelerate_alone(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT.replace("{names}", repr(LACKING)), encoding="utf-8")
    script = next(path for path in SCRIPTS if path.stem == "devices")
    root = script.parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(root)])}
    gone = subprocess.run(
        [sys.executable, "-c", "import soundfile"], env=environment, capture_output=True, text=True, check=False
    )
    assert "No module named 'soundfile'" in gone.stderr
    done = subprocess.run(
        [sys.executable, str(script), "--shapes", "wav2vec2-toy", "--takes", "4"],
        env=environment | {"CUDA_VISIBLE_DEVICES": "", "EMOBOX_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line, last) = done.stdout.splitlines()[-2:]
    assert "wav2vec2-toy, no" in line
    assert float(line.partition("UA ")[2].partition(" %")[0]) > 28  # four classes, heard by random weights
    assert "no GPU here" in last
    assert "predictions.parquet is not written, for pyarrow is not installed" in done.stderr


def test_the_model_of_a_gpu_counts_bytes_and_products() -> None:
    model = load(next(path for path in SCRIPTS if path.stem == "gpu_model"))
    large = torch.empty(4096, 4096, dtype=torch.bfloat16, device="meta")
    products = model.count_passes(lambda _: large @ large, [[]])
    assert products.seconds["mm"] == pytest.approx(2 * 4096**3 / 680e12)
    sums = model.count_passes(lambda _: large + large[:1], [[]])
    assert sums.seconds["add"] == pytest.approx((2 * large.nbytes + large[:1].nbytes) / 2.7e12)
    query = torch.empty(1, 8, 512, 64, dtype=torch.bfloat16, device="meta")
    heads = model.count_passes(lambda _: torch.nn.functional.scaled_dot_product_attention(query, query, query), [[]])
    assert (heads.n["attention"], len(heads.n)) == (1, 1)
