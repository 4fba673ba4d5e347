import json
import os
import subprocess
import sys
import textwrap

import evaluate
import numpy as np
import pandas
import pytest
import torch
from datasets import ClassLabel, Dataset, Features
from sklearn import metrics

from emobox_hf.errors import InputError
from emobox_hf.scores import bootstrap_intervals, score_intervals

SIX = ["ua", "wa", "macro_f1", "weighted_f1", "per_class_recall", "confusion_matrix"]
INTERVALS = ["ua_interval", "wa_interval", "macro_f1_interval", "weighted_f1_interval"]
REFERENCES = [0, 0, 0, 1, 1, 2, 2, 2, 1, 0]
PREDICTIONS = [0, 1, 0, 1, 1, 2, 0, 2, 2, 0]
SPEAKERS = ["a", "a", "b", "b", "c", "c", "d", "d", "e", "e"]


def test_result_is_flat_with_python_numbers(ser_metrics):
    results = ser_metrics.compute(references=REFERENCES, predictions=PREDICTIONS)
    assert list(results) == SIX
    assert json.loads(json.dumps(results)) == results
    assert [type(results[name]) for name in SIX] == [float] * 4 + [list] * 2


def test_scores_equal_scikit_learn(ser_metrics):
    rng = np.random.default_rng(0)
    references, predictions = rng.integers(0, 6, (2, 300))
    results = ser_metrics.compute(references=references, predictions=predictions)
    assert results["ua"] == pytest.approx(metrics.balanced_accuracy_score(references, predictions))
    assert results["wa"] == pytest.approx(metrics.accuracy_score(references, predictions))
    assert results["macro_f1"] == pytest.approx(metrics.f1_score(references, predictions, average="macro"))
    assert results["weighted_f1"] == pytest.approx(metrics.f1_score(references, predictions, average="weighted"))
    assert results["per_class_recall"] == pytest.approx(metrics.recall_score(references, predictions, average=None))
    assert results["confusion_matrix"] == metrics.confusion_matrix(references, predictions).tolist()


@pytest.mark.parametrize("keep_in_memory", [True, False])
@pytest.mark.parametrize("names", [None, ["angry", "happy", "sad"]])
def test_batches_and_single_utterances_add_up(load_ser_metrics, keep_in_memory, names):
    ser_metrics = load_ser_metrics(keep_in_memory=keep_in_memory)
    references, predictions = ([names[i] if names else i for i in column] for column in (REFERENCES, PREDICTIONS))
    whole = ser_metrics.compute(references=references, predictions=predictions)
    for start in range(0, 8, 3):
        stop = min(start + 3, 8)
        ser_metrics.add_batch(references=references[start:stop], predictions=predictions[start:stop])
    ser_metrics.add(reference=references[8], prediction=predictions[8])
    ser_metrics.add(reference=references[9], prediction=predictions[9])
    assert ser_metrics.compute() == whole


@pytest.mark.parametrize("to_column", [list, np.array, torch.tensor, lambda column: np.array(column, dtype=np.float32)])
def test_lists_arrays_and_tensors_are_alike(ser_metrics, to_column):
    results = ser_metrics.compute(references=to_column(REFERENCES), predictions=to_column(PREDICTIONS))
    assert results["confusion_matrix"] == [[3, 1, 0], [0, 2, 1], [1, 0, 2]]


def test_names_score_as_the_integers_they_stand_for(ser_metrics):
    labels = ["angry", "happy", "sad"]
    by_integer = ser_metrics.compute(references=REFERENCES, predictions=PREDICTIONS, labels=labels)
    by_name = ser_metrics.compute(
        references=[labels[i] for i in REFERENCES], predictions=[labels[i] for i in PREDICTIONS], labels=labels
    )
    assert by_integer == by_name
    assert (by_name["labels"], by_name["absent_classes"]) == (labels, [])


def test_without_labels_the_classes_are_those_that_occur(ser_metrics):
    results = ser_metrics.compute(references=["sad", "angry"], predictions=["sad", "sad"])
    assert list(results) == [*SIX, "labels"]
    assert results["labels"] == ["angry", "sad"]
    results = ser_metrics.compute(references=[7, 3, 3], predictions=[7, 3, 5])
    assert (results["labels"], results["absent_classes"]) == ([3, 5, 7], [5])
    assert results["per_class_recall"] == [0.5, None, 1.0]


def test_absent_class_of_a_frozen_set_is_reported_and_not_averaged(ser_metrics):
    labels = ClassLabel(names=["angry", "happy", "neutral", "sad"])
    results = ser_metrics.compute(references=[0, 0, 3], predictions=[0, 1, 3], labels=labels)
    assert results["ua"] == pytest.approx((1 / 2 + 1) / 2)
    assert results["per_class_recall"] == [0.5, None, None, 1.0]
    assert results["absent_classes"] == ["happy", "neutral"]
    assert np.shape(results["confusion_matrix"]) == (4, 4)


def test_labels_set_the_order_of_rows(ser_metrics):
    results = ser_metrics.compute(references=["a", "b"], predictions=["a", "a"], labels=np.array(["b", "a"]))
    assert results["confusion_matrix"] == [[0, 1], [0, 1]]
    results = ser_metrics.compute(references=[10, 20], predictions=[10, 10], labels=[20, 10])
    assert (results["confusion_matrix"], results["labels"]) == ([[0, 1], [0, 1]], [20, 10])


def test_names_that_look_like_integers_stay_names(ser_metrics):
    results = ser_metrics.compute(references=["1", "2"], predictions=["1", "1"], labels=["2", "1"])
    assert results["confusion_matrix"] == [[0, 1], [0, 1]]


def test_intervals_are_those_of_the_package(ser_metrics):
    inputs = {"references": REFERENCES, "predictions": PREDICTIONS, "speakers": SPEAKERS, "confidence": 0.9}
    bootstrap = {"n_resamples": 200, "seed": 5}
    for results, expected in [
        (ser_metrics.compute(**inputs), score_intervals(REFERENCES, PREDICTIONS, 3, speakers=SPEAKERS, confidence=0.9)),
        (
            ser_metrics.compute(**inputs, method="bootstrap", **bootstrap),
            bootstrap_intervals(REFERENCES, PREDICTIONS, 3, speakers=SPEAKERS, confidence=0.9, **bootstrap),
        ),
    ]:
        assert list(results) == [*SIX, *INTERVALS, "interval_units"]
        for name, interval in expected.items():
            assert results[f"{name}_interval"] == [interval.low, interval.high]
        assert results["interval_units"] == f"{len(set(SPEAKERS))} speakers"
        assert json.loads(json.dumps(results)) == results


def test_intervals_of_few_speakers_are_none(ser_metrics, load_ser_metrics):
    inputs = {"references": [0, 1, 0, 1], "predictions": [0, 1, 1, 1], "speakers": [1, 1, 2, 3], "confidence": 0.95}
    results = ser_metrics.compute(**inputs)
    assert (results["ua_interval"], results["interval_units"]) == (None, "3 speakers")
    numbers = load_ser_metrics(config_name="scores").compute(**inputs)
    assert list(numbers) == SIX[:4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "bootsrap"}, "no method 'bootsrap' for intervals; did you mean 'bootstrap'"),
        ({"n_resamples": 100}, "n_resamples belong to method='bootstrap'"),
        ({"confidence": 95}, "between 0 and 1, say 0.95, found 95"),
    ],
)
def test_options_of_intervals_that_do_not_fit_are_refused(ser_metrics, options, message):
    with pytest.raises(InputError, match=message):
        ser_metrics.compute(references=[0, 1], predictions=[0, 1], **{"confidence": 0.95, **options})


def test_bootstrap_intervals_repeat_by_seed_and_ignore_the_global_one(ser_metrics):
    inputs = {"references": REFERENCES, "predictions": PREDICTIONS, "confidence": 0.95, "method": "bootstrap"}

    def compute(seed):
        np.random.seed(seed + 100)
        return ser_metrics.compute(**inputs, seed=seed)

    first = compute(0)
    np.random.seed(1)
    assert first == ser_metrics.compute(**inputs)
    assert compute(1) != first


def test_speakers_cover_all_batches(ser_metrics):
    whole = ser_metrics.compute(references=REFERENCES, predictions=PREDICTIONS, speakers=SPEAKERS, confidence=0.95)
    for half in (slice(0, 6), slice(6, 10)):
        ser_metrics.add_batch(references=REFERENCES[half], predictions=PREDICTIONS[half])
    assert ser_metrics.compute(speakers=SPEAKERS, confidence=0.95) == whole


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"speakers": SPEAKERS[:4], "confidence": 0.95}, "one speaker for each of the 10 utterances .* found 4"),
        ({"speakers": SPEAKERS[:4]}, "one speaker for each of the 10 utterances .* found 4 speakers"),
        ({"speakers": ["a"] * 10, "confidence": 0.95, "method": "bootstrap"}, "at least two speakers"),
        ({"confidence": 95}, "between 0 and 1"),
        ({"labels": ["angry", "sad"]}, "references among the 2 labels, found 2; known: 0, 1; give the whole class set"),
        ({"labels": [0, 1]}, "references among the 2 labels, found 2"),
        ({"labels": ["angry", "sad", "sad"]}, "each label once, found more than one of sad"),
        ({"labels": ["angry", 1, 2]}, "all names or all integers"),
        ({"labels": []}, "ordered list of classes"),
        ({"labels": "angry"}, "ordered list of classes"),
        ({"labels": {"angry", "happy", "sad"}}, "ordered list of classes"),
        ({"predictions": [None, *PREDICTIONS[1:]]}, "1 of 10 predictions are None"),
        ({"predictions": [], "references": []}, "empty; at least one utterance"),
        ({"references": ["a", "b"], "predictions": ["a", "c"], "labels": ["a", "b"]}, "predictions among .* found c"),
        ({"references": ["hapy"], "predictions": ["sad"], "labels": ["happy", "sad"]}, "did you mean 'happy'"),
    ],
)
def test_bad_input_is_refused(ser_metrics, inputs, message):
    with pytest.raises(InputError, match=message):
        ser_metrics.compute(**({"references": REFERENCES, "predictions": PREDICTIONS} | inputs))


@pytest.mark.parametrize(
    ("references", "predictions", "message"),
    [
        ([0, 1], [0.4, 0.9], r"whole numbers or names as predictions, found 0\.4.*argmax"),
        ([0, 1], [0, 0.9], r"whole numbers or names as predictions, found 0\.9.*argmax"),
        ([0, 1], np.array([0, np.nan]), "whole numbers or names as predictions, found nan"),
        ([0, 1], torch.tensor([0.5, 1.5]), r"whole numbers or names as predictions, found 0\.5"),
        ([0.5, 1], [0, 1], r"whole numbers or names as references, found 0\.5"),
        ([0, 1], (np.eye(2), np.ones((3, 2))), r"Take the argmax: predictions\[0\]\.argmax\(axis=-1\)"),
        ([0, 1], [[0.2, 0.8], [0.9]], "Take the argmax"),
        ([0, 1], np.array([[1], [0]]), r"found lists of one value; give predictions\[:, 0\]"),
        ([0, 1], [[0.2, 0.8], [0.9, 0.1]], r"one class an utterance as predictions, found \(2, 2\).*argmax"),
        ([0, 1], np.eye(2), r"one class an utterance as predictions, found \(2, 2\).*argmax"),
        ([0, 1], torch.eye(2), r"one class an utterance as predictions, found \(2, 2\).*argmax"),
        (["a", "b"], ["a", 1], "don't match the expected format"),
        ([0, 1], ["0", "1"], "don't match the expected format"),
        ([0, 1, 1], [0, 1], "Mismatch in the number of predictions \\(2\\) and references \\(3\\)"),
    ],
)
def test_values_that_evaluate_would_coerce_are_refused(ser_metrics, references, predictions, message):
    with pytest.raises(ValueError, match=message):
        ser_metrics.compute(references=references, predictions=predictions)


def test_logits_are_told_what_to_do_however_they_are_added(ser_metrics):
    logits = np.array([[0.2, 0.8], [0.9, 0.1]])
    ser_metrics.add_batch(references=[0, 1], predictions=[0, 1])
    with pytest.raises(InputError, match="Take the argmax"):
        ser_metrics.add_batch(references=[0, 1], predictions=logits)
    with pytest.raises(InputError, match="Take the argmax"):
        ser_metrics.add(reference=0, prediction=logits[0])
    assert ser_metrics.compute()["confusion_matrix"] == [[1, 0], [0, 1]]
    with pytest.raises(InputError, match="Take the argmax"):
        evaluate.combine([ser_metrics]).compute(references=[0, 1], predictions=logits)
    assert ser_metrics.compute(references=[0, 1], predictions=logits.argmax(axis=-1))["ua"] == 0.0


def test_rows_of_a_filtered_table_are_taken_by_position(ser_metrics):
    table = pandas.DataFrame({"fold": [1, 2, 2], "reference": [0, 0, 1], "prediction": [1, 0, 1]})
    table = table[table.fold == 2]
    assert ser_metrics.compute(references=table.reference, predictions=table.prediction)["ua"] == 1.0


def test_a_missing_column_is_named(ser_metrics):
    with pytest.raises(InputError, match="references are missing; give predictions and references"):
        ser_metrics.compute(predictions=[0, 1])


def test_metric_still_works_after_a_refusal(ser_metrics):
    expected = ser_metrics.compute(references=REFERENCES, predictions=PREDICTIONS)
    with pytest.raises(InputError):
        ser_metrics.compute(references=REFERENCES, predictions=PREDICTIONS, labels=[0])
    assert ser_metrics.compute(references=REFERENCES, predictions=PREDICTIONS) == expected


def test_combination_keeps_the_keys_of_both(ser_metrics, load_ser_metrics, tmp_path):
    (tmp_path / "hits").mkdir()
    (tmp_path / "hits" / "hits.py").write_text(
        textwrap.dedent("""
        import datasets
        import evaluate

        class Hits(evaluate.Metric):
            def _info(self):
                column = datasets.Value("int64")
                features = datasets.Features({"predictions": column, "references": column})
                return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

            def _compute(self, predictions, references):
                return {"hits": sum(map(int.__eq__, predictions, references)), "confusion_matrix": "its own"}
        """)
    )
    expected = ser_metrics.compute(references=REFERENCES, predictions=PREDICTIONS)
    combination = evaluate.combine([load_ser_metrics(), load_ser_metrics(str(tmp_path / "hits"))])
    combination.add_batch(references=REFERENCES, predictions=PREDICTIONS)
    results = combination.compute()
    assert results.pop("hits") == 7
    assert results.pop("hits_confusion_matrix") == "its own"
    assert results.pop("ser_metrics_confusion_matrix") == expected.pop("confusion_matrix")
    assert results == expected


def test_evaluator_can_hand_over_a_dataset_column(ser_metrics):
    emotion = ClassLabel(names=["angry", "happy", "sad"])
    rows = Dataset.from_dict({"emotion": REFERENCES}, features=Features({"emotion": emotion}))
    evaluator = evaluate.evaluator("audio-classification")
    inputs = {"references": rows["emotion"]} | evaluator.predictions_processor(
        [[{"label": emotion.int2str(i), "score": 0.9}, {"label": "none", "score": 0.1}] for i in PREDICTIONS],
        label_mapping={name: emotion.str2int(name) for name in emotion.names},
    )
    results = evaluator.compute_metric(ser_metrics, inputs)
    assert results == ser_metrics.compute(references=REFERENCES, predictions=PREDICTIONS)


def test_two_processes_share_one_result(metric_folder, ser_metrics, tmp_path):
    script = f"""
import json
import sys
import evaluate
rank = int(sys.argv[1])
ser_metrics = evaluate.load({str(metric_folder)!r}, num_process=2, process_id=rank, experiment_id="shared")
share = slice(0, 6) if rank == 0 else slice(6, 10)
references, predictions = {REFERENCES}[share], {PREDICTIONS}[share]
ser_metrics.add_batch(references=references[:2], predictions=predictions[:2])
ser_metrics.add_batch(references=references[2:], predictions=predictions[2:])
print(json.dumps(ser_metrics.compute(speakers={SPEAKERS}, confidence=0.95)))
"""
    caches = {name: str(tmp_path / name) for name in ("HF_HOME", "HF_MODULES_CACHE", "HF_METRICS_CACHE")}
    environment = os.environ | caches | {"HF_EVALUATE_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(metric_folder.parents[1]), environment.get("PYTHONPATH", "")])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(rank)], env=environment, stdout=subprocess.PIPE, cwd=tmp_path, text=True
        )
        for rank in (0, 1)
    ]
    outputs = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
    expected = ser_metrics.compute(references=REFERENCES, predictions=PREDICTIONS, speakers=SPEAKERS, confidence=0.95)
    assert outputs == [expected, None]


NAMES = ["angry", "happy", "sad"]


@pytest.mark.parametrize("labels", [None, NAMES, ClassLabel(names=NAMES), [0, 1, 2]])
@pytest.mark.parametrize("none", [-100, -1])
def test_no_label_is_not_a_class(ser_metrics, none, labels):
    inputs = {"references": REFERENCES, "predictions": PREDICTIONS, "labels": labels}
    with pytest.raises(InputError, match=rf"references hold {none}, which is no class.*ignore_index={none}\b"):
        ser_metrics.compute(**inputs | {"references": [none, *REFERENCES[1:]]})
    for ignored in (None, none):  # what is left out is told by its reference, not by what a model says
        with pytest.raises(InputError, match=rf"predictions hold {none}, which is no class.*needs a prediction"):
            ser_metrics.compute(**inputs | {"predictions": [none, *PREDICTIONS[1:]]}, ignore_index=ignored)


@pytest.mark.parametrize(
    ("none", "ignored"),
    [((-100, -100), -100), ((-1, -1), -1), ((-100, -1), (-100, -1)), ((7, 7), 7), ((-1, -1), np.int64(-1))],
)
def test_utterances_without_a_label_are_left_out_when_asked(ser_metrics, none, ignored):
    expected = ser_metrics.compute(references=REFERENCES, predictions=PREDICTIONS, speakers=SPEAKERS, confidence=0.9)
    results = ser_metrics.compute(
        references=[none[0], *REFERENCES, none[1]],
        predictions=[-5, *PREDICTIONS, 1],
        speakers=["f", *SPEAKERS, "f"],
        confidence=0.9,
        ignore_index=ignored,
    )
    assert results == expected


def test_both_ways_to_say_no_label_are_left_out_as_the_message_says(ser_metrics):
    inputs = {"references": [0, -1, -100, 1], "predictions": [0, 0, 0, 1]}
    with pytest.raises(InputError, match=r"ignore_index=\(-100, -1\)"):
        ser_metrics.compute(**inputs)
    assert ser_metrics.compute(**inputs, ignore_index=(-100, -1))["confusion_matrix"] == [[1, 0], [0, 1]]


def test_nothing_left_to_score_is_refused(ser_metrics):
    with pytest.raises(InputError, match="every reference is -1"):
        ser_metrics.compute(references=[-1], predictions=[0], ignore_index=-1)


@pytest.mark.parametrize("n", [2, 9, 11])
def test_speakers_are_counted_before_utterances_are_left_out(ser_metrics, n):
    inputs = {"references": [*REFERENCES[:9], -1], "predictions": PREDICTIONS, "ignore_index": -1}
    with pytest.raises(InputError, match=f"one speaker for each of the 10 utterances .* found {n} speakers"):
        ser_metrics.compute(**inputs, speakers=["a"] * n)


def test_a_class_that_labels_name_may_be_negative(ser_metrics):
    assert ser_metrics.compute(references=[-1, 1], predictions=[-1, 1], labels=[-1, 1])["ua"] == 1.0


def test_numbers_alone_are_what_a_trainer_can_log(load_ser_metrics):
    scalars, whole = load_ser_metrics(config_name="scores"), load_ser_metrics()
    inputs = {"references": REFERENCES, "predictions": PREDICTIONS, "confidence": 0.9}
    results, expected = scalars.compute(**inputs), whole.compute(**inputs)
    assert all(isinstance(value, float) for value in results.values())
    assert {name: results[name] for name in SIX[:4]} == {name: expected[name] for name in SIX[:4]}
    assert [results["ua_low"], results["ua_high"]] == expected["ua_interval"]
    assert set(results) == {*SIX[:4], *(f"{name}_{end}" for name in SIX[:4] for end in ("low", "high"))}


def test_numbers_alone_stay_numbers_in_a_combination(load_ser_metrics):
    scalars = load_ser_metrics(config_name="scores")
    combination = evaluate.combine({"test": scalars, "again": load_ser_metrics(config_name="scores")})
    results = combination.compute(references=REFERENCES, predictions=PREDICTIONS)
    assert all(isinstance(value, float) for value in results.values())
    assert (
        results["test_ua"]
        == results["again_ua"]
        == scalars.compute(references=REFERENCES, predictions=PREDICTIONS)["ua"]
    )


def test_an_unknown_configuration_is_refused(load_ser_metrics):
    with pytest.raises(InputError, match=r"no configuration 'score'; did you mean 'scores'"):
        load_ser_metrics(config_name="score")


def test_a_score_by_speaker_is_computed_where_speakers_are_known(speaker_ua, ser_metrics, load_ser_metrics):
    inputs = {"references": REFERENCES, "predictions": PREDICTIONS}
    results = ser_metrics.compute(**inputs, speakers=SPEAKERS, confidence=0.9)
    assert results["speaker_ua"] == pytest.approx((0.5 + 1 + 1 + 0.5 + 0.5) / 5)
    assert results["speaker_ua_interval"][0] < results["speaker_ua"] < results["speaker_ua_interval"][1]
    assert "speaker_ua" not in ser_metrics.compute(**inputs)
    numbers = load_ser_metrics(config_name="scores").compute(**inputs, speakers=SPEAKERS, confidence=0.9)
    assert [numbers["speaker_ua_low"], numbers["speaker_ua_high"]] == results["speaker_ua_interval"]
    assert "speaker_ua (`float`): mean over speakers" in load_ser_metrics().inputs_description
