"""The hooks that `import emobox_hf` sets."""

import subprocess
import sys
from pathlib import Path

import pytest

LISTING = "assert datasets.get_dataset_config_names('emobox/savee')[-1] == 'all'"


@pytest.mark.parametrize("order", ["import emobox_hf, datasets", "import datasets, emobox_hf"])
def test_either_import_may_come_first(order: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", f"{order}; {LISTING}"], check=True, cwd=tmp_path)


def test_the_metric_is_known_after_the_import(tmp_path: Path) -> None:
    code = (
        "import emobox_hf, evaluate; metric = evaluate.load('emobox/ser_metrics');"
        "assert metric.compute(predictions=[0, 1, 1], references=[0, 1, 0])['ua'] == 0.75;"
        "numbers = evaluate.load('emobox/ser_metrics', 'scores').compute(predictions=[0, 1, 1], references=[0, 1, 0]);"
        "assert numbers['ua'] == 0.75 and {type(value) for value in numbers.values()} == {float}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ("[0, 1]", "[-100, 1]", "references hold -100, which is no class"),
        ("[0, -1]", "[0, 1]", "predictions hold -1, which is no class"),
        ("numpy.eye(2)", "[0, 1]", "Take the argmax: predictions.argmax(axis=-1)"),
    ],
)
def test_the_metric_refuses_what_is_no_class(tmp_path: Path, predictions: str, references: str, message: str) -> None:
    code = (
        "import emobox_hf, evaluate, numpy; metric = evaluate.load('emobox/ser_metrics');"
        f"metric.compute(predictions={predictions}, references={references})"
    )
    outcome = subprocess.run([sys.executable, "-c", code], check=False, cwd=tmp_path, capture_output=True, text=True)
    assert message in outcome.stderr


def test_a_misspelt_metric_gets_a_suggestion(tmp_path: Path) -> None:
    code = "import emobox_hf, evaluate; evaluate.load('emobox/sermetrics')"
    outcome = subprocess.run([sys.executable, "-c", code], check=False, cwd=tmp_path, capture_output=True, text=True)
    assert "no metric 'emobox/sermetrics'; did you mean 'emobox/ser_metrics'?" in outcome.stderr


def test_a_built_folder_of_that_name_comes_first(tmp_path: Path) -> None:
    folder = tmp_path / "emobox" / "savee"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: mine\n  data_files: rows.csv\n---\n", encoding="utf-8"
    )
    (folder / "rows.csv").write_text("a\n1\n", encoding="utf-8")
    code = "import emobox_hf, datasets; assert datasets.get_dataset_config_names('emobox/savee') == ['mine']"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
