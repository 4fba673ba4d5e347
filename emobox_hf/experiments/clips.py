"""From utterances to what extraction takes: clips that read their own waveform, an encoder under autocast."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from emobox_hf.audio import read_info, read_waveform
from emobox_hf.corpora.manifest import Manifest
from emobox_hf.corpora.utterance import Utterance
from emobox_hf.errors import InputError
from emobox_hf.experiments.plan import N_READERS
from emobox_hf.experiments.request import ProbeRequest
from emobox_hf.features import Clip

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

    from emobox_hf.encoders.encoder import Encoder


def list_clips(
    manifest: Manifest, utterances: Sequence[Utterance], request: ProbeRequest
) -> tuple[list[Clip], dict[str, str]]:
    """The clips to encode, and key and reason of those left out for their length or, under `skip`, for a broken file.

    Raises:
        InputError: A file's header cannot be read and `on_error` is `stop`.
    """
    with ThreadPoolExecutor(N_READERS) as readers:
        durations = list(readers.map(lambda u: _read_duration(manifest, u), utterances))
    clips, left_out = [], dict.fromkeys(manifest.missing, "missing from the corpus folder")
    for utterance, duration_s in zip(utterances, durations, strict=True):
        if isinstance(duration_s, InputError):
            if request.on_error == "stop":
                raise InputError(
                    f"utterance {utterance.key}: {duration_s}. Mend or replace the file, or leave such clips out with "
                    "--on-error skip, which names them in the record"
                ) from duration_s
            left_out[utterance.key] = str(duration_s)
        elif duration_s > request.max_duration_s:
            left_out[utterance.key] = f"{duration_s:.1f} s long, over {request.max_duration_s:g} s"
        else:
            read = partial(
                read_waveform,
                manifest.root / utterance.path,
                channels=manifest.spec.channels,
                start_s=utterance.start_s,
                end_s=utterance.end_s,
                resampler=request.resampler,
            )
            clips.append(Clip(utterance.key, duration_s, read))
    return clips, left_out


def _read_duration(manifest: Manifest, utterance: Utterance) -> float | InputError:
    if utterance.start_s is not None and utterance.end_s is not None:
        return utterance.end_s - utterance.start_s
    try:
        return read_info(manifest.root / utterance.path).duration_s
    except InputError as error:
        return error


@dataclass(frozen=True)
class Autocast:
    """An encoder whose every call runs under the accelerator's mixed precision."""

    encoder: "Encoder"
    accelerator: "Accelerator"

    def padded_s(self, duration_s: float) -> float:
        """See `Encoder.padded_s`."""
        return self.encoder.padded_s(duration_s)

    def encode(self, waveforms: Sequence[Any]) -> list["torch.Tensor"]:
        """See `Encoder.encode`."""
        with self.accelerator.autocast():
            return self.encoder.encode(waveforms)
