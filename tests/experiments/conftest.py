from pathlib import Path

import pytest
from speech import make_polish

from emobox_hf.corpora.spec import load_spec


@pytest.fixture(scope="session")
def polish(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Polish corpus in synthetic speech, not to be changed by a test."""
    root = tmp_path_factory.mktemp("data") / "polish"
    make_polish(root, load_spec("polish"))
    return root


@pytest.fixture(scope="session")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that the tests share, so that the encoder runs once."""
    return tmp_path_factory.mktemp("features")
