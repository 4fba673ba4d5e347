from pathlib import Path
from typing import Any

import pytest
from toy_corpora import make_corpus

from emobox_hf import probe
from emobox_hf.api.runs import Run


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of one's own, 4 speakers and 4 emotions; its TOML file."""
    return make_corpus(tmp_path_factory.mktemp("toy"), "toy")


@pytest.fixture(scope="session")
def options(toy: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What to ask `probe` for."""
    folder = tmp_path_factory.mktemp("places")
    return {
        "corpus": str(toy),
        "data_dir": str(toy.parent / "toy"),
        "encoder": encoder,
        "head": "linear",
        "features": str(folder / "features"),
        "output": str(folder / "runs"),
    }


@pytest.fixture(scope="session")
def run(options: dict[str, Any]) -> Run:
    """A finished run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOBOX_CONFIG", "")
        return probe(**options)
