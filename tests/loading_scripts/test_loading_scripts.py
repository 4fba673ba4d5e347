"""Loading scripts, run natively by datasets 3.x; the sweep finds every script."""

import json
from pathlib import Path

import datasets
import pytest
from layout import lay_out, read_published
from speech import make_polish, wav_bytes

from emobox_hf.corpora.configurations import list_configs
from emobox_hf.corpora.spec import list_corpora, load_spec

pytestmark = pytest.mark.scripts


@pytest.mark.parametrize("name", list_corpora())
def test_a_script_has_the_configurations_of_its_spec(name: str, checkout: Path) -> None:
    script = str(checkout / "loading_scripts" / name)
    assert datasets.get_dataset_config_names(script, trust_remote_code=True) == list_configs(load_spec(name))


def test_a_script_loads_decodes_and_streams(checkout: Path, tmp_path: Path) -> None:
    make_polish(tmp_path, load_spec("polish"))
    options = {
        "path": str(checkout / "loading_scripts" / "polish"),
        "data_dir": str(tmp_path),
        "trust_remote_code": True,
    }
    fold = datasets.load_dataset(name="fold1", **options)
    assert {name: len(split) for name, split in fold.items()} == {"train": 288, "validation": 72, "test": 90}
    audio = fold["test"][0]["audio"]
    assert audio["sampling_rate"] == 16000
    assert len(audio["array"]) == 6400
    streamed = datasets.load_dataset(name="fold1", split="test", streaming=True, **options)
    assert next(iter(streamed))["key"] == fold["test"][0]["key"]


@pytest.mark.parametrize("config", list_configs(load_spec("polish")))
def test_a_script_has_the_rows_in_the_order_of_the_other_doors(config: str, checkout: Path, tmp_path: Path) -> None:
    import emobox_hf  # noqa: F401 - makes the id known

    make_polish(tmp_path, load_spec("polish"))
    script = str(checkout / "loading_scripts" / "polish")
    scripted = datasets.load_dataset(script, config, data_dir=str(tmp_path), trust_remote_code=True)
    direct = datasets.load_dataset("emobox/polish", config, data_dir=str(tmp_path))
    assert {name: split["key"] for name, split in scripted.items()} == {
        name: split["key"] for name, split in direct.items()
    }


@pytest.mark.parametrize("name", ["iemocap", "ravdess", "savee"])
def test_a_script_gives_the_published_folds(name: str, checkout: Path, tmp_path: Path, emobox_data: Path) -> None:
    spec = load_spec(name)
    lay_out(spec, read_published(spec, emobox_data), tmp_path, wav_bytes())
    script = str(checkout / "loading_scripts" / name)
    fold = datasets.load_dataset(script, "fold1", data_dir=str(tmp_path), trust_remote_code=True)
    listed = emobox_data / name / "fold_1" / f"{name}_test_fold_1.jsonl"
    keys = {json.loads(line)["key"] for line in listed.read_text(encoding="utf-8").splitlines()}
    assert set(fold["test"]["key"]) == keys
