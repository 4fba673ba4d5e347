"""Whisper's log-mel spectrogram of a batch on the device, equal to that of transformers' extractor."""

from dataclasses import dataclass
from typing import Any

import torch

from emobox_hf.encoders.forward.layout import send_rows
from emobox_hf.encoders.known.identity import EncoderIdentity
from emobox_hf.errors import InputError

_FLOOR = 1e-10  # of the power, -10 in its logarithm
_RANGE = 8.0  # in the logarithm, below the loudest


@dataclass(frozen=True)
class LogMel:
    """Waveforms -> log-mel frames, float32 (rows, time, mel bins)."""

    window: torch.Tensor  # float32 (samples,)
    filters: torch.Tensor  # float32 (frequencies, mel bins)
    hop: int
    device: torch.device

    def __call__(self, waveforms: list[torch.Tensor], n_samples: int) -> torch.Tensor:
        """Frames of the waveforms, each padded with silence to `n_samples` or cut to it.

        Only frames that hear a clip are computed; those of the silence behind all clips are known.
        """
        n_window = len(self.window)
        clips = [waveform[:n_samples] for waveform in waveforms]
        # Beyond its end the signal is mirrored: behind half a window of silence, that is silence too.
        length = min(-(-(max(map(len, clips)) + n_window // 2) // self.hop) * self.hop, n_samples)
        rows = send_rows(clips, length, self.device)
        spectrum = torch.stft(rows, n_window, self.hop, window=self.window, return_complex=True)
        power = spectrum[..., :-1].abs().square().transpose(1, 2)  # (rows, time, frequencies)
        log_mel = (power @ self.filters).clamp_(min=_FLOOR).log10_()  # (rows, time, mel bins)
        silent = n_samples // self.hop - log_mel.shape[1]
        log_mel = torch.nn.functional.pad(log_mel, (0, 0, 0, silent), value=-10.0)
        loudest = log_mel.amax((1, 2), keepdim=True)
        return (torch.maximum(log_mel, loudest - _RANGE) + 4) / 4


def build_log_mel(extractor: Any, device: torch.device, identity: EncoderIdentity) -> LogMel:
    """The spectrogram that an extractor's settings describe.

    Raises:
        InputError: the extractor adds noise, so that no two runs give the same frames.
    """
    if getattr(extractor, "dither", 0.0) != 0.0:
        raise InputError(
            f"{identity.name}: its preprocessor_config.json asks for dither {extractor.dither}, random noise in every "
            "clip; set it to 0"
        )
    return LogMel(
        torch.hann_window(extractor.n_fft, device=device),
        torch.as_tensor(extractor.mel_filters, dtype=torch.float32, device=device).contiguous(),
        extractor.hop_length,
        device,
    )
