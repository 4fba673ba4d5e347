"""Predictions as a Parquet file: written whole, read against a corpus, refused where they do not fit."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emobox_hf.corpora.predictions import Predictions, read_probabilities, write_probabilities
from emobox_hf.errors import InputError

KEYS = ("c-1", "c-2", "c-3")


def write(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_what_is_written_is_read_and_null_says_what_is_not_known(tmp_path: Path) -> None:
    probabilities = np.array([[0.7, 0.2], [np.nan, np.nan], [0.1, 0.5]], dtype=np.float32)
    predictions = Predictions(KEYS, ("Angry", "Sad"), probabilities, {"c-2": "too long"}, {"corpus": "c", "model": "m"})
    rest = np.array([0.1, np.nan, 0.4], dtype=np.float32)
    path = tmp_path / "predictions.parquet"
    write_probabilities(predictions, path, corpus_emotions=("Angry", "Fear", "Sad"), rest=rest)
    columns = pq.read_table(path).to_pydict()
    assert list(columns) == ["key", "p_Angry", "p_Fear", "p_Sad", "rest", "reason"]
    assert columns["p_Fear"] == [None] * 3
    assert columns["p_Angry"] == [pytest.approx(0.7), None, pytest.approx(0.1)]
    assert columns["reason"] == [None, "too long", None]
    again = read_probabilities(path, keys=KEYS[::-1], corpus="c")
    assert (again.keys, again.emotions, again.reasons, again.model) == (
        KEYS[::-1],
        ("Angry", "Sad"),
        {"c-2": "too long"},
        "m",
    )
    np.testing.assert_array_equal(again.probabilities, probabilities[::-1])
    assert again.choose(("Angry", "Fear", "Sad")) == {"c-1": "Angry", "c-3": "Sad"}


def test_a_table_of_ones_own_will_do(tmp_path: Path) -> None:
    path = write(
        tmp_path / "own.parquet", key=list(KEYS), p_ang=[0.9, 0.1, 0.2], p_sadness=[0.1, 0.9, 0.8], note=["", "", ""]
    )
    own = read_probabilities(path, keys=KEYS, corpus="c")
    assert own.emotions == ("Angry", "Sad")
    assert own.choose(("Angry", "Sad")) == {"c-1": "Angry", "c-2": "Sad", "c-3": "Sad"}
    assert own.model == "unknown model"


GOOD = {"key": list(KEYS), "p_Angry": [0.9, 0.1, 0.2], "p_Sad": [0.1, 0.9, 0.8]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": ["c-1", "c-2", "c-2"]}, "each key once.*c-2"),
        ({"p_Angry": [0.9, None, 0.2]}, "1 rows have others: c-2"),
        ({"p_Angry": [0.9, 1.7, 0.2]}, "1 rows have others: c-2"),
        ({"p_LABEL_0": [0.9, 0.1, 0.2]}, "column p_LABEL_0 names no emotion"),
        ({"p_anger": [0.9, 0.1, 0.2]}, "column p_anger names Angry, as p_Angry does"),
        ({"p_Sad": [None] * 3}, "two columns .* or more, found p_Angry"),
        ({"p_Sad": ["a", "b", "c"]}, "expected numbers in p_Angry, p_Sad"),
    ],
)
def test_what_means_nothing_is_refused(tmp_path: Path, changes: dict[str, list[object]], message: str) -> None:
    path = write(tmp_path / "predictions.parquet", **(GOOD | changes))
    with pytest.raises(InputError, match=message):
        read_probabilities(path, keys=KEYS, corpus="c")


def test_missing_and_extra_keys_are_named_five_of_each(tmp_path: Path) -> None:
    path = write(tmp_path / "predictions.parquet", **GOOD)
    keys = [f"c-{number}" for number in range(2, 10)]
    with pytest.raises(InputError, match=r"6 keys are missing: c-4, c-5, c-6, c-7, c-8 … and 1 more; 1 .* not .*: c-1"):
        read_probabilities(path, keys=keys, corpus="c")


def test_another_corpus_and_what_is_no_table_are_refused(tmp_path: Path) -> None:
    predictions = Predictions(KEYS, ("Angry", "Sad"), np.ones((3, 2), np.float32) / 2, {}, {"corpus": "other"})
    path = tmp_path / "predictions.parquet"
    write_probabilities(predictions, path, corpus_emotions=("Angry", "Sad"), rest=np.zeros(3, np.float32))
    with pytest.raises(InputError, match="expected predictions of c, found those of other"):
        read_probabilities(path, keys=KEYS, corpus="c")
    path.write_text("not parquet")
    with pytest.raises(InputError, match="emobox label"):
        read_probabilities(path, keys=KEYS, corpus="c")
    with pytest.raises(InputError, match="emobox label"):
        read_probabilities(tmp_path / "absent.parquet", keys=KEYS, corpus="c")
    with pytest.raises(InputError, match=r"a column `key`.*found 2 rows with a, b"):
        read_probabilities(write(tmp_path / "x.parquet", a=[1, 2], b=[1, 2]), keys=KEYS, corpus="c")


def test_predictions_whose_keys_are_no_text_are_refused(tmp_path: Path) -> None:
    keys = pa.array([b"\xeb", b"b"]).view(pa.string())
    pq.write_table(pa.table({"key": keys, "p_Angry": [0.5, 0.5], "p_Sad": [0.5, 0.5]}), tmp_path / "p.parquet")
    with pytest.raises(InputError, match=r"p\.parquet: expected a Parquet file of predictions, found none"):
        read_probabilities(tmp_path / "p.parquet", keys=["a", "b"], corpus="polish")
