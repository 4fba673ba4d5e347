"""Stores of the toy corpus."""

from pathlib import Path

import pytest
import torch
from toy_clips import CLIPS, KEY, KEYS, SMALL, ToyEncoder

from emobox_hf.features import FeatureStore, extract
from emobox_hf.features.ragged import RaggedFrames


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[RaggedFrames, torch.Tensor]:
    """What one process gets in one go."""
    store = FeatureStore.open(tmp_path_factory.mktemp("undisturbed"), KEY)
    extract(CLIPS, ToyEncoder(), store, **SMALL)
    return store.read(KEYS), store.read_pooled(KEYS)


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore.open(tmp_path, KEY)
