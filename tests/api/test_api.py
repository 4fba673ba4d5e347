"""The package from Python: names, options and defaults of the command line; runs as objects; a pipeline."""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from speech import synthesize, write_wav

import emobox_hf
from emobox_hf import InputError, Run, load_run, load_runs, pipeline, predict, probe
from emobox_hf.cli.main import main
from emobox_hf.experiments.prediction_request import FileChoice, ProbeChoice
from emobox_hf.experiments.request import SECTIONS
from emobox_hf.options import list_options
from emobox_hf.results import RECORD


def test_every_name_is_there_and_none_is_loaded_before_it_is_asked_for() -> None:
    for name in emobox_hf.__all__:
        assert getattr(emobox_hf, name) is not None
        assert name in dir(emobox_hf)
    with pytest.raises(AttributeError, match="no attribute 'prob'"):
        emobox_hf.prob  # noqa: B018
    code = (
        "import sys, emobox_hf; assert not any(n.startswith('emobox_hf.api') for n in sys.modules);"
        "from emobox_hf import load_run, predict, probe; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("function", "sections"),
    [(probe, SECTIONS.values()), (predict, (ProbeChoice, FileChoice)), (pipeline, (ProbeChoice,))],
)
def test_options_are_those_of_the_command_line(function: Any, sections: Any) -> None:
    parameters = inspect.signature(function).parameters.values()
    keywords = [one.name for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY]
    assert keywords == [name for section in sections for name in list_options(section)]
    assert not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters)
    assert all(f"    {name}: " in function.__doc__ for name in keywords)


def test_a_run_from_python_is_the_run_of_the_command_line(
    run: Run, options: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before = (run.folder / RECORD).stat().st_mtime_ns
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    assert main(["probe", *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["folder"] == str(run.folder)
    assert (run.folder / RECORD).stat().st_mtime_ns == before  # it was finished
    assert main(["probe", *words]) == 0
    assert capsys.readouterr().out.startswith(str(run))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"corpsu": "x"}, "no option 'corpsu'; did you mean 'corpus'"),
        ({"head": "liner"}, "head: no 'liner'; did you mean 'linear'"),
        ({"on_error": "go"}, "on_error: no 'go'; known: skip, stop"),
        ({"epochs": "many"}, "epochs: expected int, found 'many'"),
        ({"epochs": 1.5}, "epochs: expected int, found 1.5"),
        ({"output_norm": 1}, "output_norm: expected bool, found 1"),
        ({"seeds": True}, "seeds: expected int, found True"),
        ({"folds": [1.5]}, "folds: expected str, found 1.5"),
        ({"train": "polish"}, "give --corpus, or --train and --test"),
        ({"layer": "top"}, "layer is 'last', 'all' or a whole number, not 'top'"),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused_with_what_is_meant(
    options: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as raised:
        probe(**options | change)
    assert message in str(raised.value)


def test_values_may_be_as_people_write_them_in_python(run: Run, options: dict[str, Any]) -> None:
    loose = {
        "folds": "fold1",
        "seeds": np.int64(0),
        "layer": 1,
        "max_duration_s": 30,
        "data_dir": Path(options["data_dir"]),
    }
    one = probe(**options | loose)
    assert one.settings.partition.folds == ("fold1",)
    assert (one.settings.encoder.layer, one.settings.audio.max_duration_s) == ("1", 30.0)
    assert one.settings.digest == probe(**options | {"folds": ["fold1"], "layer": "1"}).settings.digest


def test_defaults_of_one_s_own_hold_in_python_too(
    run: Run, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["[defaults]", "save_probe = false", *(f'{name} = "{value}"' for name, value in options.items())]
    (tmp_path / "mine.toml").write_text("\n".join(line for line in lines if "corpus" not in line.split(" ")[0]))
    monkeypatch.setenv("EMOBOX_CONFIG", str(tmp_path / "mine.toml"))
    found = probe(corpus=options["corpus"])
    assert found.folder == run.folder
    again = probe(corpus=options["corpus"], output=tmp_path / "elsewhere")
    assert again.folder.is_relative_to(tmp_path / "elsewhere")
    assert not list(again.folder.glob("*.safetensors"))
    kept = probe(corpus=options["corpus"], output=tmp_path / "third", save_probe=True)
    assert list(kept.folder.glob("*.safetensors"))


def test_a_run_gives_its_scores_tables_and_predictions(run: Run) -> None:
    frame = run.predictions.to_pandas()
    assert len(frame) == 80
    assert run.scores["ua"] == run.record.summary["ua"].mean
    accuracy = (frame.prediction == frame.reference).groupby(frame.fold).mean().mean()
    assert run.scores["wa"] == pytest.approx(accuracy)
    low, high = run.intervals["ua"] or (0, 0)
    assert low < run.scores["ua"] < high
    counts = run.confusion()
    assert counts.shape == (4, 4)
    for row, reference in enumerate(run.labels):
        for column, guess in enumerate(run.labels):
            found = ((frame.reference == reference) & (frame.prediction == guess)).sum()
            assert counts[row, column] == found
    table = run.table().to_pandas()
    assert table["fold"].tolist() == ["fold1", "fold2", "fold3", "fold4", "mean"]
    assert table["UA"].iloc[-1] == pytest.approx(100 * run.scores["ua"])
    assert table["UA from"].iloc[-1] == pytest.approx(100 * low)
    html = run._repr_html_()
    assert html.count("<tr>") == 6
    assert "toy by tiny, head linear" in html
    assert f"UA {100 * run.scores['ua']:.1f} %" in repr(run)


def test_runs_are_found_below_folders(run: Run, options: dict[str, Any], tmp_path: Path) -> None:
    assert load_run(run.folder).record == load_run(run.folder / RECORD).record == run.record
    output = tmp_path / "two"
    one = probe(**options | {"output": output, "folds": "fold1"})
    assert load_run(output).folder == one.folder
    two = probe(**options | {"output": output, "folds": "fold2"})
    with pytest.raises(InputError, match="expected one run, found 2"):
        load_run(output)
    assert [found.folder for found in load_runs(output, output / "toy")] == [one.folder, two.folder]


def test_a_pipeline_takes_and_gives_what_that_of_transformers_does(run: Run, encoder: Path, tmp_path: Path) -> None:
    sound = synthesize("Happy", "toy-1", "x")
    write_wav(tmp_path / "x.wav", sound)
    classify = pipeline(run, encoder=encoder)
    by_path, by_text, by_array, by_row = classify(
        [
            tmp_path / "x.wav",
            str(tmp_path / "x.wav"),
            sound,
            {"array": sound.astype(np.float64), "sampling_rate": 16_000, "path": None},
        ]
    )
    assert by_path == by_text
    assert [one["label"] for one in by_path] == [one["label"] for one in by_array] == [one["label"] for one in by_row]
    scores = [one["score"] for one in by_path]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1, abs=1e-5)
    found = predict(run, tmp_path / "x.wav", encoder=encoder)
    assert repr(found) == "<Predictions of 1 file in 1 window, 0 files left out>"
    assert found._repr_html_().count("<tr") == 2
    (row,) = found.table.to_pylist()
    assert {one["label"]: one["score"] for one in by_path} == pytest.approx(
        {label: row[f"p_{label}"] for label in run.labels}, abs=1e-3
    )
    (best,) = classify(str(tmp_path / "x.wav"), top_k=1)
    assert best == by_path[0]
    long = classify(np.tile(sound, 5), window_s=0.4, hop_s=0.4, top_k=None)
    assert {one["label"]: one["score"] for one in long} == pytest.approx(
        {one["label"]: one["score"] for one in by_path}, abs=1e-2
    )
    resampled = classify({"raw": np.repeat(sound, 2), "sampling_rate": 32_000})
    assert len(resampled) == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((2, 100), dtype=np.float32), "one channel"),
        (np.full(16_000, np.nan), "finite"),
        ({"array": np.zeros(100)}, "sampling_rate"),
        (np.zeros(10), "gives no frame"),
        ("nowhere.wav", "no such file"),
    ],
    ids=str,
)
def test_a_pipeline_refuses_what_is_no_sound(run: Run, encoder: Path, wrong: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pipeline(run, encoder=encoder)(wrong)


INTERRUPTED = """
import signal, sys, threading
from emobox_hf import probe
from emobox_hf.encoders.encoder import Encoder
options = {options!r}
encode, calls = Encoder.encode, []
def slow(self, waveforms):
    calls.append(len(waveforms))
    if len(calls) == 2:
        signal.raise_signal(signal.SIGINT)
    return encode(self, waveforms)
Encoder.encode = slow
try:
    probe(**options)
except KeyboardInterrupt:
    print("stopped", len(calls), threading.active_count())
n = sum(calls)
run = probe(**options)
print("again", sum(calls) - n, run.scores["ua"])
"""


def test_ctrl_c_leaves_a_kernel_that_can_be_asked_again(run: Run, options: dict[str, Any], tmp_path: Path) -> None:
    """The second call goes on from what the first one stored, and gives what an undisturbed one does."""
    asked = options | {"features": str(tmp_path / "features"), "output": str(tmp_path / "runs"), "batch_s": 8.0}
    code = INTERRUPTED.format(options={name: str(v) if isinstance(v, Path) else v for name, v in asked.items()})
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    stopped, again = done.stdout.splitlines()
    assert stopped.startswith("stopped 2 ")
    assert int(again.split()[1]) < 80
    assert float(again.split()[2]) == run.scores["ua"]
