"""Windows cover a clip once, and none is too short to give a frame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emobox_hf.encoders.forward.windows import WINDOW_SAMPLES, TooShortError, cut_windows
from emobox_hf.errors import InputError


@given(st.integers(400, 3_000_000), st.sampled_from([320, 400]))
def test_windows_cover_the_clip_once_and_none_is_too_short(n_samples: int, min_samples: int) -> None:
    windows = cut_windows(n_samples, min_samples=min_samples)
    assert [start for start, _ in windows] == [0, *(end for _, end in windows[:-1])]
    assert windows[-1][1] == n_samples
    assert all(min_samples <= end - start < WINDOW_SAMPLES + min_samples for start, end in windows)


def test_thirty_seconds_are_one_window() -> None:
    assert cut_windows(480_000, min_samples=400) == [(0, 480_000)]
    assert len(cut_windows(480_400, min_samples=400)) == 2


def test_too_short_is_the_users_to_handle() -> None:
    with pytest.raises(TooShortError, match=r"399 samples \(0\.0249 s"):
        cut_windows(399, min_samples=400)
    assert issubclass(TooShortError, InputError)
