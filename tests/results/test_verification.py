"""What a receiver of runs can check: any field that matters, changed, is named."""

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from speech import make_polish
from toy_corpora import make_corpus

from emobox_hf.cli.main import main
from emobox_hf.corpora.spec import load_spec
from emobox_hf.errors import InputError
from emobox_hf.experiments.request import make_request
from emobox_hf.experiments.run import run_probe
from emobox_hf.files import sha256_of_file
from emobox_hf.results import PREDICTIONS, RECORD, read_record
from emobox_hf.results.digests import digest_of_table
from emobox_hf.results.verification import find_faults

Path_ = tuple[str | int, ...]
# Who made it, where and when; the names of things that no one can compute again without the sound.
BELIEVED = {"machine", "versions", "timings", "created", "schema", "candidates", "source", "validation", "seconds"}
BELIEVED |= {"sha256", "predictions_sha256", "n_train", "n_validation", "untrained_classes", "audit", "left_out"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, encoder: Path) -> Path:
    """The folder of a run of two seeds over all layers."""
    root = tmp_path_factory.mktemp("verified")
    make_polish(root / "polish", load_spec("polish"))
    return run_probe(
        make_request(
            corpus="polish",
            encoder=str(encoder),
            data_dir=root / "polish",
            features=root / "features",
            output=root / "runs",
            head="linear",
            layer="all",
            folds=("fold1",),
            seeds=(0, 1),
            save_probe=False,
        )
    )


def list_leaves(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    if isinstance(value, dict | list) and value:
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            if key not in BELIEVED:
                yield from list_leaves(one, (*path, key))
    else:
        yield path, value


def change(table: dict[str, Any], path: Path_) -> dict[str, Any]:
    """A copy of a record with one value replaced by another of its kind."""
    changed = copy.deepcopy(table)
    place: Any = changed
    for key in path[:-1]:
        place = place[key]
    value = place[path[-1]]
    if isinstance(value, bool):
        place[path[-1]] = not value
    elif isinstance(value, str):
        place[path[-1]] = f"{value}x"
    elif isinstance(value, int | float):
        place[path[-1]] = value + (1 if isinstance(value, int) else 0.013)
    else:
        place[path[-1]] = 0.5 if value is None else [{"key": "polish-m9", "reason": "lost"}]
    return changed


def copy_run(run: Path, folder: Path) -> Path:
    shutil.copytree(run, folder / run.name)
    return folder / run.name


def write_record(folder: Path, table: dict[str, Any]) -> None:
    """Put a record in its place with the digests that it would have, as one who forges it can."""
    told = {name: value for name, value in table.items() if name != "sha256"}
    told["predictions_sha256"] = sha256_of_file(folder / PREDICTIONS)
    (folder / RECORD).write_text(json.dumps({**told, "sha256": digest_of_table(told)}), encoding="utf-8")


def write_rows(folder: Path, table: Any) -> None:
    """Put predictions in their place, and their digest in the record."""
    pq.write_table(table, folder / PREDICTIONS)
    write_record(folder, json.loads((folder / RECORD).read_text(encoding="utf-8")))


def faults_of(folder: Path) -> list[str]:
    try:
        return list(find_faults(folder))
    except InputError as error:
        return [str(error)]


def test_a_run_as_it_was_written_agrees(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(find_faults(run)) == []
    assert main(["verify", str(run.parent.parent)]) == 0
    assert capsys.readouterr().out == f"{run}: agrees; the corpus or its folds are not complete\n"  # one fold of five


@pytest.mark.parametrize(
    "options",
    [
        {"head": "emobox", "epochs": 2, "folds": ("fold1", "si_fold2"), "seeds": (0, 2)},
        {"folds": ("random_fold1",), "train_size": "20"},
        {"on_error": "skip", "folds": ("fold1", "fold2")},
        {"encoder": "baseline:speaker"},
        {"train": ("{toys}/one.toml",), "test": "{toys}/two.toml", "test_set": "all", "corpus": "", "labels": "all"},
    ],
    ids=str,
)
def test_runs_of_every_kind_agree(run: Path, encoder: Path, options: dict[str, Any], tmp_path: Path) -> None:
    root = run.parents[2]
    words = {name: value for name, value in options.items() if "toys" not in str(value)}
    place = root / "polish"
    if "train" in options:
        place = tmp_path / "toys"
        make_corpus(place, "one", emotions=("Angry", "Sad", "Happy"))
        make_corpus(place, "two", emotions=("Angry", "Sad"))
        words |= {"train": (str(place / "one.toml"),), "test": str(place / "two.toml")}
    if "on_error" in options:
        shutil.copytree(place, tmp_path / "broken")
        place = tmp_path / "broken"
        (place / "m3.a_nie_1.wav").unlink()
        (place / "m2.n_tak_2.wav").write_bytes(b"RIFF")
    defaults = {"corpus": "polish", "encoder": str(encoder), "head": "linear", "save_probe": False}
    places = {"data_dir": place, "features": root / "features", "output": tmp_path / "runs"}
    folder = run_probe(make_request(**defaults | places | words))
    assert list(find_faults(folder)) == []
    assert ("on_error" in options) == bool(read_record(folder).left_out)


def test_files_that_are_not_what_was_written_are_named(run: Path, tmp_path: Path) -> None:
    folder = copy_run(run, tmp_path)
    table = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    pq.write_table(pq.read_table(folder / PREDICTIONS).slice(1), folder / PREDICTIONS)
    assert "predictions.parquet: changed since" in faults_of(folder)[0]
    table["created"] = "2020-01-01T00:00:00+00:00"
    (folder / RECORD).write_text(json.dumps(table), encoding="utf-8")
    assert "record.json: not a whole record: its content changed" in faults_of(folder)[0]


def test_any_field_of_a_record_that_matters_is_named_when_it_is_changed(run: Path, tmp_path: Path) -> None:
    table = json.loads((run / RECORD).read_text(encoding="utf-8"))
    folder = copy_run(run, tmp_path)
    unnoticed, unnamed = [], []
    for path, value in list_leaves(table):
        line = table["layers"][path[1]] if path[0] == "layers" else None
        if line and not line["is_chosen"] and path[2] == "validation_ua":
            continue  # of a layer that was not chosen nobody can compute it
        if path[0] == "layer_summary" and path[3] != "mean":
            continue
        write_record(folder, change(table, path))
        faults = faults_of(folder)
        if not faults:
            unnoticed.append(path)
        elif not any(str(word) in fault for word in (*path[:3], f"{value}x") for fault in faults):
            unnamed.append((path, faults[0]))
    assert unnoticed == []
    assert not unnamed, "\n".join(map(str, unnamed))


@pytest.mark.parametrize("column", ["key", "speaker", "fold", "seed", "reference", "prediction", "p_Fear", "path"])
def test_any_column_of_predictions_is_named_when_a_row_is_changed(run: Path, tmp_path: Path, column: str) -> None:
    folder = copy_run(run, tmp_path)
    table = pq.read_table(folder / PREDICTIONS)
    values = table[column].to_pylist()
    others = [value for value in values if value != values[3]]
    new = "else" if column in ("key", "path") else next(iter(others), "else")
    values[3] = values[3] + 0.001 if column.startswith("p_") else new
    place = table.column_names.index(column)
    array = pa.array(values, table.schema.field(column).type)
    write_rows(folder, table.set_column(place, table.schema.field(column), array))
    assert faults_of(folder)


def test_a_row_that_is_gone_or_twice_is_named(run: Path, tmp_path: Path) -> None:
    folder = copy_run(run, tmp_path)
    table = pq.read_table(folder / PREDICTIONS)
    for changed in (table.slice(1), pa.concat_tables([table, table.slice(0, 1)])):
        write_rows(folder, changed)
        assert any("fold1 seed 0" in fault for fault in faults_of(folder))


def test_a_score_that_was_made_better_is_named_by_the_command(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copy_run(run, tmp_path)
    table = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    table["folds"][0]["scores"]["ua"] = 0.999
    table["summary"]["ua"]["mean"] = 0.99
    write_record(folder, table)
    assert main(["verify", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert "folds, fold1 seed 0.scores.ua: expected" in printed.out
    assert "summary.ua.mean: expected" in printed.out
    assert printed.err.endswith("1 of 1 run cannot be taken as they are\n")
    assert main(["verify", str(tmp_path), "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert len(found["faults"]) == 2


def test_other_folds_than_emobox_s_are_named(run: Path, tmp_path: Path) -> None:
    """Also where record, settings and the name of the folder were changed alike."""
    from emobox_hf.results.settings import from_json

    table = json.loads((run / RECORD).read_text(encoding="utf-8"))
    for digests in (table["folds"][0]["digests"], table["settings"]["partition"]["digests"]["fold1"]):
        digests["test"] = "0" * 64
    digest = from_json(table["settings"], "x").digest
    folder = copy_run(run, tmp_path)
    moved = folder.rename(folder.with_name(f"{folder.name.rpartition('-')[0]}-{digest}"))
    write_record(moved, table)
    assert any(fault.startswith("folds, fold1 seed 0.digests.test: expected") for fault in faults_of(moved))
