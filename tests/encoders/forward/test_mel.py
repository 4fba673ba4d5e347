"""The spectrogram is the extractor's, to rounding, for a batch of any lengths."""

import pytest
import torch
from tiny_encoders import noise
from transformers import WhisperFeatureExtractor

from emobox_hf.encoders.forward.mel import LogMel, build_log_mel
from emobox_hf.encoders.known.identity import EncoderIdentity
from emobox_hf.errors import InputError

IDENTITY = EncoderIdentity("whisper-of-the-test", None, "0", "whisper")
EXTRACTOR = WhisperFeatureExtractor(feature_size=20, chunk_length=2)


@pytest.fixture(scope="module")
def log_mel() -> LogMel:
    return build_log_mel(EXTRACTOR, torch.device("cpu"), IDENTITY)


# Around half a window before the end of the 2 s the signal begins to be mirrored there.
@pytest.mark.parametrize(
    "lengths", [(320,), (8000, 320, 15_999), (31_799,), (31_801, 8000), (31_999, 31_900), (32_000,), (32_319, 500)]
)
def test_a_batch_is_what_the_extractor_gives_clip_by_clip(log_mel: LogMel, lengths: tuple[int, ...]) -> None:
    clips = [noise(n, seed=n) for n in lengths]
    together = log_mel([torch.from_numpy(clip) for clip in clips], 32_000)
    assert (together.shape, together.dtype) == ((len(clips), 200, 20), torch.float32)
    for clip, frames in zip(clips, together, strict=True):
        expected = EXTRACTOR(clip, sampling_rate=16_000, return_tensors="pt")["input_features"][0].T
        torch.testing.assert_close(frames, expected, atol=1e-5, rtol=0)


def test_silence_and_whispers_have_their_floor(log_mel: LogMel) -> None:
    """Where the loudest is so low that the floor of the power is less than the range below it."""
    for clip in (0 * noise(8000), 1e-4 * noise(8000)):
        expected = EXTRACTOR(clip, sampling_rate=16_000, return_tensors="pt")["input_features"][0].T
        torch.testing.assert_close(log_mel([torch.from_numpy(clip)], 32_000)[0], expected, atol=1e-5, rtol=0)


def test_an_extractor_that_adds_noise_is_refused() -> None:
    with pytest.raises(InputError, match=r"dither 0\.1, random noise in every clip; set it to 0"):
        build_log_mel(WhisperFeatureExtractor(dither=0.1), torch.device("cpu"), IDENTITY)
