"""Whether a run's files agree with each other and with the corpus's specification: what one who receives it can check.

No sound is needed. Scores, their means and intervals are computed again from the predictions; the keys of each test
part are held to the digests of the record, and those to the digests of the specification, which are EmoBox's where it
published the fold. What a receiver cannot know without the sound is not checked: that the probabilities are those of
this encoder, which keys were trained on, how long it took and where.
"""

import dataclasses
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emobox_hf.corpora.configurations import PUBLISHED, SPEAKER_INDEPENDENT, is_whole_kind, kind_of, list_folds
from emobox_hf.corpora.spec import CorpusSpec, list_corpora, load_spec
from emobox_hf.errors import InputError, first_five
from emobox_hf.files import sha256_of_keys
from emobox_hf.probes.jobs import WEIGHTED
from emobox_hf.results.predictions import FoldPredictions, read_prediction_table, read_predictions
from emobox_hf.results.records import RECORD, FoldRecord, RunRecord, read_record
from emobox_hf.results.summary import summarize
from emobox_hf.scores import Scores, apply_temperature, compute_scores, mean_over_folds

OLDEST_SCHEMA = 5
"""Records before it lack intervals, which are then computed when they are read: there is nothing to compare."""
TOLERANCE = 1e-6
"""By which numbers of one formula may differ between machines."""
ROUNDING = 1e-4
"""By which the probabilities of an utterance may miss 1; they are stored in single precision."""
MOST_LEFT_OUT = 12
"""Of clips that were left out, nothing tells which test part they belong to: all ways are tried for so many."""


def find_faults(folder: Path) -> Iterator[str]:
    """What does not agree in a run's folder, each fault with its field, what was expected and what was found.

    Raises:
        InputError: The record or the predictions cannot be read at all; or the record is of a version before intervals.
    """
    schema = _read_schema(folder / RECORD)
    if schema < OLDEST_SCHEMA:
        raise InputError(
            f"{folder / RECORD}: schema {schema}, and {OLDEST_SCHEMA} or later can be verified; run again with "
            "--overwrite, from the features that are stored"
        )
    record = read_record(folder)
    predictions = read_predictions(folder, record)
    yield from _check_settings(record, folder, predictions)
    yield from _check_columns(record, folder)
    yield from _check_parts(record, predictions)
    found = {(one.fold, one.seed): one for one in predictions}
    for fold in record.folds:
        if one := found.get((fold.fold, fold.seed)):
            yield from _check_fold(record, fold, one)
    yield from _compare("summary", _plain(summarize(predictions)), _plain(record.summary))
    yield from _check_layers(record)


def list_doubts(record: RunRecord) -> list[str]:
    """What a run that agrees with itself leaves open, in words."""
    doubts = [] if record.is_complete else ["the corpus or its folds are not complete"]
    if len(record.left_out) > MOST_LEFT_OUT:
        doubts.append(f"keys are not held to digests, for {len(record.left_out)} clips were left out")
    return doubts


def _read_schema(path: Path) -> int:
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["schema"])
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such record") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a whole record ({error})") from error


def _check_settings(record: RunRecord, folder: Path, predictions: Sequence[FoldPredictions]) -> Iterator[str]:
    """The settings have a digest, which the folder's name holds; folds and labels follow from them and the corpus."""
    settings, partition = record.settings, record.settings.partition
    name = folder.resolve().name
    if not name.endswith(f"-{settings.digest}"):
        yield f"settings: expected those of the folder {name}, found others, of digest {settings.digest}"
    yield from _compare("labels", list(partition.scored_labels), record.labels)
    expected = [(fold, seed) for fold in partition.folds for seed in settings.probe.seeds]
    yield from _compare("folds", expected, [(fold.fold, fold.seed) for fold in record.folds])
    for fold in record.folds:
        told = partition.digests.get(f"{fold.fold} seed {fold.seed}", partition.digests.get(fold.fold, {}))
        yield from _compare(f"{_name(fold)}.digests", dict(told), fold.digests)
    for number, corpus in enumerate(settings.corpora):
        if corpus.name not in list_corpora():
            continue  # one of somebody's own
        spec = load_spec(corpus.name)
        if corpus.version == spec.version:
            yield from _compare(f"settings.corpora.{number}.spec_sha256", spec.digest, corpus.spec_sha256)
        if settings.experiment == "intra-corpus" and corpus.spec_sha256 == spec.digest:
            yield from _check_corpus(record, spec, predictions)


def _check_corpus(record: RunRecord, spec: CorpusSpec, predictions: Sequence[FoldPredictions]) -> Iterator[str]:
    """Labels and folds are the corpus's; of an incomplete copy a test part is so with what is missing."""
    partition = record.settings.partition
    yield from _compare("settings.partition.trained_labels", list(spec.emotions), list(partition.trained_labels))
    yield from _compare("settings.partition.all_folds", is_whole_kind(spec, partition.folds), partition.all_folds)
    for fold in record.folds:
        kind = kind_of(fold.fold)
        digests = {
            PUBLISHED: [one.test_sha256 for one in spec.folds.published],
            SPEAKER_INDEPENDENT: list(spec.drawn.si_sha256),
        }.get(kind, [])
        known = dict(zip(list_folds(spec, kind), digests, strict=False)) if digests else {}
        expected, found = known.get(fold.fold), fold.digests.get("test")
        tested = [set(one.keys) for one in predictions if (one.fold, one.seed) == (fold.fold, fold.seed)]
        left_out = [clip["key"] for clip in record.left_out]
        if expected not in (None, found) and not (left_out and _has_digest(set().union(*tested), left_out, expected)):
            yield f"{_name(fold)}.digests.test: expected {expected}, found {found}"


def _check_columns(record: RunRecord, folder: Path) -> Iterator[str]:
    """Probabilities are some, and the prediction is the likeliest label."""
    table = read_prediction_table(folder, record)
    rows = np.array([table[f"p_{label}"].to_numpy() for label in record.labels]).T  # (rows, labels)
    keys = table["key"].to_pylist()
    is_some = np.isfinite(rows).all(axis=1) & (rows >= 0).all(axis=1) & (np.abs(rows.sum(axis=1) - 1) <= ROUNDING)
    if wrong := [keys[row] for row in np.flatnonzero(~is_some)]:
        yield f"predictions, p_…: expected probabilities that add up to 1, found others of {first_five(wrong)}"
    guesses = np.array(record.labels, dtype=object)[np.nan_to_num(rows).argmax(axis=1)]
    told = np.array(table["prediction"].to_pylist(), dtype=object)
    if wrong := [keys[row] for row in np.flatnonzero(guesses != told)]:
        yield f"predictions, prediction: expected the likeliest label, found another of {first_five(wrong)}"


def _check_parts(record: RunRecord, predictions: Sequence[FoldPredictions]) -> Iterator[str]:
    """Each fold and seed has its test part: the keys of its digest but those that were left out."""
    expected = {(fold.fold, fold.seed) for fold in record.folds}
    found = {(one.fold, one.seed) for one in predictions}
    if expected != found:
        yield f"predictions, fold and seed: expected {sorted(expected)}, found {sorted(found)}"
    left_out = [clip["key"] for clip in record.left_out]
    folds = {(fold.fold, fold.seed): fold for fold in record.folds}
    facts: dict[str, tuple[Any, ...]] = {}
    for one in predictions:
        if (fold := folds.get((one.fold, one.seed))) is None:
            continue
        keys = set(one.keys)
        if len(keys) < len(one.keys):
            twice = sorted(key for key in keys if list(one.keys).count(key) > 1)
            yield f"predictions, key, {_name(fold)}: expected each once, found twice: {first_five(twice)}"
        if both := sorted(keys.intersection(left_out)):
            yield f"left_out: expected no clip that is tested, found {first_five(both)}"
        if not _has_digest(keys, left_out, fold.digests.get("test", "")):
            yield (
                f"predictions, key, {_name(fold)}: expected the keys of its digest, {fold.digests.get('test')}, less "
                f"those left out; found {len(keys)} others or not all"
            )
        yield from _compare(f"{_name(fold)}.n_test", len(one.keys), fold.n_test)
        columns = (one.references, one.speakers, one.genders, one.languages, one.sentences, one.paths)
        for key, *row in zip(one.keys, *columns, strict=True):
            if facts.setdefault(key, tuple(row)) != tuple(row):
                yield f"predictions, {_name(fold)}: expected of {key} what its other rows say, found something else"
                break


def _has_digest(keys: set[str], left_out: Sequence[str], digest: str | None) -> bool:
    """Whether the keys, with some of those left out, are those of a digest; of too many left out nobody can say."""
    if len(left_out) > MOST_LEFT_OUT:
        return True
    sizes = range(len(left_out) + 1)
    ways = itertools.chain.from_iterable(itertools.combinations(left_out, size) for size in sizes)
    return any(sha256_of_keys(keys.union(some)) == digest for some in ways)


def _check_fold(record: RunRecord, fold: FoldRecord, one: FoldPredictions) -> Iterator[str]:
    """What a fold scored, by its predictions."""
    name, rows = _name(fold), one.rows
    scores = _score(record, one)
    expected = {
        **scores.values,
        "recall": dict(zip(record.labels, scores.recall, strict=True)),
        "confusion_matrix": [list(row) for row in scores.confusion_matrix],
        "absent": [record.labels[index] for index in scores.absent_classes],
    }
    yield from _compare(f"{name}.scores", expected, fold.scores)
    for line in record.layers:
        if line.is_chosen and (line.fold, line.seed) == (fold.fold, fold.seed):
            yield from _compare(
                f"layers, {fold.fold} seed {fold.seed}, {line.layer}.scores", scores.values, line.scores
            )
    if fold.calibration:
        temperature = fold.calibration.get("temperature", math.nan)
        if not (isinstance(temperature, int | float) and math.isfinite(temperature) and temperature > 0):
            yield f"{name}.calibration.temperature: expected a number above 0, found {temperature!r}"
            return
        mended = apply_temperature(one.probabilities, temperature)
        values = compute_scores(rows.references, mended.argmax(axis=1), len(record.labels), probabilities=mended).values
        told = {"temperature": temperature, "nll": values["nll"], "ece": values["ece"]}
        yield from _compare(f"{name}.calibration", told, fold.calibration)
    speakers = {speaker for speaker in one.speakers if speaker}
    if not record.left_out and "test_speakers" in fold.audit:
        yield from _compare(f"{name}.audit.test_speakers", len(speakers), fold.audit["test_speakers"])
    best = max((candidate["validation_ua"] for candidate in fold.candidates), default=math.nan)
    yield from _compare(f"{name}.validation_ua", best, fold.validation_ua)
    choices = [candidate["choice"] for candidate in fold.candidates if candidate["validation_ua"] == best]
    if not any(choice.items() <= fold.chosen.items() for choice in choices):
        yield f"{name}.chosen: expected a candidate that is best on validation, found {fold.chosen}"


def _score(record: RunRecord, one: FoldPredictions) -> Scores:
    rows = one.rows
    return compute_scores(
        rows.references,
        rows.predictions,
        len(record.labels),
        speakers=rows.speakers,
        probabilities=one.probabilities,
    )


def _check_layers(record: RunRecord) -> Iterator[str]:
    """Layers: each probe has one of each and chose one, and the summary of each is the mean of its lines."""
    if not record.layers:
        return
    for fold in record.folds:
        lines = [line for line in record.layers if (line.fold, line.seed) == (fold.fold, fold.seed)]
        where = f"layers, {fold.fold} seed {fold.seed}"
        yield from _compare(f"{where}, layer", list(record.layer_summary), [str(line.layer) for line in lines])
        for line in lines:
            total = math.fsum(line.weights) if isinstance(line.weights, list) else line.weights
            expected = 1.0 if line.layer == WEIGHTED else None
            yield from _compare(f"{where}, {line.layer}.weights, added up", expected, total)
        chosen = [line.layer for line in lines if line.is_chosen]
        yield from _compare(f"{where}, is_chosen", [fold.chosen.get("layer")], chosen)
        best = [line.validation_ua for line in lines if line.is_chosen]
        yield from _compare(f"{where}, validation_ua", [fold.validation_ua], best)
    for layer, summary in record.layer_summary.items():
        lines = [line for line in record.layers if str(line.layer) == layer]
        for name, one in summary.items():
            by_fold: dict[str, list[float]] = {}
            for line in lines:
                by_fold.setdefault(line.fold, []).append(line.scores.get(name, math.nan))
            means = [float(np.mean(values)) for values in by_fold.values()] or [math.nan]
            yield from _compare(f"layers and layer_summary.{layer}.{name}.mean", mean_over_folds(means)[0], one.mean)


def _compare(name: str, expected: Any, found: Any) -> Iterator[str]:
    """Faults of a value, each with the name of the innermost field that differs."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key in dict.fromkeys((*expected, *found)):
            if key not in found or key not in expected:
                yield f"{name}.{key}: expected {'a value' if key in expected else 'no such field'}"
            else:
                yield from _compare(f"{name}.{key}", expected[key], found[key])
    elif isinstance(expected, float) and isinstance(found, int | float) and not isinstance(found, bool):
        if not math.isclose(expected, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            yield f"{name}: expected {expected!r}, found {found!r}"
    elif expected != found or isinstance(expected, bool) != isinstance(found, bool):
        yield f"{name}: expected {expected!r}, found {found!r}"


def _plain(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {name: dataclasses.asdict(one) for name, one in summary.items()}


def _name(fold: FoldRecord) -> str:
    return f"folds, {fold.fold} seed {fold.seed}"
