import dataclasses

import pytest
from toy_clips import KEY

from emobox_hf.errors import InputError
from emobox_hf.features import FeatureKey

OTHER = {
    "corpus": "other",
    "corpus_digest": "c1",
    "encoder": "someone/else",
    "encoder_digest": "e1",
    "layer": 3,
    "context": "30 s",
    "resampler": "torchaudio",
    "precision": "bf16",
    "storage_dtype": "int8",
    "feature_format": 99,
}


def test_each_field_is_tried_below():
    assert set(OTHER) == {field.name for field in dataclasses.fields(FeatureKey)}


@pytest.mark.parametrize("name", OTHER)
def test_every_field_changes_digest_and_folder(name):
    other = dataclasses.replace(KEY, **{name: OTHER[name]})
    assert other.digest != KEY.digest
    assert other.folder != KEY.folder


def test_the_digest_is_the_same_in_every_release_of_one_format():
    assert KEY.digest == dataclasses.replace(KEY).digest == "b0783e33ec4ed9bc"
    assert KEY.folder == f"toy/someone-encoder-{KEY.digest[:12]}"


def test_a_long_local_path_gives_a_legal_folder_name():
    key = dataclasses.replace(KEY, encoder="/home/someone/" + "deep/" * 80 + "my model")
    corpus, name = key.folder.split("/")
    assert corpus == "toy"
    assert len(name) < 120
    assert name.startswith("deep") or "my-model" in name


@pytest.mark.parametrize("wrong", [{"precision": "half"}, {"storage_dtype": "int4"}])
def test_unknown_precision_or_dtype_is_refused(wrong):
    with pytest.raises(InputError, match="is one of"):
        dataclasses.replace(KEY, **wrong)
