"""A score that is added to the table of scores, and to nothing else, stands in records and in every table."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emobox_hf.cli.main import main
from emobox_hf.errors import InputError
from emobox_hf.experiments.request import make_request
from emobox_hf.experiments.run import run_probe
from emobox_hf.report.kinds import ReportOptions, make_tables
from emobox_hf.report.run_table import run_table
from emobox_hf.results import read_prediction_table, read_record
from emobox_hf.scores import compute_scores


@pytest.fixture
def run(polish: Path, encoder: Path, features: Path, tmp_path: Path) -> Any:
    """A function that runs a probe on two folds and gives its folder."""

    def run_one(**options: Any) -> Path:
        places = {"data_dir": polish, "features": features, "output": tmp_path / "runs"}
        settings = {"corpus": "polish", "encoder": str(encoder), "head": "linear", "folds": ("fold1", "fold2")}
        return run_probe(make_request(**places | settings | options))

    return run_one


def test_a_new_score_stands_in_the_record_and_in_the_tables(
    speaker_ua: str, run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run(layer="all")
    record = read_record(folder)
    columns = read_prediction_table(folder, record).to_pydict()
    rows = [row for row, fold in enumerate(columns["fold"]) if fold == "fold1"]
    references, predictions = (
        [record.labels.index(columns[name][row]) for row in rows] for name in ("reference", "prediction")
    )
    speakers = [columns["speaker"][row] for row in rows]
    expected = compute_scores(references, predictions, len(record.labels), speakers=speakers).values[speaker_ua]
    by_fold = [fold.scores[speaker_ua] for fold in record.folds]
    assert by_fold[0] == expected
    assert record.summary[speaker_ua].mean == pytest.approx(np.mean(by_fold))
    assert all(speaker_ua in line.scores for line in record.layers)
    lines = run_table(record).splitlines()
    assert sum("UA by speaker" in line for line in lines) == 2  # of folds, of layers
    shown = f"{100 * np.mean(by_fold):.1f}"
    assert shown in next(line for line in lines if line.startswith("mean"))
    capsys.readouterr()
    assert main(["report", "benchmark", str(tmp_path / "runs"), "--score", speaker_ua, "--json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)
    assert table["title"] == "UA by speaker in percent, mean over published folds"
    others = ("corpus", "classes", "majority", "paper, best")
    score, low, high = (cell for name, cell in table["rows"][0].items() if name not in others)
    assert score == pytest.approx(100 * np.mean(by_fold))
    assert (low, high) == (None, None)  # of two test speakers none can be estimated
    for options in (ReportOptions(score=speaker_ua), ReportOptions()):
        first, _ = make_tables("languages", [tmp_path / "runs"], options)
        assert first.title.endswith("in percent by language")


def test_records_that_are_older_than_a_score_are_read_and_named(
    run: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = run()
    speaker_ua = request.getfixturevalue("speaker_ua")
    assert "UA by speaker" in run_table(read_record(folder))
    assert make_tables("benchmark", [folder])[0].rows
    with pytest.raises(InputError, match=f"none of 1 runs .* has the score {speaker_ua}: .* --overwrite"):
        make_tables("benchmark", [folder], ReportOptions(score=speaker_ua))


def test_a_score_that_no_table_shows_is_refused_with_a_suggestion() -> None:
    with pytest.raises(InputError, match="no score 'macrof1'; did you mean 'macro_f1'"):
        ReportOptions(score="macrof1")
