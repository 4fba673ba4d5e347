"""What verbs say on stderr: by default, with `--quiet` and `--verbose`, on other processes, of retries."""

import argparse
import io
import json
import logging
from pathlib import Path

import pytest
from speech import make_polish

from emobox_hf.cli.logs import RETRYING, Shown, speaking
from emobox_hf.cli.main import build_parser, main
from emobox_hf.corpora.spec import load_spec
from emobox_hf.experiments.launch import speaks
from emobox_hf.experiments.request import build_parser as build_probe_parser
from emobox_hf.progress import LOGGER, Pace


class Clock:
    """Every look at it is ten seconds later."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 10
        return self.now


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stage seems to be long."""
    monkeypatch.setattr("emobox_hf.progress.PACE", Pace(clock=Clock(), tick_s=0))


@pytest.fixture
def polish(tmp_path: Path) -> Path:
    root = tmp_path / "polish"
    make_polish(root, load_spec("polish"))
    return root


@pytest.mark.usefixtures("slow")
def test_a_piped_run_tells_how_far_it_is_and_its_answer_is_machine_readable(
    polish: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["check", "polish", "--data-dir", str(polish), "--audio", "--json"]
    assert main(words) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["complete"]
    stages = [line for line in told.err.splitlines() if line.startswith("decode polish: ")]
    assert stages[0].startswith("decode polish: 1 of 450 utterances, 0.1 utterances a second, ")
    assert len(stages) == 2 + 449 // 3
    assert stages[-1].startswith("decode polish: done, 450 of 450 utterances in 1 h 15 min")
    assert main([*words, "--quiet"]) == 0
    quiet = capsys.readouterr()
    assert (quiet.out, quiet.err) == (told.out, "")


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize(
    "variables", [{"RANK": "1", "WORLD_SIZE": "2"}, {"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2"}]
)
def test_other_processes_of_a_launch_tell_nothing(
    variables: dict[str, str], polish: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["check", "polish", "--data-dir", str(polish), "--audio"]) == 0
    assert capsys.readouterr().err == ""


def test_the_first_process_speaks() -> None:
    assert speaks({})
    assert speaks({"RANK": "0", "WORLD_SIZE": "2"})
    assert not speaks({"RANK": "1", "WORLD_SIZE": "2"})
    assert speaks({"RANK": "one", "WORLD_SIZE": "2"})  # refused elsewhere


def test_errors_are_told_to_the_quiet_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "polish", "--quiet", "--data-dir", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.startswith("emobox check: ")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["list"], {}),
        (["--quiet", "list"], {"loudness": "quiet"}),
        (["list", "--verbose"], {"loudness": "verbose"}),
        (["--quiet", "store", "ls", "--verbose"], {"loudness": "verbose"}),
        (["--quiet", "probe", "--corpus", "x"], {"loudness": "quiet"}),
    ],
    ids=lambda value: " ".join(value),
)
def test_they_stand_before_or_after_the_verb(words: list[str], expected: dict[str, str]) -> None:
    parsed, _ = build_parser().parse_known_args(words)
    assert {name: value for name, value in vars(parsed).items() if name == "loudness"} == expected


def test_the_probe_runner_takes_them() -> None:
    words = ["--corpus", "polish", "--encoder", "x", "--quiet"]
    assert build_probe_parser("run_probe.py").parse_args(words).loudness == "quiet"


@pytest.mark.parametrize(
    ("loudness", "heard"),
    [("", ["error", "warning", "info"]), ("quiet", ["error"]), ("verbose", ["error", "warning", "info", "debug"])],
)
def test_levels(loudness: str, heard: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with speaking(argparse.Namespace(loudness=loudness)):
        for level in ("error", "warning", "info", "debug"):
            getattr(LOGGER, level)("%s", level)
    assert capsys.readouterr().err.split() == heard
    assert LOGGER.handlers == []
    assert LOGGER.level == logging.NOTSET


def test_names_that_a_terminal_would_obey_are_shown_with_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a\x1b]0;x\x07\u202egpj\udcfc é"
    with speaking(argparse.Namespace(loudness="")):
        print(name)
        LOGGER.warning("%s", name)
    shown = "a\\u001b]0;x\\u0007\\u202egpj\\udcfc é\n"
    assert capsys.readouterr() == (shown, shown)


def test_what_stdout_cannot_encode_is_escaped() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Shown(stream).write("→ a")
    stream.flush()
    assert stream.buffer.getvalue() == b"\\u2192 a"


def test_one_inside_another_says_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    with speaking(), speaking():
        logging.getLogger("emobox_hf.corpora").warning("once")
    assert capsys.readouterr().err == "once\n"


def say_five_tries() -> None:
    for number in range(1, 6):
        hub = logging.getLogger(RETRYING[0])
        hub.warning("'(ConnectError) refused' thrown while requesting HEAD https://huggingface.co/x")
        hub.warning(f"Retrying in {number}s [Retry {number}/5].")
    logging.getLogger(RETRYING[2]).warning("Retrying (Retry(total=2)) after connection broken by 'x': /y")


def test_many_tries_of_the_hub_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with speaking():
        say_five_tries()
        logging.getLogger(RETRYING[0]).error("something else")
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if "something else" not in line] == [
        "'(ConnectError) refused' thrown while requesting HEAD https://huggingface.co/x; trying again"
    ]
    assert all(logging.getLogger(name).filters == [] for name in RETRYING)


def test_the_verbose_are_told_of_every_try_and_the_quiet_of_none(capsys: pytest.CaptureFixture[str]) -> None:
    with speaking(argparse.Namespace(loudness="verbose")):
        say_five_tries()
    assert len(capsys.readouterr().err.splitlines()) == 11
    with speaking(argparse.Namespace(loudness="quiet")):
        say_five_tries()
    assert capsys.readouterr().err == ""


def test_a_file_of_defaults_says_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "emobox.toml"
    path.write_text("[defaults]\nquiet = true\n", encoding="utf-8")
    monkeypatch.setenv("EMOBOX_CONFIG", str(path))
    assert main(["list"]) == 2
    assert "'quiet' takes no default from a file" in capsys.readouterr().err
