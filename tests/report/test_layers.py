"""UA by layer."""

from typing import Any

import pytest

from emobox_hf.errors import InputError
from emobox_hf.report.layers import layers_table


def test_layers_are_averaged_over_folds(make_run: Any) -> None:
    deep = [{0: 0.2, 1: 0.4, 2: 0.6, "weighted": 0.5}, {0: 0.4, 1: 0.8, 2: 0.2, "weighted": 0.7}]
    flat = [{0: 0.1, 1: 0.3}, {0: 0.3, 1: 0.5}]
    runs = [
        make_run(encoder="deep", layer="all", by_layer=deep, chosen=(2, "weighted"), ua=0.65),
        make_run(encoder="flat", layer="all", by_layer=flat, chosen=(1, 1), ua=0.4),
        make_run(encoder="one layer"),
    ]
    table = layers_table(runs)
    assert table.columns == ("layer", "polish: deep", "polish: flat")
    rows = {row[0]: [value and round(value, 6) for value in row[1:]] for row in table.rows}
    assert rows == {
        "0": [30, 20],
        "1": [60, 40],
        "2": [40, None],
        "weighted": [60, None],
        "last": [40, 40],
        "best by validation": [65, 40],
    }
    assert table.notes[1:] == (
        "Chosen by validation for polish: deep: layer 2 in fold1, weighted in fold2.",
        "Chosen by validation for polish: flat: layer 1 in fold1, 1 in fold2.",
    )


def test_runs_of_one_layer_are_refused(make_run: Any) -> None:
    with pytest.raises(InputError, match="--layers all --head linear"):
        layers_table([make_run()])
