"""What trackers are told: through accelerate's own classes, with a stand-in for the package that keeps it."""

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from accelerate import tracking as trackers
from accelerate.utils import LoggerType

from emobox_hf.api.tracking import run_and_report
from emobox_hf.cli.main import main
from emobox_hf.errors import InputError
from emobox_hf.results import read_record


class Wandb(types.ModuleType):
    """The functions of wandb that accelerate calls; keeps what it is told."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.started: dict[str, Any] = {}
        self.settings: dict[str, Any] = {}
        self.logged: list[tuple[int, dict[str, Any]]] = []
        self.is_finished = False
        self.config = types.SimpleNamespace(update=lambda values, **_: self.settings.update(values))

    def init(self, **settings: Any) -> "Wandb":
        self.started = settings
        return self

    def log(self, values: dict[str, Any], step: int) -> None:
        self.logged.append((step, values))

    def Image(self, picture: Any) -> Any:  # noqa: N802, wandb's name
        return picture

    def finish(self) -> None:
        self.is_finished = True


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Wandb:
    module = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.setattr(trackers, "_available_trackers", [LoggerType.WANDB])
    return module


def test_a_tracker_is_told_settings_curves_scores_and_the_confusion(request_for: Any, wandb: Wandb) -> None:
    folder = run_and_report(request_for(head="emobox", seeds=(0, 1), folds=("fold1",), epochs=3, report_to=("wandb",)))
    record = read_record(folder)
    assert wandb.started == {"project": "emobox", "name": record.settings.folder, "dir": str(folder)}
    assert wandb.settings["encoder.identity"] == record.settings.encoder.identity
    assert wandb.settings["probe.learning_rates"] == "0.001 0.0001"
    assert wandb.settings["corpora.0.name"] == "polish"
    assert all(isinstance(value, str | int | float | bool) for value in wandb.settings.values())
    steps = [step for step, _ in wandb.logged]
    assert steps == [1, 2, 3, 4, 4]  # wandb drops what comes after a later step
    curves, scores, picture = [values for _, values in wandb.logged[:3]], wandb.logged[3][1], wandb.logged[4][1]
    assert all(len(values) == 2 * 2 * 2 for values in curves)  # seeds, learning rates; UA and loss
    for fold in record.folds:
        for candidate in fold.candidates:
            rate = f"{fold.fold}/seed {fold.seed}/learning_rate {candidate['choice']['learning_rate']:g}"
            best = candidate["choice"]["epoch"] - 1
            assert curves[best][f"validation ua/{rate}"] == candidate["validation_ua"]
            assert curves[best][f"validation loss/{rate}"] == candidate["validation_loss"]
            assert curves[-1][f"validation ua/{rate}"] == candidate["last_validation_ua"]
        assert scores[f"test ua/{fold.fold}/seed {fold.seed}"] == fold.scores["ua"]
    assert scores["test/ua"] == record.summary["ua"].mean
    pytest.importorskip("matplotlib")
    (pixels,) = picture["confusion"]
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.std() > 0
    assert wandb.is_finished


def test_layers_are_steps_where_all_are_probed(request_for: Any, wandb: Wandb) -> None:
    folder = run_and_report(request_for(layer="all", folds=("fold1",), report_to=("wandb",)))
    record = read_record(folder)
    layers = [line for line in record.layers if line.layer != "weighted"]
    assert [step for step, _ in wandb.logged][: len(layers)] == [line.layer for line in layers]
    for (_, values), line in zip(wandb.logged, layers, strict=False):
        assert values["layers ua/test"] == pytest.approx(line.scores["ua"])
        assert values["layers ua/validation"] == pytest.approx(line.validation_ua)


def test_reporting_changes_no_run_and_a_finished_one_is_not_told(
    request_for: Any, wandb: Wandb, caplog: pytest.LogCaptureFixture
) -> None:
    folder = run_and_report(request_for(folds=("fold1",)))
    assert not wandb.logged
    with caplog.at_level("INFO", logger="emobox_hf"):
        assert run_and_report(request_for(folds=("fold1",), report_to=("wandb",))) == folder
    assert not wandb.logged
    assert "was finished before" in caplog.text
    run_and_report(request_for(folds=("fold1",), report_to=("wandb",), overwrite=True))
    assert wandb.logged


def test_a_tracker_that_is_not_there_is_known_before_any_work(
    request_for: Any, wandb: Wandb, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=r"--report-to trackio: it is not installed; `pip install trackio`"):
        run_and_report(request_for(report_to=("wandb", "trackio")))
    assert not (tmp_path / "runs").exists()
    with pytest.raises(SystemExit):
        main(["probe", "--corpus", "polish", "--encoder", "x", "--report-to", "wanbd"])
    assert "did you mean 'wandb'" in capsys.readouterr().err


def test_tensorboard_s_files_lie_in_the_run_s_folder(request_for: Any) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = run_and_report(request_for(head="emobox", folds=("fold1",), epochs=3, report_to=("tensorboard",)))
    (events,) = folder.glob("emobox/events*")
    found = EventAccumulator(str(events)).Reload()
    (ua,) = found.Scalars("test/ua")
    assert ua.value == pytest.approx(read_record(folder).summary["ua"].mean)
    assert len(found.Scalars("validation ua/fold1/seed 0/learning_rate 0.001")) == 3
    assert "confusion" in found.Tags()["images"]
