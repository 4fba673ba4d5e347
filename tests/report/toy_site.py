"""Runs of every sort that a site shows, with names that would be markup if a page forgot to escape one."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from emobox_hf.report.collect import Run
from emobox_hf.results import RECORD
from emobox_hf.results.digests import digest_of_table

HOSTILE = "<script>alert(1)</script>"
QUOTED = "\"'><img src=x onerror=alert(1)>&amp;\u2028"
TESTED = [
    ("a", "s1", "Angry", "Angry"),
    ("b", "s1", "Happy", "Angry"),
    ("c", "s2", "Happy", "Happy"),
    ("d", "s2", "Neutral", "Happy"),
]


def edit_record(run: Run, edit: Callable[[dict[str, Any]], None]) -> None:
    """Change a finished run's record in its file."""
    path = run.folder / RECORD
    table = json.loads(path.read_text(encoding="utf-8"))
    edit(table)
    del table["sha256"]
    table["sha256"] = digest_of_table(table)
    path.write_text(json.dumps(table), encoding="utf-8")


def add_interval(run: Run, low: float | None, high: float | None, **more: float) -> None:
    """Give a run's UA an interval, as fractions."""
    interval = {"low": low, "high": high, "confidence": 0.95, "unit": "speakers", "n_units": 5}
    edit_record(run, lambda table: table["summary"]["ua"].update(interval=interval, **more))


def make_all(make_run: Any) -> Mapping[str, Run]:
    """A dozen runs by what is peculiar in each."""
    make_run = partial(make_run, labels=("Angry", "Happy", "Neutral"))
    rows = [(QUOTED, HOSTILE, "Angry", "Happy"), ("b", None, "Happy", "Happy")]
    by_layer = [{0: 0.3, 1: 0.5, 2: 0.4, "weighted": 0.45}] * 2
    runs = {
        "plain": make_run(encoder="wavlm-base", ua=0.5, tested=TESTED),
        "paper": make_run(encoder="microsoft/wavlm-large", ua=0.7, tested=TESTED, head="emobox"),
        "layers": make_run(encoder="wavlm-large", ua=0.5, layer="all", by_layer=by_layer, chosen=[1, 1], tested=TESTED),
        "random": make_run(encoder="wavlm-base", ua=0.9, folds=["random_fold1"], tested=TESTED),
        "contaminated": make_run(corpus="meld", encoder="emotion2vec", ua=0.75, tested=TESTED),
        "without predictions": make_run(corpus="savee", encoder="x", ua=0.25),
        "hostile": make_run(corpus=HOSTILE, encoder=HOSTILE, ua=0.4, tested=rows),
        "quoted": make_run(corpus=QUOTED, encoder=QUOTED, ua=0.4, tested=rows),
        "cross": make_run(pair=(["polish"], "savee"), encoder="wavlm-base", ua=0.35, wa=0.3),
        "cross back": make_run(pair=(["savee"], "polish"), encoder="wavlm-base", ua=0.25, wa=0.6),
    }
    (runs["without predictions"].folder / "predictions.parquet").unlink()
    add_interval(runs["plain"], 0.4, 0.6, std_seeds=0.01)
    add_interval(runs["paper"], None, 0.8)
    return runs


def site_folders(runs: Mapping[str, Run]) -> list[Path]:
    """Where `make_run` put them all."""
    some = runs["plain"]
    return [some.folder.parents[len(Path(some.settings.folder).parts) - 1]]
