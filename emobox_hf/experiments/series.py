"""Experiments as data: a TOML file of settings to a series of runs."""

import itertools
import os
import tomllib
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from emobox_hf.errors import InputError, suggest
from emobox_hf.experiments.request import SECTIONS, ProbeRequest, parse_request
from emobox_hf.files import read_toml
from emobox_hf.options import is_on_by_default, list_options

SETTINGS = resources.files("emobox_hf.benchmarks").joinpath("settings")
FIELDS = {"title", "report", "options", "grid", "pairs"}
NO_SETTINGS = {"quiet", "verbose", "json"}
"""What is said of a command, not of its runs."""


@dataclass(frozen=True)
class Series:
    """Runs that answer one question together.

    Attributes:
        title: The question.
        report: The kind of `emobox report` that shows the answer.
        requests: The runs.
    """

    title: str
    report: str
    requests: tuple[ProbeRequest, ...]


@dataclass(frozen=True)
class Outcome:
    """One run of a series: its folder, or why there is none."""

    request: ProbeRequest
    folder: Path | None
    error: str | None

    @property
    def name(self) -> str:
        """The run, for people."""
        data = self.request.data
        what = data.corpus or f"{' '.join(data.train)} to {data.test}"
        folds = f", {' '.join(data.folds)} folds" if data.folds else ""
        return f"{what}{folds} by {self.request.encoder.name}"


def list_series() -> dict[str, str]:
    """The experiments that come with the package, by name, and their titles."""
    files = sorted(file.name for file in SETTINGS.iterdir() if file.name.endswith(".toml"))
    tables = {file.removesuffix(".toml"): SETTINGS.joinpath(file).read_text(encoding="utf-8") for file in files}
    return {name: str(tomllib.loads(text)["title"]) for name, text in tables.items()}


def load_series(name: str, overrides: Sequence[str] = ()) -> Series:
    """The series of a TOML file or of one that comes with the package.

    `[options]` holds options of run_probe.py by their long names, `[grid]` lists of alternatives, of which every
    combination is run. `[pairs]` has `corpora`, of which every ordered pair is a cross-corpus run, or, with
    `leave_one_out = true`, every one a test of probes trained on all the others.

    Args:
        name: A path that ends in `.toml`, or one of `list_series`.
        overrides: Options of run_probe.py that go before those of the file, such as `--data-dir`.

    Raises:
        InputError: There is no such file, or it holds something else.
    """
    table = _read(name)
    if unknown := sorted(set(table) - FIELDS):
        raise InputError(f"{name}: unknown field {unknown[0]!r}{suggest(unknown[0], FIELDS)}")
    _check_options(name, [*table.get("options", {}), *table.get("grid", {})])
    choices = [
        dict(zip(table.get("grid", {}), values, strict=True))
        for values in itertools.product(*table.get("grid", {}).values())
    ]
    options = [
        {**table.get("options", {}), **choice, **pair} for choice in choices for pair in _list_pairs(name, table)
    ]
    requests = [parse_request([*_arguments(one), *overrides], prog=name) for one in options]
    return Series(str(table.get("title", name)), str(table.get("report", "benchmark")), tuple(requests))


def run_series(series: Series, run: Callable[[ProbeRequest], Path]) -> list[Outcome]:
    """Do every run; one that fails does not stop the others, and finished ones are not done again.

    Also an error that no user can mend is kept for the end, after its traceback: a night's other runs are worth more.
    Not so on several processes, where the others would wait for the one that failed.
    """
    outcomes = []
    for request in series.requests:
        try:
            outcomes.append(Outcome(request, run(request), None))
        except (InputError, OSError) as error:
            outcomes.append(Outcome(request, None, str(error)))
        except Exception as error:
            if os.environ.get("WORLD_SIZE", "1") != "1":
                raise
            traceback.print_exc()
            outcomes.append(Outcome(request, None, f"{type(error).__name__}: {error}"))
    return outcomes


def make_pairs(corpora: Sequence[str], *, leave_one_out: bool = False) -> list[dict[str, Any]]:
    """`train` and `test` of every ordered pair, or of every corpus against all others.

    >>> make_pairs(["a", "b"])
    [{'train': ['a'], 'test': 'b'}, {'train': ['b'], 'test': 'a'}]
    """
    if leave_one_out:
        return [{"train": [one for one in corpora if one != test], "test": test} for test in corpora]
    return [{"train": [train], "test": test} for train, test in itertools.permutations(corpora, 2)]


def _read(name: str) -> dict[str, Any]:
    path = Path(name)
    if path.suffix != ".toml":
        if name not in list_series():
            raise InputError(f"no experiment {name!r}{suggest(name, list_series())}; or give a path to a .toml file")
        path = Path(str(SETTINGS.joinpath(f"{name}.toml")))
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return read_toml(path)


def _check_options(name: str, options: Sequence[str]) -> None:
    """Refuse what is no setting of a run, though the command line takes it, such as `quiet`."""
    listed = [one for section in SECTIONS.values() for one in list_options(section).items()]
    known = {option for option, _ in listed} | {
        flag.removeprefix("--").replace("-", "_") for _, (_, shown) in listed for flag in shown.flags
    }
    for option in options:
        plain = option.replace("-", "_")
        if plain in NO_SETTINGS:
            raise InputError(f"{name}: {option!r} is no setting of a run; say --{option} on the command line")
        if plain not in known:
            raise InputError(f"{name}: no option {option!r}{suggest(plain, known)}")


def _list_pairs(name: str, table: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "pairs" not in table:
        return [{}]
    try:
        return make_pairs(**table["pairs"])
    except TypeError as error:
        raise InputError(f"{name}: [pairs] takes corpora, a list, and leave_one_out, true or false") from error


def _arguments(options: Mapping[str, Any]) -> list[str]:
    """Options as run_probe.py takes them: true is a flag, a list several values, an empty one nothing."""
    words: list[str] = []
    for name, value in options.items():
        if value is False and is_on_by_default(name, SECTIONS.values()):
            words.append(f"--no-{name.replace('_', '-')}")
        if value is False or value == []:
            continue
        values = [] if value is True else value if isinstance(value, list) else [value]
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return words
