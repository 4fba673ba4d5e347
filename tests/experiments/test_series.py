"""Experiments as data."""

from pathlib import Path

import pytest

from emobox_hf.errors import InputError
from emobox_hf.experiments.request import ProbeRequest
from emobox_hf.experiments.series import list_series, load_series, make_pairs, run_series

SERIES = """
title = "Two by two"
report = "layers"

[options]
head = "linear"
layers = "all"

[grid]
encoder = ["x", "y"]
folds = [[], ["si"]]
corpus = ["polish"]
"""


def test_every_combination_of_the_grid_is_a_run(tmp_path: Path) -> None:
    path = tmp_path / "two.toml"
    path.write_text(SERIES, encoding="utf-8")
    series = load_series(str(path), ["--epochs", "5"])
    assert (series.title, series.report) == ("Two by two", "layers")
    assert [(one.encoder.name, one.data.folds) for one in series.requests] == [
        ("x", ()),
        ("x", ("si",)),
        ("y", ()),
        ("y", ("si",)),
    ]
    assert {(one.head.name, one.encoder.layer, one.data.corpus) for one in series.requests} == {
        ("linear", "all", "polish")
    }


def test_a_flag_that_is_on_by_default_is_taken_back_by_false(tmp_path: Path) -> None:
    path = tmp_path / "two.toml"
    for text, is_kept in (("", True), ("save_probe = true", True), ("save_probe = false", False)):
        path.write_text(SERIES.replace("[grid]", f"{text}\n[grid]"), encoding="utf-8")
        assert {one.places.save_probe for one in load_series(str(path)).requests} == {is_kept}


@pytest.mark.parametrize("name", list_series())
def test_the_experiments_of_the_package_are_whole(name: str) -> None:
    from emobox_hf.report.kinds import KINDS

    series = load_series(name)
    assert series.report in KINDS
    assert len(series.requests) > 1


def test_the_cross_corpus_table_has_twelve_pairs_an_encoder() -> None:
    requests = load_series("cross_corpus").requests
    pairs = {(one.data.train, one.data.test) for one in requests if one.encoder.name == "wavlm-large"}
    assert len(pairs) == 12
    assert (("iemocap",), "savee") in pairs


def test_one_corpus_is_left_out_at_a_time() -> None:
    assert make_pairs(["a", "b", "c"], leave_one_out=True)[1] == {"train": ["a", "c"], "test": "b"}


def test_a_run_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    path = tmp_path / "two.toml"
    path.write_text(SERIES, encoding="utf-8")

    def run(request: ProbeRequest) -> Path:
        if request.encoder.name == "x":
            raise InputError("no encoder x")
        return tmp_path / request.encoder.name

    outcomes = run_series(load_series(str(path)), run)
    assert [outcome.error for outcome in outcomes] == ["no encoder x", "no encoder x", None, None]
    assert [outcome.folder for outcome in outcomes] == [None, None, tmp_path / "y", tmp_path / "y"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "not a TOML file"),
        ("[gird]\nencoder = []", "unknown field 'gird'; did you mean 'grid'"),
        ("[pairs]\ncorpus = []", r"\[pairs\] takes corpora"),
        ("[options]\nquiet = true", "'quiet' is no setting of a run; say --quiet on the command line"),
        ("[grid]\nverbose = [true, false]", "'verbose' is no setting of a run; say --verbose on the command line"),
        ("[options]\nhelp = true", "no option 'help'"),
        ("[options]\nmixed-precison = 'auto'", "no option 'mixed-precison'; did you mean 'mixed_precision'"),
    ],
)
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_series(str(path))


def test_an_unknown_experiment_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"no experiment 'layer'.*did you mean 'layers'"):
        load_series("layer")
