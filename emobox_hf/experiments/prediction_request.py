"""What the user asks trained probes for: which of them, and how files are read and cut."""

from dataclasses import dataclass
from typing import Literal

from emobox_hf.errors import InputError
from emobox_hf.options import option


@dataclass(frozen=True, kw_only=True)
class ProbeChoice:
    """Which of a run's probes are used, and by which encoder."""

    fold: str = option("", metavar="FOLD", help="the probes of this fold alone; else the mean of all folds'")
    weighted: bool = option(False, help="of a run over all layers, the learned weighted sum of them")
    calibrated: bool = option(
        False, help="as sure as validation found each probe to be right: its temperature, which the record states"
    )
    encoder: str = option("", help="the folder of the encoder, where it is neither on the Hub nor in the cache")


@dataclass(frozen=True, kw_only=True)
class FileChoice:
    """How files are read and cut."""

    window_s: float | None = option(
        None, help="cut longer files into windows of so many seconds; else by the run's --max-duration-s"
    )
    hop_s: float | None = option(None, help="from the start of one window to that of the next; else a window")
    on_error: Literal["stop", "skip"] = option("stop", help="skip: name files that cannot be read, and go on")
    batch_s: float | None = option(None, help="seconds of padded audio in a batch; else what suits the encoder")
    workers: int | None = option(None, help="processes that decode ahead of the encoder; else what suits the machine")

    def __post_init__(self) -> None:
        """Refuse lengths that are none.

        Raises:
            InputError: One is.
        """
        for name in ("window_s", "hop_s", "batch_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{name} is a number of seconds above 0, not {value}")
        if self.workers is not None and self.workers < 0:
            raise InputError(f"workers is a number of processes, 0 or more, not {self.workers}")
