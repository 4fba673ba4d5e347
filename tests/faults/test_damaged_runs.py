"""Records and predictions that changed on disk, or were never what they claim: noticed and named, never believed."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fault_table import Fault

from emobox_hf.errors import InputError
from emobox_hf.probes.heads import make_head
from emobox_hf.report.collect import Run
from emobox_hf.report.kinds import KINDS, ReportOptions
from emobox_hf.report.run_table import run_table
from emobox_hf.results import (
    PREDICTIONS,
    RECORD,
    CorpusSettings,
    DamagedRunError,
    EncoderSettings,
    FoldPredictions,
    FoldRecord,
    LayerRecord,
    PartitionSettings,
    RunRecord,
    RunSettings,
    read_record,
    read_run,
    record_to_json,
    set_aside_damaged,
    summarize,
    write_run,
)
from emobox_hf.scores import compute_scores

Inject = Callable[[str], Fault]
LABELS = ("Angry", "Happy", "Neutral")
HOSTILE = (None, True, -1, 2**70, 1.5, float("nan"), "", "x" * 300, "\x1b[2J", [], [[]], [None], {}, {"a": {"b": 1}})


def predict(fold: str, seed: int) -> FoldPredictions:
    draw = np.random.default_rng((seed, len(fold)))
    probabilities = draw.dirichlet(np.ones(3), size=12).astype(np.float32)
    return FoldPredictions(
        fold=fold,
        seed=seed,
        keys=[f"{fold}-{row}" for row in range(12)],
        speakers=[f"s{row % 4}" for row in range(12)],
        genders=["female"] * 12,
        languages=["pol"] * 12,
        sentences=[None] * 12,
        paths=[f"{fold}/{row}.wav" for row in range(12)],
        references=np.arange(12) % 3,
        probabilities=probabilities,
    )


def record_fold(part: FoldPredictions) -> FoldRecord:
    scores = compute_scores(part.references, part.predicted, 3, probabilities=part.probabilities)
    return FoldRecord(
        fold=part.fold,
        source="EmoBox",
        validation="20% of each emotion of train",
        audit={
            "verdict": "leak",
            "shared_speakers": 1,
            "test_speakers": 4,
            "shared": {"text": {"test": 1, "shared": 0}},
        },
        seed=part.seed,
        n_train=30,
        n_validation=6,
        n_test=12,
        digests={"test": "ab"},
        chosen={"learning_rate": 1e-3, "epoch": 7},
        validation_ua=0.5,
        candidates=[{"learning_rate": 1e-3, "validation_ua": 0.5}],
        untrained_classes=[],
        scores={
            **scores.values,
            "recall": dict(zip(LABELS, scores.recall, strict=True)),
            "confusion_matrix": [list(row) for row in scores.confusion_matrix],
            "absent": [],
        },
        seconds=0.5,
        calibration={"temperature": 1.2, "nll": 1.0, "ece": 0.1},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished run, of all layers of two folds and two seeds."""
    parts = [predict(fold, seed) for fold in ("fold1", "fold2") for seed in (0, 1)]
    names = ("ua", "wa", "macro_f1", "weighted_f1")
    layers = [
        LayerRecord(fold=part.fold, seed=part.seed, layer=layer, is_chosen=layer == 1, validation_ua=0.5, scores=scores)
        for part in parts
        for layer in (0, 1, "weighted")
        for scores in (dict.fromkeys(names, 0.5),)
    ]
    settings = RunSettings(
        experiment="intra-corpus",
        package="0.1.0",
        corpora=(CorpusSettings(name="polish"),),
        partition=PartitionSettings(
            name="polish", folds=("fold1", "fold2"), trained_labels=LABELS, scored_labels=LABELS
        ),
        encoder=EncoderSettings(name="owner/name", identity="owner/name@0123", layer="all"),
        probe=make_head("linear", seeds=(0, 1)),
    )
    record = RunRecord(
        settings=settings,
        labels=list(LABELS),
        left_out=[{"key": "a", "reason": "31.0 s long, over 30 s"}],
        folds=[record_fold(part) for part in parts],
        layers=layers,
        summary=summarize(parts),
        layer_summary={"1": summarize(parts)},
        timings={"extract_s": 1.0},
        machine={"processor": "some", "n_cores": 2, "is_virtual": True},
        versions={"python": "3.11"},
        created="2026-01-01T00:00:00+00:00",
    )
    write_run(tmp_path / "run", record, parts)
    return tmp_path / "run"


def report(folder: Path) -> None:
    """Everything that prints a record."""
    record = read_record(folder)
    run_table(record)
    for kind in KINDS.values():
        try:
            kind.make([Run(folder, record)], ReportOptions())
        except DamagedRunError:
            raise
        except InputError:
            continue  # a kind that a single run does not suffice for


def flip(path: Path, draw: random.Random) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


@pytest.mark.parametrize("name", [RECORD, PREDICTIONS])
def test_a_flipped_bit_is_noticed(inject: Inject, folder: Path, name: str) -> None:
    row = inject(f"damaged: a bit of {name} flipped")
    whole = read_run(folder)
    content = (folder / name).read_bytes()
    for draw in row.tries(short=60, long=2000):
        flip(folder / name, draw)
        try:
            record, predictions = read_run(folder)
        except InputError as error:
            refused = str(error)
            assert str(folder / name) in refused
            row.saw(refused)
        else:  # white space of JSON
            assert record == whole[0]
            assert [part.keys for part in predictions] == [part.keys for part in whole[1]]
        finally:
            (folder / name).write_bytes(content)


@pytest.mark.parametrize("name", [RECORD, PREDICTIONS])
def test_a_file_that_was_cut_short_is_noticed(inject: Inject, folder: Path, name: str) -> None:
    row = inject(f"damaged: {name} cut short")
    content = (folder / name).read_bytes()
    for draw in row.tries(short=20, long=300):
        (folder / name).write_bytes(content[: draw.randrange(len(content) - 1)])
        with pytest.raises(DamagedRunError) as raised:
            read_run(folder)
        assert str(folder / name) in str(raised.value)
        row.saw(raised.value)


def test_predictions_without_a_digest_that_are_damaged_are_one_error(inject: Inject, folder: Path) -> None:
    """As in records of earlier versions."""
    row = inject("damaged: a bit of predictions of an earlier version flipped")
    without_digests(folder, lambda table: None)
    content = (folder / PREDICTIONS).read_bytes()
    for draw in row.tries(short=60, long=2000):
        flip(folder / PREDICTIONS, draw)
        try:
            read_run(folder)
        except DamagedRunError as error:
            row.saw(error)
        finally:
            (folder / PREDICTIONS).write_bytes(content)


def without_digests(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Make a run's record one of schema 5, changed."""
    table = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    for name in ("sha256", "predictions_sha256"):
        table.pop(name, None)
    table["schema"] = 5
    edit(table)
    (folder / RECORD).write_text(json.dumps(table), encoding="utf-8")


def list_places(table: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a JSON table."""
    items = table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else ()
    for name, value in items:
        yield (*path, name)
        yield from list_places(value, (*path, name))


def test_a_foreign_record_is_read_right_or_refused(inject: Inject, folder: Path) -> None:
    """A value of every place, however deep, is replaced by one of another kind, or is not there."""
    row = inject("hostile: a value of a record replaced or absent, no digest")
    original = (folder / RECORD).read_text(encoding="utf-8")
    without_digests(folder, lambda table: None)
    places = list(list_places(json.loads((folder / RECORD).read_text(encoding="utf-8"))))
    for draw in row.tries(short=150, long=6000):
        place = draw.choice(places)

        def edit(table: Any, place: tuple[Any, ...] = place, draw: random.Random = draw) -> None:
            for name in place[:-1]:
                table = table[name]
            if draw.random() < 0.2:
                del table[place[-1]]
            else:
                table[place[-1]] = draw.choice(HOSTILE)

        (folder / RECORD).write_text(original, encoding="utf-8")
        without_digests(folder, edit)
        try:
            report(folder)
        except InputError as error:
            row.saw(error)


def test_a_record_that_is_no_table_is_refused(folder: Path) -> None:
    for text in ("", "null", "[]", "[" * 100_000, '{"schema": true}', '{"schema": 6}', '{"schema": 3}', "\ufeff{}"):
        (folder / RECORD).write_text(text, encoding="utf-8")
        with pytest.raises(DamagedRunError, match=r"record\.json: not a whole record"):
            read_record(folder)


def test_rows_that_the_record_does_not_count_are_refused(folder: Path, tmp_path: Path) -> None:
    """The digest holds, but the file is another run's."""
    record, predictions = read_run(folder)
    write_run(tmp_path / "other", record, predictions[1:])
    with pytest.raises(DamagedRunError, match="fold1 seed 0: expected 12 rows, as the record says, found 0"):
        read_run(tmp_path / "other")


def test_a_damaged_run_is_set_aside_and_a_whole_one_stays(folder: Path) -> None:
    assert set_aside_damaged(folder) == ""
    flip(folder / PREDICTIONS, random.Random(0))
    assert "predictions.parquet: changed since" in set_aside_damaged(folder)
    assert sorted(path.name for path in folder.iterdir()) == [f".{PREDICTIONS}.damaged", f".{RECORD}.damaged"]
    assert "another process" in set_aside_damaged(folder)


def test_a_record_of_a_newer_version_is_not_set_aside(folder: Path) -> None:
    table = record_to_json(read_record(folder)) | {"schema": 99}
    (folder / RECORD).write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(InputError, match="schema 99"):
        set_aside_damaged(folder)
    assert (folder / RECORD).is_file()
