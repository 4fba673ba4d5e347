"""The recipe of the card for fine-tuning on a fold, run as it stands there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from speech import make_polish
from tiny_classifiers import save_classifier

from emobox_hf.corpora.spec import load_spec


def test_the_recipe_fine_tunes_and_logs_its_scores(metric_folder: Path, tmp_path: Path) -> None:
    try:
        import torchcodec  # noqa: F401 - with which current datasets decode
    except (ImportError, RuntimeError, OSError) as error:
        if os.environ.get("EMOBOX_TEST_ALL"):
            raise
        pytest.skip(f"torchcodec does not import: {str(error)[:80]}")
    card = (metric_folder / "README.md").read_text(encoding="utf-8")
    recipe = re.search(r"<!-- recipe -->\n```python\n(.*?)```", card, flags=re.DOTALL)[1]
    assert sum(bool(line.strip()) for line in recipe.splitlines()) <= 25
    make_polish(tmp_path / "polish", load_spec("polish"))
    save_classifier(tmp_path / "model", "wav2vec2-group", ("a", "b", "c"))
    names, values = "CORPUS, FOLD, DATA_DIR, MODEL, EPOCHS", ("polish", "fold1", str(tmp_path / "polish"), "model", 2)
    script, n_changed = re.subn(rf"{names} = .*", f"{names} = {values!r}", recipe)
    assert n_changed == 1
    (tmp_path / "recipe.py").write_text(script, encoding="utf-8")
    environment = {
        **os.environ,
        "HF_EVALUATE_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HOME": str(tmp_path / "hf"),
    }
    outcome = subprocess.run(
        [sys.executable, "recipe.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    printed = dict(re.findall(r"^ +(\w+) += +([\d.]+)", outcome.stdout, flags=re.MULTILINE))
    for name in ("test_ua", "test_wa", "test_macro_f1", "test_weighted_f1"):
        assert 0 <= float(printed[name]) <= 1
    *_, last = sorted((tmp_path / "tuned").glob("checkpoint-*"), key=lambda folder: int(folder.name.split("-")[1]))
    state = json.loads((last / "trainer_state.json").read_text(encoding="utf-8"))
    by_epoch = [line["eval_ua"] for line in state["log_history"] if "eval_ua" in line]
    assert len(by_epoch) == 2
    assert state["best_metric"] == max(by_epoch)
