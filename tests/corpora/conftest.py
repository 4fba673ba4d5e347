"""What the tests of corpora share."""

from pathlib import Path

import pytest

from emobox_hf.files import cache_dir


@pytest.fixture
def cache() -> Path:
    """The cache folder of this test, which is empty."""
    return cache_dir()
