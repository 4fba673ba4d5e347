from pathlib import Path

import pytest
from speech import make_polish

from emobox_hf.corpora.spec import load_spec


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Polish corpus in synthetic speech, not to be changed by a test."""
    root = tmp_path_factory.mktemp("polish")
    make_polish(root, load_spec("polish"))
    return root
