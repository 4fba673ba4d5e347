"""UA, WA and F1 of speech emotion recognition as an `evaluate` metric; the formulas are those of `emobox_hf.scores`."""

import textwrap
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

import datasets
import evaluate
import numpy as np
import numpy.typing as npt

from emobox_hf.errors import InputError, first_five, suggest
from emobox_hf.scores import SCORES, Interval, bootstrap_intervals, compute_scores, score_intervals

Label = int | str
JACKKNIFE, BOOTSTRAP = "jackknife", "bootstrap"
SCALARS = "scores"
"""The configuration that gives numbers alone, as trainers and trackers want them."""

_DESCRIPTION = """\
The scores of EmoBox for speech emotion recognition: unweighted average recall (UA, also called balanced accuracy or
UAR), accuracy (WA), macro F1, weighted F1, per-class recall and the confusion matrix, for a frozen set of classes if
you give one, with confidence intervals over speakers if you ask for them.
"""

_CITATION = """\
@inproceedings{ma24b_interspeech,
  title = {{EmoBox}: Multilingual Multi-corpus Speech Emotion Recognition Toolkit and Benchmark},
  author = {Ma, Ziyang and Chen, Mingjie and Zhang, Hezhao and Zheng, Zhisheng and Chen, Wenxi and Li, Xiquan and
            Ye, Jiaxin and Chen, Xie and Hain, Thomas},
  booktitle = {Interspeech 2024},
  pages = {1580--1584},
  year = {2024},
  eprint = {2406.07162},
  archivePrefix = {arXiv},
}
"""

_SCORE_LINES = "\n".join(
    textwrap.fill(f"{name} (`float`): {score.full_text}", 120, initial_indent=" " * 4, subsequent_indent=" " * 8)
    for name, score in SCORES.items()
)
_INTERVAL_NAMES = ", ".join(f"{name}_interval" for name in SCORES)
_INPUTS_DESCRIPTION = f"""
Args:
    predictions (`list` of `int` or `str`): One class an utterance.
    references (`list` of `int` or `str`): The true class of each utterance, of the same type as the predictions.
    labels (`list` of `str` or `int`, or a `datasets.ClassLabel`, *optional*): The frozen class set, one row of the
        results a label. Names with integer predictions and references name the classes 0, 1, 2 and so on. Without it
        the classes are those that occur, sorted.
    speakers (`list`, *optional*): Who speaks each utterance, for all utterances in the order in which they were added
        (with several processes: those of process 0 first). Used by the intervals, and by scores that need it.
    probabilities (`list` of `list` of `float`, *optional*): A row an utterance, a column a class in the order of
        `labels` (of integers 0, 1, 2 … without them); adds the scores of probabilities.
    confidence (`float`, *optional*): Say 0.95; adds an interval to each score that is one number.
        Speakers are resampled if given, utterances if not.
    method (`str`, defaults to `jackknife`): `bootstrap` draws speakers with replacement, too narrow of few speakers.
    n_resamples (`int`, defaults to 1000): Number of bootstrap resamples.
    seed (`int`, defaults to 0): Seed of the resampling; the same seed gives the same interval.
    ignore_index (`int` or several, *optional*): Leave out utterances with this reference, such as transformers' -100 or
        the -1 of datasets. Without it a negative class is refused unless `labels` names it.

Returns:
    A flat `dict` of numbers and lists, all scores from 0 to 1:
{_SCORE_LINES}
    per_class_recall (`list`): One `float` a class, `None` where the references lack it.
    confusion_matrix (`list` of `list` of `int`): Rows are references, columns predictions.
    labels (`list`): What the rows are; left out where `labels` was not given and row i is class i.
    absent_classes (`list`): The labels that no reference has, so `ua` does not cover them; left out where `labels` was
        not given and there is none.
    {_INTERVAL_NAMES} (`list`): [low, high], with `confidence` only; `None` of three speakers or fewer, from whom none
        can be estimated.
    interval_units (`str`): What the intervals generalise over, such as `24 speakers`, with `confidence` only.

    Loaded as `evaluate.load("emobox/ser_metrics", "scores")` it returns the numbers alone, intervals as `ua_low`,
    `ua_high` …, which is what a `Trainer` can log.

Examples:
    >>> import emobox_hf
    >>> import evaluate
    >>> ser_metrics = evaluate.load("emobox/ser_metrics")
    >>> results = ser_metrics.compute(references=[0, 0, 0, 1, 1], predictions=[0, 0, 0, 1, 0])
    >>> results["ua"], results["wa"], results["confusion_matrix"]
    (0.75, 0.8, [[3, 0], [1, 1]])

    A class of the set that the references lack is reported, not averaged:

    >>> results = ser_metrics.compute(
    ...     references=["angry", "sad"], predictions=["angry", "angry"], labels=["angry", "happy", "sad"]
    ... )
    >>> results["ua"], results["per_class_recall"], results["absent_classes"]
    (0.5, [1.0, None, 0.0], ['happy'])
"""


class ExactValue(datasets.Value):  # type: ignore[misc]  # datasets has no types
    """A `Value` that is stored as it is or refused: `Value` itself makes class 0 of 0.7 and class "3" of 3."""

    def encode_example(self, value: Any) -> Any:
        """The value as the Arrow type holds it; TypeError, which evaluate explains to the user, if that changes it."""
        encoded = super().encode_example(value)
        if encoded != value:
            raise TypeError(f"expected {self.dtype}, found {value!r}")
        return encoded


class SerMetrics(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """UA, WA, macro F1, weighted F1, per-class recall and confusion matrix, with optional confidence intervals."""

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name not in ("default", SCALARS):
            raise InputError(
                f"ser_metrics has no configuration {self.config_name!r}{suggest(self.config_name, [SCALARS])}"
            )
        columns = [ExactValue("int64"), ExactValue("string")]
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS_DESCRIPTION,
            features=[datasets.Features({"predictions": column, "references": column}) for column in columns],
            reference_urls=["https://arxiv.org/abs/2406.07162", "https://github.com/emo-box/EmoBox"],
        )

    def add_batch(self, *, predictions: Any = None, references: Any = None, **others: Any) -> None:
        """Add a batch of utterances: lists, arrays, tensors or columns of classes, of one length.

        Raises:
            InputError: A column is missing, or holds logits or probabilities.
        """
        columns = {"predictions": predictions, "references": references}
        super().add_batch(**{name: _list_classes(name, column) for name, column in columns.items()}, **others)

    def add(self, *, prediction: Any = None, reference: Any = None, **others: Any) -> None:
        """Add one utterance; refuses what `add_batch` refuses."""
        # evaluate.combine names both by their plural.
        columns = {"predictions": prediction, "references": reference} | others
        single = {name: _list_classes(name, [value])[0] for name, value in columns.items()}
        super().add(prediction=single.pop("predictions"), reference=single.pop("references"), **single)

    def _infer_feature_from_batch(self, batch: dict[str, Sequence[Any]]) -> datasets.Features:
        # evaluate looks at the first row to tell integers from strings.
        if any(len(column) == 0 for column in batch.values()):
            raise InputError("references or predictions are empty; at least one utterance is needed for a score")
        return super()._infer_feature_from_batch(batch)

    def _compute(
        self,
        *,
        predictions: list[Any],
        references: list[Any],
        labels: Sequence[Label] | datasets.ClassLabel | None = None,
        speakers: Sequence[object] | None = None,
        probabilities: Any = None,
        confidence: float | None = None,
        method: str = JACKKNIFE,
        n_resamples: int | None = None,
        seed: int | None = None,
        ignore_index: int | Collection[int] | None = None,
    ) -> dict[str, Any]:
        if speakers is not None and len(speakers) != len(references):
            raise InputError(
                f"expected one speaker for each of the {len(references)} utterances added so far, in the same order, "
                f"found {len(speakers)} speakers"
            )
        if probabilities is not None:
            probabilities = _check_probabilities(probabilities, len(references))
            if labels is None and not isinstance(references[0], str):
                labels = list(range(probabilities.shape[1]))
        if ignore_index is not None:
            kept = _list_kept(references, ignore_index)
            references, predictions = [references[row] for row in kept], [predictions[row] for row in kept]
            if speakers is not None:
                named = list(speakers)
                speakers = [named[row] for row in kept]
            if probabilities is not None:
                probabilities = probabilities[kept]
        for name, column in (("references", references), ("predictions", predictions)):
            if None in column:
                raise InputError(f"{column.count(None)} of {len(column)} {name} are None; leave those utterances out")
            _refuse_no_label(name, column, labels)
        classes = _class_set(labels, references, predictions)
        index = _index_of(classes, references)
        columns = {"references": references, "predictions": predictions}
        encoded = {name: _encode(name, column, index) for name, column in columns.items()}

        if probabilities is not None and probabilities.shape[1] != len(classes):
            raise InputError(
                f"expected a column of probabilities for each of the {len(classes)} labels, found "
                f"{probabilities.shape[1]}; give the whole class set as labels, in the order of the columns"
            )
        known = {"n_classes": len(classes), "speakers": speakers, "probabilities": probabilities}
        scores = compute_scores(**encoded, **known)
        results: dict[str, Any] = dict(scores.values)
        given = {"n_resamples": n_resamples, "seed": seed}
        estimate = _choose_method(method, {name: value for name, value in given.items() if value is not None})
        intervals: dict[str, Interval] = {}
        if confidence is not None:
            intervals = estimate(**encoded, **known, confidence=confidence)
        if self.config_name == SCALARS:  # what a trainer logs: numbers alone
            for name, interval in intervals.items():
                if interval.is_estimable:
                    results |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
            return results
        results["per_class_recall"] = list(scores.recall)
        results["confusion_matrix"] = [list(row) for row in scores.confusion_matrix]
        if labels is not None or classes != list(range(len(classes))):
            results["labels"] = classes
        if labels is not None or scores.absent_classes:
            results["absent_classes"] = [classes[row] for row in scores.absent_classes]
        if intervals:
            results |= {
                f"{name}_interval": [interval.low, interval.high] if interval.is_estimable else None
                for name, interval in intervals.items()
            }
            one = next(iter(intervals.values()))
            results["interval_units"] = f"{one.n_units} {one.unit}"
        return results


def _choose_method(method: str, options: dict[str, int]) -> Callable[..., dict[str, Interval]]:
    """What estimates intervals; an error where options do not belong to it."""
    if method not in (JACKKNIFE, BOOTSTRAP):
        raise InputError(f"no method {method!r} for intervals{suggest(method, [JACKKNIFE, BOOTSTRAP])}")
    if method == BOOTSTRAP:
        return partial(bootstrap_intervals, **options)
    if options:
        raise InputError(
            f"{' and '.join(options)} belong to method='{BOOTSTRAP}'; the {JACKKNIFE} leaves each speaker out in turn, "
            "which draws nothing"
        )
    return score_intervals


def _list_classes(name: str, column: Any) -> list[Any]:
    """A column as a list of single values; an error that says how logits become classes."""
    if column is None:
        raise InputError(f"{name} are missing; give predictions and references of the same utterances")
    rows = column.tolist() if hasattr(column, "tolist") else list(column)
    for row in rows:
        if isinstance(row, list | tuple | np.ndarray) or getattr(row, "ndim", 0):
            if len(row) == 1:
                raise InputError(
                    f"expected one class an utterance as {name}, found lists of one value; give {name}[:, 0]"
                )
            which = f"{name}[0]" if isinstance(column, tuple) else name  # a Trainer's: logits, then hidden states
            raise InputError(
                f"expected one class an utterance as {name}, found {(len(rows), len(row))} numbers: logits or "
                f"probabilities? Take the argmax: {which}.argmax(axis=-1)"
            )
        if isinstance(row, float | np.floating) and not float(row).is_integer():
            raise InputError(
                f"expected whole numbers or names as {name}, found {row}: logits or probabilities? Take the argmax "
                "over classes, or of two classes the side of the threshold"
            )
    return rows


def _check_probabilities(probabilities: Any, n: int) -> npt.NDArray[np.float32]:
    """Probabilities as float32 (n, classes)."""
    table = np.asarray(probabilities, dtype=np.float64)
    if table.ndim != 2 or len(table) != n:
        raise InputError(
            f"expected probabilities of shape ({n}, classes) for the {n} utterances added so far, found {table.shape}"
        )
    sums = table.sum(axis=1)
    if not (np.isfinite(table).all() and (table >= 0).all() and np.allclose(sums, 1, atol=1e-3)):
        raise InputError(
            "expected probabilities, rows of numbers from 0 to 1 that add up to 1, found others; of logits take the "
            "softmax"
        )
    return table.astype(np.float32)


def _list_kept(references: list[Label], ignore_index: int | Collection[int]) -> list[int]:
    """The rows whose reference is a label, in order."""
    ignored = {ignore_index} if isinstance(ignore_index, int | np.integer) else set(ignore_index)
    kept = [row for row, reference in enumerate(references) if reference not in ignored]
    if not kept:
        listed = ", ".join(map(str, sorted(ignored)))
        raise InputError(f"every reference is {listed}, which is left out; nothing is there to score")
    return kept


def _refuse_no_label(name: str, column: list[Label], labels: Sequence[Label] | datasets.ClassLabel | None) -> None:
    """Refuse negative numbers, unless `labels` names them: scored as a class they would change every mean."""
    named = set() if labels is None or isinstance(labels, datasets.ClassLabel) else set(labels)
    negative = sorted({value for value in column if isinstance(value, int) and value < 0 and value not in named})
    if not negative:
        return
    found = f"{name} hold {first_five(negative)}, which is no class"
    if name == "predictions":
        raise InputError(f"{found}: every utterance that is scored needs a prediction; leave out those without one")
    asked = negative[0] if len(negative) == 1 else tuple(negative)
    raise InputError(
        f"{found}: transformers writes -100 for 'no label', datasets -1. Leave those utterances out with "
        f"ignore_index={asked}" + ("" if labels is not None else ", or name the classes with labels")
    )


def _class_set(
    labels: Sequence[Label] | datasets.ClassLabel | None, references: list[Label], predictions: list[Label]
) -> list[Any]:
    """The classes in the order of the results: the labels given, else those that occur."""
    if labels is None:
        return sorted({*references, *predictions})
    if isinstance(labels, datasets.ClassLabel):
        return list(labels.names)
    if isinstance(labels, str | set | frozenset) or not len(labels):
        raise InputError(f"expected labels as an ordered list of classes, say ['angry', 'sad'], found {labels!r}")
    classes = [label.item() if hasattr(label, "item") else label for label in labels]
    if len({isinstance(label, str) for label in classes}) > 1:
        raise InputError(f"expected labels that are all names or all integers, found {first_five(classes)}")
    if repeated := sorted({label for label in classes if classes.count(label) > 1}):
        raise InputError(f"expected each label once, found more than one of {first_five(repeated)}")
    return classes


def _index_of(classes: list[Label], references: list[Label]) -> dict[Any, int]:
    """The number of each class; names stand for 0, 1, 2 and so on where the references are integers."""
    names_of_integers = isinstance(classes[0], str) and not isinstance(references[0], str)
    return {row if names_of_integers else label: row for row, label in enumerate(classes)}


def _encode(name: str, column: list[Label], index: dict[Any, int]) -> list[int]:
    """The row of each utterance's class, or an error that names the classes outside the set."""
    unknown = sorted({value for value in column if value not in index}, key=str)
    if unknown:
        first, names = unknown[0], [label for label in index if isinstance(label, str)]
        hint = suggest(first, names) if isinstance(first, str) and names else f"; known: {first_five(index)}"
        raise InputError(
            f"expected {name} among the {len(index)} labels, found {first_five(unknown)}{hint}; "
            f"give the whole class set as labels"
        )
    return [index[value] for value in column]
