"""Trained probes beside a record: written whole, read again, refused when damaged."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from emobox_hf.errors import InputError
from emobox_hf.probes.heads import make_head
from emobox_hf.results import (
    PROBE,
    CorpusSettings,
    EncoderSettings,
    KeptProbe,
    PartitionSettings,
    ProbeFile,
    RunSettings,
    read_probes,
)
from emobox_hf.results.probe_file import write_probes

SETTINGS = RunSettings(
    experiment="intra-corpus",
    package="0.1.0",
    corpora=(CorpusSettings(name="savee"),),
    partition=PartitionSettings(name="savee", folds=("fold1", "fold10")),
    encoder=EncoderSettings(name="owner/name", identity="owner/name@0123", layer="all"),
    probe=make_head("linear"),
)


def make_probes() -> ProbeFile:
    random = np.random.default_rng(0)
    probes = [
        KeptProbe(
            fold=fold,
            seed=seed,
            layer=layer,
            temperature=1.5,
            learned={"classifier": random.standard_normal((2, 3)), "is_present": np.array([True, False])},
        )
        for fold in ("fold1", "fold10")
        for seed in (0, 1)
        for layer in ("", "weighted")
    ]
    return ProbeFile(settings=SETTINGS, labels=("Angry", "Sad"), channels={6: 3}, feature_format=3, probes=probes)


def test_probes_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = make_probes()
    write_probes(tmp_path, written)
    for place in (tmp_path, tmp_path / PROBE):
        found = read_probes(place)
        assert (found.settings, found.labels, found.channels) == (written.settings, written.labels, written.channels)
        for one, other in zip(found.probes, written.probes, strict=True):
            assert (one.name, one.temperature, set(one.learned)) == (other.name, other.temperature, set(other.learned))
            for name, array in other.learned.items():
                assert one.learned[name].dtype == array.dtype
                np.testing.assert_array_equal(one.learned[name], array)
    first = (tmp_path / PROBE).read_bytes()
    write_probes(tmp_path, written)
    assert (tmp_path / PROBE).read_bytes() == first


def test_probes_are_chosen_by_fold_and_layer() -> None:
    probes = make_probes()
    assert [one.name for one in probes.select(fold="fold1")] == ["fold1.seed0", "fold1.seed1"]
    assert len(probes.select()) == 4
    assert {one.layer for one in probes.select(layer="weighted")} == {"weighted"}
    with pytest.raises(InputError, match="no probe of fold 'fold3', found those of fold1, fold10"):
        probes.select(fold="fold3")
    with pytest.raises(InputError, match="no probe of layer '7'"):
        probes.select(layer="7")


def test_a_run_without_probes_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file.*earlier version.*--overwrite"):
        read_probes(tmp_path)


def test_a_file_that_was_cut_or_is_of_something_else_is_refused(tmp_path: Path) -> None:
    write_probes(tmp_path, make_probes())
    whole = (tmp_path / PROBE).read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"no such thing"):
        (tmp_path / PROBE).write_bytes(content)
        with pytest.raises(InputError, match="expected probes, found none that can be read"):
            read_probes(tmp_path)
    save_file({"x": np.zeros(3)}, tmp_path / PROBE)
    with pytest.raises(InputError, match="its header tells of no probes"):
        read_probes(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("format", 99, r"format 99, this version reads up to 1; install a newer"),
        ("labels", "Angry", "labels: expected list"),
        ("probes", [{"fold": "fold7", "seed": 0, "layer": "", "temperature": 1.0}], "no weights of fold7.seed0"),
        ("settings", {}, "missing experiment"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(tmp_path: Path, field: str, value: object, message: str) -> None:
    from safetensors import safe_open

    write_probes(tmp_path, make_probes())
    with safe_open(tmp_path / PROBE, framework="np") as opened:
        header = json.loads(opened.metadata()["emobox_probe"])
    header[field] = value
    metadata = {"emobox_probe": json.dumps(header)}
    save_file(load_file(tmp_path / PROBE), tmp_path / PROBE, metadata=metadata)
    with pytest.raises(InputError, match=message):
        read_probes(tmp_path)
