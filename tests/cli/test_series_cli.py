"""`emobox cross`, `experiment` and `report` as a user types them, on small corpora of synthetic speech."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_encoders import saved
from toy_corpora import drop_corpus, make_corpus

from emobox_hf.cli.main import main
from emobox_hf.results import read_record

PARTITION = """
title = "Two by two"
report = "partition"

[options]
head = "linear"

[grid]
corpus = ["{corpus}"]
encoder = ["{encoder}"]
folds = [["si"], ["random"]]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four corpora: three share four labels, the last shares none with them."""
    folder = tmp_path_factory.mktemp("corpora")
    for name in ("alpha", "beta", "gamma"):
        make_corpus(folder, name, n_each=2)
    make_corpus(folder, "calm", emotions=("Calm", "Boredom"), n_each=2)
    return folder


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


@pytest.fixture
def options(place: Path, features: Path, tmp_path: Path) -> list[str]:
    """Where things lie, for `emobox cross` and `experiment`."""
    return ["--data-dir", str(place), "--features", str(features), "--output", str(tmp_path / "runs")]


@pytest.fixture
def cross(place: Path, options: list[str]) -> Any:
    """The command `emobox cross` on corpora of `place`; its exit code."""

    def run(*corpora: str, more: tuple[str, ...] = ()) -> int:
        paths = [str(place / f"{name}.toml") for name in corpora]
        encoder = ["--encoder", str(saved("wav2vec2-group")), "--head", "linear"]
        return main(["cross", "--corpora", *paths, *encoder, *options, *more])

    return run


def write_series(tmp_path: Path, text: str, **values: object) -> str:
    path = tmp_path / "series.toml"
    path.write_text(text.format(**values), encoding="utf-8")
    return str(path)


def test_cross_does_every_pair_and_a_failed_one_stops_no_other(
    cross: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cross("alpha", "beta", "calm") == 1
    captured = capsys.readouterr()
    assert "UA in percent, trained on the row, tested on the column" in captured.out
    assert "2 of 6 runs are there, these failed:" in captured.out
    lines = captured.err.splitlines()
    assert sum("two labels or more have to be shared" in line for line in lines) == 2
    assert sum("no balanced set" in line for line in lines) == 1
    records = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("record.json")}
    assert {path.parent.parent.name for path in records} == {"alpha-to-beta", "beta-to-alpha"}

    # Again: what is there is not done again.
    assert cross("alpha", "beta") == 0
    assert "2 of 2 runs are there\n" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("record.json")} == records


def test_cross_leaves_one_corpus_out_at_a_time(cross: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert cross("alpha", "beta", "calm", more=("--leave-one-out", "--json", "--test-set", "all")) == 1
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert len(runs) == 3
    for run in runs[:2]:  # a training corpus that has nothing to give is named
        assert "calm has none of the labels trained on" in run["error"]
    assert "two labels or more" in runs[2]["error"]


def test_cross_trains_on_all_corpora_but_the_tested_one(
    cross: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cross("alpha", "beta", "gamma", more=("--leave-one-out",)) == 0
    assert "3 of 3 runs are there\n" in capsys.readouterr().out
    records = {path.parent.parent.name: read_record(path.parent) for path in (tmp_path / "runs").rglob("record.json")}
    assert set(records) == {"alpha+beta-to-gamma", "alpha+gamma-to-beta", "beta+gamma-to-alpha"}
    for record in records.values():
        (fold,) = record.folds
        # 4 speakers x 4 emotions x 2 takes a corpus: two corpora train, a fifth of them to choose by; one is tested.
        assert (fold.n_train + fold.n_validation, fold.n_test) == (64, 32)
        assert fold.scores["ua"] is not None


def test_cross_where_nothing_worked_says_why(cross: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert cross("alpha", "calm", more=("--json",)) == 1
    captured = capsys.readouterr()
    table = json.loads(captured.out)
    assert table["tables"] == []
    assert all(run["folder"] is None and run["error"] for run in table["runs"])
    assert "no table: no run is there" in captured.err


@pytest.mark.parametrize(
    ("corpora", "message"),
    [(("alpha",), "two corpora or more"), (("alpha", "alpha"), "two corpora or more"), (("a", "alpha"), "a.toml")],
)
def test_cross_refuses_what_is_no_pair(
    cross: Any, corpora: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cross(*corpora) == 2
    assert message in capsys.readouterr().err


def test_corpora_that_are_not_here_take_a_line_each_not_a_page_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    corpora = ["iemocap", "meld", "ravdess"]
    assert main(["cross", "--corpora", *corpora, "--encoder", str(saved("wav2vec2-group"))]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") <= len(corpora) + 1
    assert "iemocap to meld" in err
    assert "IEMOCAP was not found; looked in" in err


def test_an_unknown_option_is_a_usage_error(cross: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cross("alpha", "beta", more=("--heads", "linear"))
    assert "unrecognized arguments: --heads" in capsys.readouterr().err


def test_an_encoder_without_frames_is_refused(
    place: Path, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import BertConfig, BertModel, Wav2Vec2FeatureExtractor

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=10, **sizes)).save_pretrained(tmp_path / "text")
    Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / "text")
    corpora = [str(place / "alpha.toml"), str(place / "beta.toml")]
    assert main(["cross", "--corpora", *corpora, "--encoder", str(tmp_path / "text"), *options]) == 1
    err = capsys.readouterr().err
    assert err.count("(bert): no part of it makes frames") == 1  # both runs failed for it
    assert "Choose a speech encoder" in err


def test_extract_tells_as_json_what_it_did(place: Path, features: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--corpus", str(place / "alpha.toml"), "--data-dir", str(place / "alpha"), "--features", str(features)]
    assert main(["extract", *words, "--encoder", str(saved("wav2vec2-group")), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["corpus"], row["utterances"], row["left_out"]) == ("alpha", 32, {})
    assert (row["process"], row["processes"], row["features"]) == (0, 1, str(features))


def test_experiment_runs_a_file_and_prints_its_report(
    place: Path, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    series = write_series(tmp_path, PARTITION, corpus=place / "alpha.toml", encoder=saved("wav2vec2-group"))
    options[1] = str(place / "alpha")
    assert main(["experiment", series, *options]) == 0
    out = capsys.readouterr().out
    assert "\nTwo by two\n" in out
    assert "What a partition is worth" in out
    assert "2 of 2 runs are there" in out

    # The folds that cannot be run leave the others, which alone make no such table.
    drop = tmp_path / "dropped"
    drop.mkdir()
    make_corpus(drop, "alpha", n_each=2)
    series = write_series(
        tmp_path,
        PARTITION.replace('["random"]', '["fold9"]'),
        corpus=drop / "alpha.toml",
        encoder=saved("wav2vec2-group"),
    )
    options[1] = str(drop / "alpha")
    assert main(["experiment", series, *options]) == 1
    captured = capsys.readouterr()
    assert "1 of 2 runs are there, these failed:" in captured.out
    assert "fold9 folds by" in captured.err
    assert "no table: expected runs of one corpus and encoder under two kinds of folds" in captured.err
    drop_corpus(drop, "alpha")


def test_experiment_takes_the_precisions_of_one_encoder(
    place: Path, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PARTITION.replace('"partition"', '"benchmark"').replace(
        'folds = [["si"], ["random"]]', 'mixed-precision = ["no", "bf16"]'
    )
    series = write_series(tmp_path, text, corpus=place / "alpha.toml", encoder=saved("wav2vec2-group"))
    options[1] = str(place / "alpha")
    assert main(["experiment", series, "--json", *options]) == 0
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    columns = [name for name in table["rows"][0] if name.endswith("encoder")]
    assert columns == ["wav2vec2-group, bf16 encoder", "wav2vec2-group, float32 encoder"]
    float32, bf16 = (table["rows"][0][column] for column in reversed(columns))
    assert abs(float32 - bf16) < 10


def test_a_report_that_does_not_exist_is_refused_before_the_work(
    place: Path, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PARTITION.replace('"partition"', '"partitions"')
    series = write_series(tmp_path, text, corpus=place / "alpha.toml", encoder=saved("wav2vec2-group"))
    assert main(["experiment", series, *options]) == 2
    assert "no report of kind 'partitions'; did you mean 'partition'" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_experiments_are_listed_with_their_titles(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiment", "list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert {"intra_corpus", "cross_corpus", "layers", "label_noise", "partition", "unseen_languages"} <= set(lines)
    assert "every encoder on every corpus" in lines["intra_corpus"]
    assert main(["experiment", "list", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(lines)
    assert main(["experiment", "layer"]) == 2
    assert "did you mean 'layers'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def runs(place: Path, features: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished runs of every kind: a pair each way, all layers of alpha."""
    folder = tmp_path_factory.mktemp("runs")
    common = ["--encoder", str(saved("wav2vec2-group")), "--head", "linear"]
    common += ["--features", str(features), "--output", str(folder)]
    corpora = [str(place / "alpha.toml"), str(place / "beta.toml")]
    assert main(["cross", "--corpora", *corpora, "--data-dir", str(place), *common]) == 0
    assert main(["probe", "--corpus", corpora[0], "--data-dir", str(place / "alpha"), "--layers", "all", *common]) == 0
    return folder


@pytest.mark.parametrize("kind", ["benchmark", "cross", "layers", "languages"])
def test_reports_are_printed_as_text_markdown_and_json(
    runs: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", kind, str(runs)]) == 0
    text = capsys.readouterr().out
    assert main(["report", kind, str(runs), "--markdown"]) == 0
    markdown = capsys.readouterr().out
    assert main(["report", kind, str(runs), "--json"]) == 0
    tables = json.loads(capsys.readouterr().out)
    for table in tables:
        assert table["title"] in text
        assert table["title"] in markdown
        bounds = {f"{name} {end}" for name in table["rows"][0] for end in ("from", "to")}
        columns = [name for name in table["rows"][0] if name not in bounds]
        assert f"| {' | '.join(columns)} |" in markdown


@pytest.mark.parametrize("kind", ["cross", "layers"])
def test_figures_are_drawn(runs: Path, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", kind, str(runs), "--figure", str(tmp_path / "figure.png")]) == 0
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_reported_is_refused(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "benchmark", str(runs), "--figure", str(tmp_path / "figure.png")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "figures are drawn of layers, cross, noise, not of benchmark" in captured.err
    assert main(["report", "partition", str(runs)]) == 2
    assert "--folds random" in capsys.readouterr().err
    assert main(["report", "benchmark", str(tmp_path)]) == 2
    assert "expected finished runs" in capsys.readouterr().err
