"""Every door gives the rows of a split in one order: the corpus on disk, and the repository that is built of it."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
from layout import LISTS, has_lists, lay_out, read_published
from speech import make_polish

import emobox_hf
from emobox_hf.corpora import lists
from emobox_hf.corpora.configurations import ALL, BALANCED, PUBLISHED, SPEAKER_INDEPENDENT, WHOLE, list_folds
from emobox_hf.corpora.manifest import search_corpus
from emobox_hf.corpora.spec import list_corpora, load_spec
from emobox_hf.hub import builder, repo
from emobox_hf.hub.repo import build_repository, read_card

SAMPLE = 80


def read_built(folder: Path, config: str) -> dict[str, list[str]]:
    """The keys of each split of a built folder, as its card lists the files."""
    (named,) = (each for each in read_card(folder)["configs"] if each["config_name"] == config)
    return {
        split["split"]: [key for name in split["path"] for key in pq.read_table(folder / name)["key"].to_pylist()]
        for split in named["data_files"]
    }


def read_streamed(path: str, config: str, **options: Any) -> dict[str, list[str]]:
    streamed = datasets.load_dataset(path, config, streaming=True, **options)
    keys = {name: [row["key"] for row in split.select_columns(["key"])] for name, split in streamed.items()}
    return {name: found for name, found in keys.items() if found}


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sound is read, so that a corpus of any format can be built without any."""
    for module in (builder, repo):
        monkeypatch.setattr(module, "audio_cell", lambda *_, **__: {"path": "x.flac", "bytes": b"x"})


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("name", list_corpora())
def test_a_built_folder_has_the_order_of_the_corpus_on_disk(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of corpora whose lists are at hand a part of EmoBox's own rows, of the others the examples of the spec."""
    spec = load_spec(name)
    if has_lists(name):
        rows = read_published(spec)
        rows = rows[:: max(1, len(rows) // SAMPLE)]
        monkeypatch.setenv("EMOBOX_FOLDS", str(LISTS))
    else:
        rows = list(spec.examples)
        if spec.folds.source == "list" or spec.drawn.published:
            pytest.skip("EmoBox's lists are not at hand")
    root = tmp_path / "corpus"
    lay_out(spec, rows, root)
    manifest = search_corpus(spec, root)
    build_repository(manifest, tmp_path / "built")
    n_compared = 0
    for kind in (PUBLISHED, SPEAKER_INDEPENDENT, BALANCED, WHOLE):
        config = list_folds(spec, kind)[-1] if list_folds(spec, kind) else ALL
        direct = read_streamed(f"emobox/{name}", config, data_dir=str(root), allow_missing=True)
        assert direct == read_built(tmp_path / "built", config)
        n_compared += sum(map(len, direct.values()))
    assert n_compared >= len(manifest.utterances) > 0


@pytest.fixture
def polish(tmp_path: Path) -> Path:
    root = tmp_path / "polish"
    make_polish(root, load_spec("polish"))
    return root


@pytest.mark.parametrize("options", [{"num_proc": 2}, {"streaming": True}], ids=["processes", "streaming"])
def test_streams_and_processes_keep_the_order(
    polish: Path, tmp_path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "ROWS_A_TABLE", 50)  # several tables a split
    built = tmp_path / "built"
    build_repository(emobox_hf.build_manifest("polish", polish), built, max_file_bytes=20_000)
    expected = read_built(built, "fold2")
    assert expected["train"] != sorted(expected["train"])
    for path, own in (("emobox/polish", {"data_dir": str(polish)}), (str(built), {})):
        if "streaming" in options:
            assert read_streamed(path, "fold2", **own) == expected
        else:
            loaded = datasets.load_dataset(path, "fold2", **own, **options)
            assert {name: list(split["key"]) for name, split in loaded.items()} == expected


@pytest.fixture
def cremad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Some of CREMA-D, whose published fold is a list that cannot be downloaded."""
    if not has_lists("cremad"):
        pytest.skip("EmoBox's lists are not at hand")
    monkeypatch.setattr(lists, "LISTS_URL", "file:///nowhere")
    spec = load_spec("cremad")
    lay_out(spec, read_published(spec)[::50], tmp_path / "cremad")
    return str(tmp_path / "cremad")


@pytest.mark.usefixtures("silent")
def test_an_order_without_lists_is_said_each_time_and_kept_apart(
    cremad: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def load() -> list[str]:
        fold = datasets.load_dataset("emobox/cremad", "si_fold1", data_dir=cremad, allow_missing=True)
        return list(fold["train"]["key"])

    without = load()
    assert "cremad: rows come in another order than where fold1 can be had" in caplog.text
    caplog.clear()
    assert load() == without
    assert "cremad: rows come in another order than where fold1 can be had" in caplog.text
    caplog.clear()
    monkeypatch.setenv("EMOBOX_FOLDS", str(LISTS))
    found = load()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert found != without
    assert sorted(found) == sorted(without)
