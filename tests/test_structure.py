"""The shape of the package: who may import whom, what an import costs, what is generated."""

import ast
import configparser
import json
import subprocess
import sys
from pathlib import Path

import pytest

from emobox_hf.hub.cards import generated_files

# A module may import from strictly lower rungs and from its own wing.
RUNGS = {
    "cores": 0,
    "dataclass_reader": 0,
    "defaults": 0,
    "errors": 0,
    "files": 0,
    "memo": 0,
    "options": 0,
    "precision": 0,
    "processor": 0,
    "progress": 0,
    "sampling": 0,
    "text": 0,
    "web": 0,
    "corpora": 1,
    "scores": 1,
    "audio": 2,
    "encoders": 2,
    "features": 3,
    "inspection": 3,
    "probes": 3,
    "sources": 3,
    "results": 4,
    "experiments": 5,
    "hub": 5,
    "report": 5,
    "api": 6,
    "bench": 6,
    "metrics": 6,
    "loading_scripts": 6,
    "cli": 7,
    "__main__": 8,
    "run_probe": 8,
}
BASE = {
    "cores": {"cores"},
    "dataclass_reader": {"dataclass_reader", "errors"},
    "defaults": {"defaults", "options", "errors", "files"},
    "errors": {"errors"},
    "files": {"files", "errors"},
    "memo": {"memo", "errors", "files", "progress"},
    "options": {"options", "errors"},
    "precision": {"precision"},
    "processor": {"processor"},
    "progress": {"progress", "text"},
    "sampling": {"sampling"},
    "text": {"text"},
    "web": {"web", "errors"},
}
HOMES = {
    "torch": {"encoders", "features", "probes", "audio", "experiments", "bench", "sources"},
    "transformers": {"encoders", "bench", "sources"},
    "accelerate": {"experiments", "run_probe", "cli"},
    "datasets": {"hub", "metrics"},
    "evaluate": {"hub", "metrics"},
    "jinja2": {"report"},
    "matplotlib": {"report"},
    "opensmile": {"encoders"},
    "soundfile": {"audio"},
    "av": {"audio"},
    "sklearn": set(),
}


def sources(checkout: Path) -> list[Path]:
    folders = ("emobox_hf", "metrics", "loading_scripts")
    return [checkout / "run_probe.py", *(path for name in folders for path in sorted((checkout / name).rglob("*.py")))]


def wing_of(checkout: Path, path: Path) -> str:
    parts = path.relative_to(checkout).with_suffix("").parts
    return parts[0] if parts[0] != "emobox_hf" else parts[1]


def imports_of(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return modules


def test_imports_point_down_the_ladder(checkout: Path) -> None:
    wrong = []
    for path in sources(checkout):
        wing = wing_of(checkout, path)
        if wing == "__init__":
            continue
        for module in imports_of(path):
            head, _, rest = module.partition(".")
            target = rest.partition(".")[0] if head == "emobox_hf" else head
            if target not in RUNGS or target == wing:
                continue
            allowed = target in BASE[wing] if wing in BASE else RUNGS[target] < RUNGS[wing]
            if not allowed:
                wrong.append(f"{path.relative_to(checkout)} imports {module}")
    assert wrong == []


def test_each_library_is_used_where_it_belongs(checkout: Path) -> None:
    wrong = [
        f"{path.relative_to(checkout)} imports {module}"
        for path in sources(checkout)
        for module in imports_of(path)
        if wing_of(checkout, path) not in HOMES.get(module.partition(".")[0], {wing_of(checkout, path)})
    ]
    assert wrong == []


def test_the_sound_of_an_utterance_is_read_in_one_place(checkout: Path) -> None:
    """`audio.read_utterance`, and `AudioSettings.read_file` for what is no utterance.

    Else a reader may forget the segment, the channel or the resampler.
    """
    readers = [
        path.relative_to(checkout).as_posix()
        for path in sources(checkout)
        if "emobox_hf.audio.read_waveform" in imports_of(path)
    ]
    assert readers == ["emobox_hf/results/settings.py"]


def test_importing_the_package_loads_neither_torch_nor_datasets() -> None:
    code = "import json, sys, emobox_hf; print(json.dumps(sorted(sys.modules)))"
    loaded = {name.partition(".")[0] for name in json.loads(subprocess.check_output([sys.executable, "-c", code]))}
    assert not loaded & {"torch", "datasets", "evaluate", "transformers", "numpy", "pyarrow", "accelerate", "urllib3"}


def test_every_package_is_installed(checkout: Path) -> None:
    setup = configparser.ConfigParser()
    setup.read(checkout / "setup.cfg", encoding="utf-8")
    listed = set(setup["options"]["packages"].split())
    mapped = {"emobox_hf.metrics": "metrics", "emobox_hf.benchmarks": "benchmarks"}
    found = {
        ".".join(path.parent.relative_to(checkout).parts) for path in (checkout / "emobox_hf").rglob("__init__.py")
    }
    for package, folder in mapped.items():
        for path in (checkout / folder).rglob("__init__.py"):
            found.add(".".join((package, *path.parent.relative_to(checkout / folder).parts)))
    assert found == listed


@pytest.mark.parametrize("kind", ["README.md", "scripts and cards"])
def test_generated_files_say_what_the_specs_say(checkout: Path, kind: str) -> None:
    files = generated_files(checkout)
    chosen = {path: text for path, text in files.items() if (path == checkout / "README.md") == (kind == "README.md")}
    assert chosen
    stale = [
        str(path.relative_to(checkout))
        for path, text in chosen.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "write them again with `make cards`"


def test_there_is_no_loading_script_without_a_spec(checkout: Path) -> None:
    scripts = {path for path in (checkout / "loading_scripts").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert scripts <= set(generated_files(checkout))


def test_an_option_stands_in_few_files(checkout: Path) -> None:
    """Where it is read, the tree of settings, the key of stored features, and the call that uses it."""
    found = [path.name for path in sources(checkout) if "resampler" in path.read_text(encoding="utf-8")]
    assert len(found) <= 4, found


def test_no_head_is_told_by_its_name_outside_its_wing(checkout: Path) -> None:
    found = [
        f"{path.relative_to(checkout)}: {ast.unparse(node)}"
        for path in sources(checkout)
        if wing_of(checkout, path) != "probes"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare)
        and any(isinstance(one, ast.Constant) and one.value in ("emobox", "linear") for one in ast.walk(node))
    ]
    assert found == []


@pytest.mark.parametrize("word", ["eval(", "exec(", "import pickle", "sys.path", "os.chdir", "manual_seed(0)"])
def test_what_the_style_refuses_is_absent(checkout: Path, word: str) -> None:
    found = [
        f"{path.relative_to(checkout)}: {line.strip()}"
        for path in sources(checkout)
        for line in path.read_text(encoding="utf-8").splitlines()
        if word in line and f".{word}" not in line
    ]
    assert found == []
