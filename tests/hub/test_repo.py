"""Script-free repositories: built here, read by `datasets` with nothing of ours imported."""

import io
import json
import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile
from speech import make_polish

from emobox_hf.corpora.folds import partition
from emobox_hf.corpora.manifest import build_manifest
from emobox_hf.corpora.spec import load_spec
from emobox_hf.errors import InputError
from emobox_hf.hub.repo import build_metric, build_repository, new_folder

READ = """
import json, sys, datasets
names = datasets.get_dataset_config_names("emobox/polish")
fold = datasets.load_dataset("emobox/polish", "fold1")
assert not any(name.startswith("emobox_hf") for name in sys.modules)
print(json.dumps([names, {name: sorted(split["key"]) for name, split in fold.items()}]))
"""


@pytest.fixture(scope="module")
def polish(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("polish")
    make_polish(root, load_spec("polish"))
    return root


@pytest.fixture(scope="module")
def built(polish: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "emobox" / "polish"
    build_repository(build_manifest(load_spec("polish"), polish), out)
    return out


def test_the_bare_call_works_from_the_folder_above(built: Path, polish: Path) -> None:
    output = subprocess.check_output([sys.executable, "-c", READ], cwd=built.parents[1])
    names, splits = json.loads(output)
    assert names == ["fold1", "fold2", "fold3", "fold4", "fold5", "all"]
    expected = partition(build_manifest(load_spec("polish"), polish), "fold1").splits
    assert splits == {name: [u.key for u in split] for name, split in expected.items()}


@pytest.mark.parametrize("config", ["fold1", "fold2", "fold3", "fold4", "fold5", "all"])
def test_every_configuration_has_the_rows_of_its_partition(built: Path, polish: Path, config: str) -> None:
    expected = partition(build_manifest(load_spec("polish"), polish), config).splits
    read = datasets.load_dataset(str(built), config)
    assert {name: sorted(split["key"]) for name, split in read.items()} == {
        name: [u.key for u in split] for name, split in expected.items()
    }
    assert read["train"].features["emotion"].names == ["Angry", "Neutral", "Fear"]


def test_every_utterance_is_stored_once(built: Path) -> None:
    import pyarrow.parquet as pq

    keys = [
        key for path in (built / "data").iterdir() for key in pq.read_table(path, columns=["key"])["key"].to_pylist()
    ]
    assert len(keys) == len(set(keys)) == 450


def test_the_audio_inside_is_the_corpus_s(built: Path, polish: Path) -> None:
    rows = datasets.load_dataset(str(built), "fold1")["test"].cast_column("audio", datasets.Audio(decode=False))
    row = rows[0]
    waveform, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
    original, _ = soundfile.read(polish / f"{row['key'].removeprefix('polish-')}.wav", dtype="float32")
    assert rate == 16000
    np.testing.assert_allclose(waveform, original, atol=1 / 2**15)


def test_links_hold_paths(polish: Path, tmp_path: Path) -> None:
    out = tmp_path / "emobox" / "polish"
    build_repository(build_manifest(load_spec("polish"), polish), out, link=True)
    rows = datasets.load_dataset(str(out), "fold1")["test"].cast_column("audio", datasets.Audio(decode=False))
    assert [
        row["audio"] for row in rows if row["audio"]["bytes"] is not None or not Path(row["audio"]["path"]).is_file()
    ] == []


def test_the_card_states_licence_and_folds(built: Path) -> None:
    card = (built / "README.md").read_text(encoding="utf-8")
    assert "| `fold1` | 360 | 20 % of train | 90 |" in card
    assert "@misc{miesikowska2020emotions" in card


def test_an_existing_folder_is_kept_unless_told(built: Path, polish: Path) -> None:
    manifest = build_manifest(load_spec("polish"), polish)
    with pytest.raises(InputError, match=r"exists.*--overwrite"):
        build_repository(manifest, built)


def test_a_broken_file_leaves_nothing_half_written(polish: Path, tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    make_polish(root, load_spec("polish"))
    (root / "m4.n_tak_2.wav").write_bytes(b"not audio")
    out = tmp_path / "emobox" / "polish"
    with pytest.raises(InputError, match=r"m4\.n_tak_2\.wav"):
        build_repository(build_manifest(load_spec("polish"), root), out)
    assert list(out.parent.iterdir()) == []


def test_replacing_a_folder_keeps_the_old_one_until_the_new_one_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "repo"
    out.mkdir()
    (out / "old").write_text("old", encoding="utf-8")

    def fail() -> None:
        with new_folder(out, overwrite=True) as folder:
            (folder / "new").write_text("new", encoding="utf-8")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.name for path in out.iterdir()] == ["old"]
    with new_folder(out, overwrite=True) as folder:
        (folder / "new").write_text("new", encoding="utf-8")
    assert [path.name for path in out.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["repo"]


def test_the_metric_folder_is_what_evaluate_loads(tmp_path: Path) -> None:
    build_metric(tmp_path / "emobox" / "ser_metrics")
    names = {path.name for path in (tmp_path / "emobox" / "ser_metrics").iterdir()}
    assert names == {"ser_metrics.py", "README.md", "app.py", "requirements.txt"}
    code = (
        "import evaluate; metric = evaluate.load('emobox/ser_metrics');"
        "assert metric.compute(predictions=[0, 1, 1], references=[0, 1, 0])['ua'] == 0.75"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_a_rebuilt_folder_is_not_served_from_an_old_cache(polish: Path, tmp_path: Path) -> None:
    out = tmp_path / "emobox" / "polish"
    manifest = build_manifest(load_spec("polish"), polish)
    for link in (False, True):
        build_repository(manifest, out, link=link, overwrite=True)
        rows = datasets.load_dataset(str(out), "fold1")["test"].cast_column("audio", datasets.Audio(decode=False))
        assert (rows[0]["audio"]["bytes"] is None) == link
