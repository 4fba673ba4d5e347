"""How a waveform becomes rows of a batch: windows of at most 30 s, and what is too short to give a frame."""

from emobox_hf.errors import InputError
from emobox_hf.sampling import SAMPLE_RATE_HZ

# Whisper's context, and long enough for any utterance; attention over hours of sound would not fit in memory.
WINDOW_S = 30
WINDOW_SAMPLES = WINDOW_S * SAMPLE_RATE_HZ


class TooShortError(InputError):
    """A clip that is too short for the encoder to give one frame."""


def cut_windows(n_samples: int, *, min_samples: int, window_samples: int = WINDOW_SAMPLES) -> list[tuple[int, int]]:
    """Start and end of each window of a clip, in samples: `window_samples` each, the last one what is left.

    A rest too short to give a frame belongs to the window before it, so no sample is lost to the cut.

    Raises:
        TooShortError: the clip has fewer than `min_samples`.

    >>> cut_windows(16_000, min_samples=400)
    [(0, 16000)]
    >>> cut_windows(1_000_000, min_samples=400)
    [(0, 480000), (480000, 960000), (960000, 1000000)]
    >>> cut_windows(480_399, min_samples=400)
    [(0, 480399)]
    """
    if n_samples < min_samples:
        raise TooShortError(
            f"a clip of {n_samples} samples ({n_samples / SAMPLE_RATE_HZ:.4f} s at 16 kHz) gives no frame: the encoder "
            f"needs {min_samples} samples ({min_samples / SAMPLE_RATE_HZ:g} s); leave the clip out, with a reason"
        )
    starts = list(range(0, n_samples, window_samples))
    if len(starts) > 1 and n_samples - starts[-1] < min_samples:
        starts.pop()
    return list(zip(starts, [*starts[1:], n_samples], strict=True))
