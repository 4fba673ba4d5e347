"""How the command line is started, what it says of mistakes, its help, its defaults and its completion."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import run_probe
from emobox_hf.cli.main import build_parser, main
from emobox_hf.defaults import apply_defaults
from emobox_hf.experiments.request import build_parser as build_probe_parser
from emobox_hf.experiments.request import make_request, parse_request

LAUNCH = [sys.executable, "-m", "accelerate.commands.launch", "--cpu"]


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, env={**os.environ, **variables}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "start",
    [
        [sys.executable, "-m", "emobox_hf"],
        [sys.executable, "-m", "emobox_hf.cli.main"],
        [*LAUNCH, "-m", "emobox_hf"],
        [*LAUNCH, "-m", "emobox_hf.cli.main"],
    ],
    ids=lambda words: " ".join(words[1:]),
)
def test_every_way_to_start_it_does_the_work_and_gives_the_exit_code(start: list[str]) -> None:
    listed = run(*start, "list")
    assert listed.returncode == 0, listed.stderr
    assert "iemocap" in listed.stdout
    wrong = run(*start, "show", "iemocapp")
    assert wrong.returncode != 0
    assert "did you mean 'iemocap'" in wrong.stderr


def test_an_installed_page_is_launched_as_a_module() -> None:
    outcome = run(*LAUNCH, "-m", "run_probe", "--corpus", "polsh", "--encoder", "x")
    assert outcome.returncode != 0
    assert "did you mean 'polish'" in outcome.stderr


def test_without_a_verb_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "check" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["chekc", "polish"], "no verb 'chekc'; did you mean 'check'"),
        (["help"], "emobox: no verb 'help'; `emobox --help` lists them\n"),
        (["--verison"], "did you mean '--version'"),
        (["check", "polish", "--data-dri", "x"], "did you mean '--data-dir'"),
        (["probe", "--corpus", "polish"], "required: --encoder"),
        (["probe", "--corpus", "polish", "--encodr", "x"], "no option '--encodr'; did you mean '--encoder'"),
        (["probe", "--corpus", "polish", "--encoder", "x", "--head", "lin"], "--head: no 'lin'; did you mean 'linear'"),
        (["store", "verfy"], "no action 'verfy'; did you mean 'verify'"),
        (["bench", "--parts", "probs"], "did you mean 'probes'"),
        (["list", "--encoder", "x"], "emobox list: unrecognized arguments: --encoder x; `emobox list --help`"),
        (["probe", "--encoder", "x"], "give --corpus, or --train and --test"),
        (["cross", "--corpora", "iemocap", "meld"], "required: --encoder"),
        (["cross", "--corpra", "iemocap"], "did you mean '--corpora'"),
        (["cross"], "required: --corpora"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_with_a_suggestion(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        main(words)
    assert raised.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from parsers(one)


@pytest.mark.parametrize("parser", [*parsers(build_parser()), build_probe_parser("emobox probe")], ids=lambda p: p.prog)
def test_help_shows_defaults_that_say_something(parser: argparse.ArgumentParser) -> None:
    text = " ".join(parser.format_help().split())
    for nothing in ("None", "[]", "()", "False", ""):
        assert f"(default: {nothing})" not in text
    named = [action for action in parser._actions if action.option_strings and action.default == "soxr"]
    assert not named or "(default: soxr)" in text


CONFIG = """
[defaults]
data-dir = "corpora"
encoder = "wavlm-base"
seeds = [1, 2]
output_norm = true
max_duration_s = 20
folds_dir = "lists"
with_contaminated = true
model = "~/model"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "emobox.toml"
    path.write_text(CONFIG, encoding="utf-8")
    monkeypatch.setenv("EMOBOX_CONFIG", str(path))
    return path


def test_defaults_come_from_the_file_and_the_command_line_goes_before_them(config: Path) -> None:
    places = {name: config.parent / folder for name, folder in (("data_dir", "corpora"), ("folds_dir", "lists"))}
    options = {**places, "seeds": (1, 2), "output_norm": True, "max_duration_s": 20.0}
    expected = make_request(corpus="polish", encoder="wavlm-base", **options)
    assert parse_request(["--corpus", "polish"], prog="p") == expected
    chosen = parse_request(["--corpus", "polish", "--encoder", "x", "--seeds", "5"], prog="p")
    assert (chosen.encoder.name, chosen.head.seeds) == ("x", (5,))


def test_every_verb_takes_the_defaults_that_it_has(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "polish"]) == 2
    assert str(config.parent / "corpora") in capsys.readouterr().err
    parser = build_parser()
    apply_defaults(parser)
    label = parser.parse_args(["label", "polish", "--out", "x"])
    assert (label.model, label.folds_dir) == (str(Path.home() / "model"), config.parent / "lists")


def test_a_flag_of_the_file_is_taken_back_on_the_command_line(config: Path) -> None:
    assert not parse_request(["--corpus", "polish", "--no-output-norm"], prog="p").features.output_norm
    parser = build_parser()
    apply_defaults(parser)
    assert parser.parse_args(["report", "benchmark"]).with_contaminated
    assert not parser.parse_args(["report", "benchmark", "--no-with-contaminated"]).with_contaminated


def test_of_options_that_exclude_each_other_the_file_says_none(config: Path) -> None:
    parser = build_parser()
    apply_defaults(parser)
    words = ["balance", "polish", "--out", "x", "--predictions", "y"]
    assert parser.parse_args(words).model is None


def test_a_precision_that_the_launcher_was_given_goes_before_the_file(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("[defaults]\nencoder = './local'\nmixed_precision = 'fp16'\n", encoding="utf-8")
    for told, expected in (("bf16", "bf16"), ("no", "fp16"), ("", "fp16")):  # accelerate says no where nothing is said
        monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", told)
        encoder = parse_request(["--corpus", "polish"], prog="p").encoder
        assert encoder.mixed_precision == expected
    assert encoder.name == str(config.parent / "local")


def test_help_says_which_defaults_are_of_the_file(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["probe", "--help"], ["check", "--help"]):
        with pytest.raises(SystemExit, match="0"):
            main(words)
        text = capsys.readouterr().out.replace("\n", "")
        assert f"Defaults from {config}" in text.replace("  ", " ")
        assert ("encoder" in text.partition("Defaults from")[2]) == (words[0] == "probe")


def test_a_file_in_the_current_folder_is_found(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMOBOX_CONFIG")
    monkeypatch.chdir(config.parent)
    assert parse_request(["--corpus", "polish"], prog="p").encoder.name == "wavlm-base"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[defaults]\nencoder = true", "encoder: expected a value such as the command line takes, found True"),
        ("[defaults]\npublic = true", "'public' takes no default from a file"),
        ("[defaults]\ni-have-the-right = true", "'i-have-the-right' takes no default from a file"),
        ("[defaults]\ncorpus = 'polish'", "'corpus' takes no default from a file"),
        ("[defaults]\njson = true", "'json' takes no default from a file"),
        ("[defaults]\nencodr = 'x'", "no option 'encodr'; did you mean 'encoder'"),
        ("[defaults]\nhead = 'liner'", "head: expected one of emobox, linear, found 'liner'"),
        ("[defaults]\nepochs = [1]", "epochs: expected one value, found [1]"),
        ("[defaults]\nepochs = 'many'", "epochs: invalid literal"),
        ("[defaults]\noutput-norm = 'yes'", "output_norm: expected true or false"),
        ("encoder = 'x'", "expected one table, [defaults], found 'encoder'"),
        ("[defaults", "not a TOML file"),
    ],
)
def test_a_wrong_default_is_refused(config: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(text, encoding="utf-8")
    words = ["--corpus", "polish", "--encoder", "x"]
    assert main(["probe", *words]) == 2
    assert message in capsys.readouterr().err
    assert run_probe.main(words) == 2  # the page that accelerate launches refuses it too
    assert message in capsys.readouterr().err


def test_a_named_file_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMOBOX_CONFIG", "/nowhere/emobox.toml")
    assert main(["list"]) == 2
    assert "$EMOBOX_CONFIG is /nowhere/emobox.toml" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("emobox che", {"check"}),
        ("emobox check iem", {"iemocap"}),
        ("emobox probe --encoder wavlm-b", {"wavlm-base", "wavlm-base-plus"}),
        ("emobox probe --max", {"--max-duration-s"}),
        ("emobox probe --head l", {"linear"}),
        ("emobox probe --corpus polish --folds si", {"si", *(f"si_fold{number}" for number in range(1, 6))}),
        ("emobox audit emodb fold", {f"fold{number}" for number in range(1, 6)}),
        ("emobox report lay", {"layers"}),
        ("emobox experiment polish_l", {"polish_layers"}),
        ("emobox fetch pol", {"polish"}),
    ],
)
def test_a_shell_is_told_what_can_follow(line: str, expected: set[str], tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    variables = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE_COMP_WORDBREAKS": " ",
        "_ARGCOMPLETE_IFS": "\n",
    }
    outcome = run(sys.executable, "-m", "emobox_hf", **variables)
    assert outcome.returncode == 0, outcome.stderr
    assert {word.strip() for word in answer.read_text(encoding="utf-8").split("\n") if word} == expected
