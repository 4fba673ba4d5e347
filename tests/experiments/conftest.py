from pathlib import Path
from typing import Any

import pytest
from speech import make_polish

from emobox_hf.corpora.spec import load_spec
from emobox_hf.experiments.request import ProbeRequest, make_request


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


@pytest.fixture
def request_for(polish: Path, encoder: Path, features: Path, tmp_path: Path) -> Any:
    """A function options -> ProbeRequest; quick ones unless told otherwise."""

    def make(**options: Any) -> ProbeRequest:
        defaults = {
            "corpus": "polish",
            "encoder": str(encoder),
            "data_dir": polish,
            "features": features,
            "output": tmp_path / "runs",
            "head": "linear",
            "epochs": 8,
        }
        return make_request(**defaults | options)

    return make
