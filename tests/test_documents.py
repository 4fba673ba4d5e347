"""README.md and CONTRIBUTING.md: what they name is there, what is there they name."""

import argparse
import json
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emobox_hf.cli.main import build_parser, check_config, main
from emobox_hf.experiments.request import parse_request
from emobox_hf.report.kinds import KINDS


def read(checkout: Path, name: str) -> str:
    return (checkout / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next of its level or above."""
    level = heading.partition(" ")[0]
    return re.split(rf"^#{{1,{len(level)}}} ", text.partition(f"\n{heading}\n")[2], flags=re.MULTILINE)[0]


def test_every_file_that_a_change_belongs_in_is_there(checkout: Path) -> None:
    table = section(read(checkout, "CONTRIBUTING.md"), "## Where a change belongs")
    paths = re.findall(r"`([\w./-]+/[\w./-]*|[\w-]+\.py)`", table)
    assert len(paths) > 30
    tops = (checkout, checkout / "emobox_hf")
    assert [path for path in sorted(paths) if not any((top / path).exists() for top in tops)] == []
    named = re.findall(r"`(\w+)` (?:in|of) `([\w./]+\.py)`", table)
    assert {"SCORES", "HEADS", "ValidationRule"} <= {name for name, _ in named}
    assert [one for one in named if one[0] not in read(checkout / "emobox_hf", one[1])] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_link_leads_somewhere(checkout: Path, name: str) -> None:
    targets = re.findall(r"\]\((?!http)([^)#]+)(#[^)]*)?\)", read(checkout, name))
    assert targets
    for path, anchor in targets:
        assert (checkout / path).exists(), path
        if anchor:
            titles = re.findall(r"^#+ (.*)$", read(checkout, path), flags=re.MULTILINE)
            assert anchor in {"#" + re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_every_wing_is_in_both_tables(checkout: Path) -> None:
    wings = {path.parent.name for path in (checkout / "emobox_hf").glob("*/__init__.py")}
    readme = section(read(checkout, "README.md"), "## Where things are")
    assert set(re.findall(r"^\| \[`(\w+)`\]", readme, flags=re.MULTILINE)) == wings
    tree = section(read(checkout, "CONTRIBUTING.md"), "## The house")
    assert set(re.findall(r"^  (\w+)/ ", tree, flags=re.MULTILINE)) == wings


def test_the_readme_lists_every_verb_and_no_other(checkout: Path) -> None:
    listing = section(read(checkout, "README.md"), "## The command line").split("```")[1]
    named = {
        word
        for line in re.findall(r"^emobox (.*?)(?:  |$)", listing, flags=re.MULTILINE)
        for word in re.split(r", ", re.sub(r" .*", "", line) if ", " not in line else line)
    }
    (verbs,) = (action.choices for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    actions = {"ls", "gc"}  # of `store`; verify is a verb too
    assert {word.removeprefix("store ") for word in named} - actions == set(verbs) - {"store"}
    assert "emobox store ls, verify, gc" in listing


def test_the_readme_lists_every_kind_of_report(checkout: Path) -> None:
    table = section(read(checkout, "README.md"), "### Many runs, one table")
    assert re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE) == list(KINDS)


def test_the_readme_s_file_of_defaults_is_one(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = section(read(checkout, "README.md"), "### Defaults of your own").split("```toml\n")[1].split("```")[0]
    (tmp_path / "emobox.toml").write_text(example, encoding="utf-8")
    monkeypatch.setenv("EMOBOX_CONFIG", str(tmp_path / "emobox.toml"))
    check_config()
    request = parse_request(["--corpus", "iemocap"], prog="p")
    assert (request.encoder.name, request.head.seeds) == ("microsoft/wavlm-large", (0, 1, 2))
    assert (request.places.output, request.features.output_norm) == (tmp_path / "runs", True)


@pytest.fixture
def own_specs(checkout: Path) -> dict[str, str]:
    """The two specs of CONTRIBUTING's five steps: labels in paths, labels in a CSV table."""
    steps = section(read(checkout, "CONTRIBUTING.md"), "## A corpus of your own, in five steps")
    whole, discovery = (textwrap.dedent(block) for block in re.findall(r"```toml\n(.*?) *```", steps, re.DOTALL))
    before, after = whole.split("[discovery]")[0], whole[whole.index("[labels]") :]
    return {"paths": whole, "tables": f"{before}{discovery}\n{after}"}


@pytest.mark.parametrize("kind", ["paths", "tables"])
def test_a_corpus_of_one_s_own_is_found_by_the_spec_that_contributing_shows(
    kind: str, own_specs: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.toml").write_text(own_specs[kind], encoding="utf-8")
    rows = [
        (f"s{s}", word, f"{word}_{s}{i}.wav") for s in range(1, 5) for word in ("angry", "neutral") for i in range(3)
    ]
    for speaker, _, name in rows:
        path = tmp_path / "data" / ("audio" if kind == "tables" else speaker) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros(400), 16_000)
    if kind == "tables":
        lines = ["filename,emotion,who", *(f"{name},{word},{speaker}" for speaker, word, name in rows)]
        (tmp_path / "data" / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    spec, folder, table = str(tmp_path / "mine.toml"), ["--data-dir", str(tmp_path / "data")], str(tmp_path / "m.csv")
    assert main(["check", spec, *folder]) == 0
    assert "found       24 of 24 utterances" in capsys.readouterr().out
    assert main(["manifest", spec, *folder, "--out", table]) == 0
    assert main(["split", table, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out.partition("\n")[2])) == 4  # what step 3 puts into the spec


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_nothing_is_installed_by_a_name_under_which_it_is_not_published(checkout: Path, name: str) -> None:
    assert "pip install emobox-hf" not in read(checkout, name)
    assert "emobox-hf[" not in read(checkout, name)
