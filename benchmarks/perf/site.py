"""A site of thousands of runs: how long it takes, what it weighs.

    python benchmarks/perf/site.py [--runs 5000] [--utterances 1000] [--keep FOLDER]

The runs are made up: every corpus of the package, known encoders, two heads and three kinds of folds, five folds each;
their predictions lean towards the right label, by encoder. What is timed is `build_site` in this process, reading and
writing included, imports not.
"""

import argparse
import itertools
import resource
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from emobox_hf.corpora.spec import CorpusSpec, list_corpora, load_spec
from emobox_hf.encoders.known.table import KNOWN_ENCODERS
from emobox_hf.probes.heads import HEADS, make_head
from emobox_hf.processor import processor_name
from emobox_hf.report.kinds import KINDS, make_tables
from emobox_hf.report.site import build_site
from emobox_hf.results import (
    CorpusSettings,
    EncoderSettings,
    FoldPredictions,
    FoldRecord,
    LayerRecord,
    PartitionSettings,
    RunRecord,
    RunSettings,
    summarize,
    write_run,
)
from emobox_hf.scores import SCORES, compute_scores

N_FOLDS, N_SPEAKERS = 5, 10
STEMS = ("fold", "si_fold", "random_fold")


def make_runs(root: Path, settings: Iterable[RunSettings], n_utterances: int) -> None:
    """Write made-up runs of these settings under a folder."""
    for number, one in enumerate(settings):
        spec = load_spec(one.tested)
        predictions = [
            _predict(spec, fold, part, n_utterances, number) for part, fold in enumerate(one.partition.digests)
        ]
        write_run(root / one.folder, _record(one, spec, predictions, number), predictions)


def inside_corpora() -> Iterator[RunSettings]:
    """Runs of every corpus, five folds each."""
    for corpus, encoder, head, stem, layer in _choose():
        folds = tuple(f"{stem}{i}" for i in range(1, N_FOLDS + 1))
        yield _settings(corpus, [corpus], folds, EncoderSettings(name=encoder, layer=layer), head)


def across_corpora() -> Iterator[RunSettings]:
    """Every pair of corpora, with one encoder after another."""
    for encoder, pair in itertools.product(KNOWN_ENCODERS.values(), itertools.permutations(list_corpora(), 2)):
        yield _settings("-to-".join(pair), pair, ("cross_corpus",), EncoderSettings(name=encoder.id), "linear")


def _settings(
    name: str, corpora: Sequence[str], folds: tuple[str, ...], encoder: EncoderSettings, head: str
) -> RunSettings:
    specs = [load_spec(corpus) for corpus in corpora]
    is_cross = len(specs) > 1
    return RunSettings(
        experiment="cross-corpus" if is_cross else "intra-corpus",
        package="0.1.0",
        corpora=tuple(CorpusSettings(name=spec.name, version=spec.version) for spec in specs),
        partition=PartitionSettings(
            name=name,
            folds=folds,
            digests={fold: dict.fromkeys(("train", "validation", "test"), "0" * 64) for fold in folds},
            trained_labels=specs[-1].emotions,
            scored_labels=specs[-1].emotions,
            labels="shared" if is_cross else "",
            test_set="all" if is_cross else "",
        ),
        encoder=replace(encoder, identity=f"{encoder.name}@{'0' * 40}"),
        probe=make_head(head),
    )


def _choose() -> Iterator[tuple[str, str, str, str, str]]:
    """Corpus, encoder, head, kind of folds and layer, the corpus changing fastest."""
    encoders = [encoder.id for encoder in KNOWN_ENCODERS.values()]
    for layer, head, encoder, stem, corpus in itertools.product(
        ("last", *map(str, range(24))), HEADS, encoders, STEMS, list_corpora()
    ):
        yield corpus, encoder, head, stem, layer


def _predict(spec: CorpusSpec, fold: str, part: int, n_utterances: int, number: int) -> FoldPredictions:
    rows = range(part, n_utterances, N_FOLDS)
    draw, n_labels = np.random.default_rng((number, part)), len(spec.emotions)
    references = np.array([row // N_SPEAKERS % n_labels for row in rows])
    logits = draw.normal(size=(len(rows), n_labels))
    logits[np.arange(len(rows)), references] += 0.5 + number // 32 % 40 / 20
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    keys = [f"{spec.name}-{row:05}" for row in rows]
    speakers = [f"speaker {row % N_SPEAKERS}" for row in rows]
    unknown = [None] * len(keys)
    return FoldPredictions(
        fold=fold,
        seed=0,
        keys=keys,
        speakers=speakers,
        genders=unknown,
        languages=unknown,
        sentences=unknown,
        paths=[f"wav/{key}.wav" for key in keys],
        references=references,
        probabilities=probabilities.astype(np.float32),
    )


def _record(settings: RunSettings, spec: CorpusSpec, parts: Sequence[FoldPredictions], number: int) -> RunRecord:
    labels = list(spec.emotions)
    folds = [_fold_record(part, labels) for part in parts]
    summary = summarize(parts)
    ua = summary["ua"].mean
    layers = [
        LayerRecord(
            fold=fold.fold,
            layer=layer,
            is_chosen=layer == 8,
            validation_ua=ua,
            scores=dict.fromkeys(SCORES, ua * (1 - (layer - 8) ** 2 / 200)),
        )
        for fold in folds
        for layer in range(13)
        if number % 50 == 0
    ]
    return RunRecord(
        settings=settings,
        labels=labels,
        left_out=[],
        folds=folds,
        layers=layers,
        summary=summary,
        timings={"extraction_s": 12.5, "probing_s": 3.25, "audio_s": 5400.0},
        machine={"processor": "made up", "n_cores": 2, "n_processes": 1, "peak_memory_mb": 900},
        versions={"python": "3.11", "emobox-hf": "0.1.0"},
        created=f"2026-01-{1 + number % 28:02}T{number % 24:02}:{number // 24 % 60:02}:00+00:00",
    )


def _fold_record(part: FoldPredictions, labels: Sequence[str]) -> FoldRecord:
    predicted = part.probabilities.argmax(axis=1)
    scores = compute_scores(part.references, predicted, len(labels))
    leaks = part.fold.startswith("random")
    return FoldRecord(
        fold=part.fold,
        source="made up",
        validation="20% of each emotion of train, by a hash of the key, seed 0",
        audit={
            "verdict": "leak" if leaks else "independent",
            "test_speakers": N_SPEAKERS,
            "shared_speakers": N_SPEAKERS if leaks else 0,
        },
        seed=0,
        n_train=len(part.keys) * 3,
        n_validation=len(part.keys),
        n_test=len(part.keys),
        digests={},
        chosen={"learning_rate": 0.001, "epoch": 63.0},
        validation_ua=scores.ua,
        candidates=[{"learning_rate": rate, "validation_ua": scores.ua} for rate in (1e-3, 1e-4)],
        untrained_classes=[],
        scores={
            **scores.values,
            "recall": dict(zip(labels, scores.recall, strict=True)),
            "confusion_matrix": [list(row) for row in scores.confusion_matrix],
            "absent": [],
        },
        seconds=3.0,
    )


def time_reports(root: Path, cross_root: Path) -> dict[str, float]:
    """Seconds that each kind of report takes, records read and text made; `cross` is made of runs of its own."""
    seconds = {}
    for kind in KINDS:
        start = time.perf_counter()
        for table in make_tables(kind, [cross_root if kind == "cross" else root]):
            table.to_text()
        seconds[kind] = time.perf_counter() - start
    return seconds


def time_sorting(page: Path) -> float:
    """Milliseconds of the slowest column to sort the leaderboard by, layout included, the best of five clicks each."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        driver.get(page.resolve().as_uri())
        return float(driver.execute_script(SORTING))
    finally:
        driver.quit()


SORTING = """
    return Math.max(...[...document.querySelectorAll("#leaderboard th button")].map((button) =>
        Math.min(...[1, 2, 3, 4, 5].map(() => {
            const start = performance.now();
            button.click();
            document.body.getBoundingClientRect();
            return performance.now() - start;
        }))));
"""


def main() -> None:
    """Make the runs, build their site, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--utterances", type=int, default=1000, help="tested in each run")
    parser.add_argument("--keep", type=Path, help="make runs and site here, and leave them")
    parser.add_argument("--reports", action="store_true", help="time `emobox report` of every kind, too")
    parser.add_argument("--browser", action="store_true", help="time sorting of the leaderboard in Chromium, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = arguments.keep or Path(name)
        if not (root / "runs").is_dir():
            make_runs(root / "runs", itertools.islice(inside_corpora(), arguments.runs), arguments.utterances)
        if arguments.reports and not (root / "cross").is_dir():
            make_runs(root / "cross", itertools.islice(across_corpora(), arguments.runs), arguments.utterances)
        start = time.perf_counter()
        n_pages = build_site([root / "runs"], root / "site")
        seconds = time.perf_counter() - start
        sizes = [path.stat().st_size for path in (root / "site").rglob("*") if path.is_file()]
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        first_mb = (root / "site" / "index.html").stat().st_size / 1e6
        reports = time_reports(root / "runs", root / "cross") if arguments.reports else {}
        sorting_ms = time_sorting(root / "site" / "index.html") if arguments.browser else None
    print(f"processor           {processor_name()}")
    print(f"runs                {arguments.runs}, {arguments.utterances} tested utterances each")
    print(f"pages               {n_pages}, {sum(sizes) / 1e6:.0f} MB; leaderboard {first_mb:.1f} MB")
    print(f"seconds             {seconds:.1f}, {1000 * seconds / arguments.runs:.1f} ms a run")
    print(f"peak memory, MB     {memory_mb:.0f}")
    for kind, spent in reports.items():
        print(f"report {kind:12} {spent:.1f} s")
    if sorting_ms is not None:
        print(f"slowest column      {sorting_ms:.0f} ms to sort by")


if __name__ == "__main__":
    main()
