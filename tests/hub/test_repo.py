"""Script-free repositories: built here, read by `datasets` with nothing of ours imported."""

import dataclasses
import io
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile
from speech import make_polish

import emobox_hf
from emobox_hf.corpora.folds import partition
from emobox_hf.corpora.manifest import build_manifest
from emobox_hf.corpora.spec import load_spec
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError
from emobox_hf.hub.repo import build_metric, build_repository, check_repository, new_folder, read_card

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
    assert names == [*(f"{kind}fold{number}" for kind in ("", "si_") for number in range(1, 6)), "all"]
    expected = partition(build_manifest(load_spec("polish"), polish), "fold1").splits
    assert splits == {name: [u.key for u in split] for name, split in expected.items()}


@pytest.mark.parametrize("config", ["fold1", "fold5", "si_fold2", "all"])
def test_every_configuration_has_the_rows_of_its_partition(built: Path, polish: Path, config: str) -> None:
    expected = partition(build_manifest(load_spec("polish"), polish), config).splits
    read = datasets.load_dataset(str(built), config)
    assert {name: sorted(split["key"]) for name, split in read.items()} == {
        name: [u.key for u in split] for name, split in expected.items()
    }
    direct = datasets.load_dataset("emobox/polish", config, data_dir=str(polish))
    assert {name: list(split["key"]) for name, split in read.items()} == {
        name: list(split["key"]) for name, split in direct.items()
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
    assert "| `fold1` | 360 | 20% of train | 90 |" in card
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


@pytest.mark.parametrize("overwrite", [False, True])
def test_ctrl_c_leaves_everything_as_it_was(built: Path, polish: Path, tmp_path: Path, overwrite: bool) -> None:
    out = tmp_path / "emobox" / "polish"
    if overwrite:
        shutil.copytree(built, out)
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())

    def stop_after_300(utterances: Iterable[Utterance]) -> Iterator[Utterance]:
        yield from islice(utterances, 300)
        raise KeyboardInterrupt

    manifest = build_manifest(load_spec("polish"), polish)
    with pytest.raises(KeyboardInterrupt):
        build_repository(manifest, out, overwrite=overwrite, watch=stop_after_300)
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()) == before
    assert overwrite or list(out.parent.iterdir()) == []


def test_every_utterance_is_watched(polish: Path, tmp_path: Path) -> None:
    seen = []

    def note(utterances: Iterable[Utterance]) -> Iterator[Utterance]:
        for utterance in utterances:
            seen.append(utterance.key)
            yield utterance

    manifest = build_manifest(load_spec("polish"), polish)
    build_repository(manifest, tmp_path / "polish", link=True, watch=note)
    assert sorted(seen) == [utterance.key for utterance in manifest.utterances]


def test_replacing_a_folder_keeps_the_old_one_until_the_new_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "repo"
    out.mkdir()
    (out / "README.md").write_text("---\nemobox:\n  corpus: polish\n---\n", encoding="utf-8")

    def replace(error: BaseException | None = None) -> None:
        with new_folder(out, overwrite=True) as folder:
            (folder / "new").write_text("new", encoding="utf-8")
            if error is not None:
                raise error

    with pytest.raises(RuntimeError):
        replace(RuntimeError())
    assert [path.name for path in out.iterdir()] == ["README.md"]
    rename, calls = Path.rename, []

    def stop_at_the_second(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", stop_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            replace()
    assert [path.name for path in out.iterdir()] == ["README.md"]
    replace()
    assert [path.name for path in out.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["repo"]


def test_a_folder_of_the_user_s_is_never_replaced(polish: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work", encoding="utf-8")
    manifest = build_manifest(load_spec("polish"), polish)
    for out in (tmp_path, tmp_path / "thesis.tex"):
        with pytest.raises(InputError, match="was not written by `emobox build`, so it is not replaced"):
            build_repository(manifest, out, overwrite=True)
    assert (tmp_path / "thesis.tex").read_text(encoding="utf-8") == "years of work"


def test_files_and_row_groups_are_as_small_as_asked(polish: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    out, limit = tmp_path / "polish", 100_000
    manifest = build_manifest(load_spec("polish"), polish)
    build_repository(manifest, out, max_file_bytes=limit)
    footers = [pq.read_metadata(path) for path in sorted((out / "data").iterdir())]
    groups = [footer.row_group(i) for footer in footers for i in range(footer.num_row_groups)]
    assert max(path.stat().st_size for path in (out / "data").iterdir()) < limit + 20_000  # the footer
    assert max(group.total_byte_size for group in groups) < limit + 10_000
    assert max(group.num_rows for group in groups) <= 100
    parts = Counter(path.name.split("-")[0] for path in (out / "data").iterdir())
    assert max(parts.values()) > 5
    read = datasets.load_dataset(str(out), "fold2")
    expected = partition(manifest, "fold2").splits
    assert {name: sorted(split["key"]) for name, split in read.items()} == {
        name: [u.key for u in split] for name, split in expected.items()
    }


def test_the_sizes_in_the_card_are_those_of_the_files(built: Path) -> None:
    builder = datasets.load_dataset_builder(str(built), "fold1")
    stated = builder.info
    files = [name for split in read_card(built)["configs"][0]["data_files"] for name in split["path"]]
    assert stated.download_size == sum((built / name).stat().st_size for name in files)
    assert stated.dataset_size == sum(split.num_bytes for split in stated.splits.values())
    read = datasets.load_dataset(str(built), "fold1")
    for name, split in read.items():
        assert split.info.splits[name].num_examples == len(split)
        assert stated.splits[name].num_bytes == pytest.approx(split.data.nbytes, rel=0.02)


def test_the_card_says_by_what_it_was_built(built: Path) -> None:
    spec = load_spec("polish")
    assert read_card(built)["emobox"] == {
        "corpus": "polish",
        "version": spec.version,
        "package": emobox_hf.__version__,
        "absent": 0,
    }


def test_a_whole_folder_passes_the_check(built: Path) -> None:
    assert check_repository(built) == sorted(f"data/{path.name}" for path in (built / "data").iterdir())


def test_a_part_that_an_incomplete_copy_lacks_is_not_in_the_card(polish: Path, tmp_path: Path) -> None:
    spec = load_spec("polish")
    no_si_folds = dataclasses.replace(spec, expected=dataclasses.replace(spec.expected, speakers=0))
    manifest = build_manifest(spec, polish)
    without = tuple(u for u in manifest.utterances if u.speaker != "m3")  # the test speaker of fold1
    out = tmp_path / "polish"
    build_repository(dataclasses.replace(manifest, spec=no_si_folds, utterances=without), out)
    assert set(datasets.load_dataset(str(out), "fold1")) == {"train", "validation"}
    assert set(datasets.load_dataset(str(out), "fold2")) == {"train", "validation", "test"}
    assert "> This copy lacks 90 of 450 utterances." in (out / "README.md").read_text(encoding="utf-8")


def test_the_metric_folder_is_what_evaluate_loads(tmp_path: Path) -> None:
    build_metric(tmp_path / "emobox" / "ser_metrics")
    names = {path.name for path in (tmp_path / "emobox" / "ser_metrics").iterdir()}
    assert names == {"ser_metrics.py", "README.md", "app.py", "requirements.txt"}
    code = (
        "import evaluate; metric = evaluate.load('emobox/ser_metrics');"
        "assert metric.compute(predictions=[0, 1, 1], references=[0, 1, 0])['ua'] == 0.75;"
        "numbers = evaluate.load('emobox/ser_metrics', 'scores').compute(predictions=[0, 1, 1], references=[0, 1, 0]);"
        "assert numbers['ua'] == 0.75 and {type(value) for value in numbers.values()} == {float}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_a_rebuilt_folder_is_not_served_from_an_old_cache(polish: Path, tmp_path: Path) -> None:
    out = tmp_path / "emobox" / "polish"
    manifest = build_manifest(load_spec("polish"), polish)
    for link in (False, True):
        build_repository(manifest, out, link=link, overwrite=True)
        rows = datasets.load_dataset(str(out), "fold1")["test"].cast_column("audio", datasets.Audio(decode=False))
        assert (rows[0]["audio"]["bytes"] is None) == link
