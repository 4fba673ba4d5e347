"""`emobox bench`: how fast this machine extracts, stores and probes, each rate beside what to compare it with.

Nothing is read but weights that were asked for: clips are noise, models have random weights, the store lies in a
temporary folder. It runs where there is torch and transformers alone.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from emobox_hf.bench.extraction_rate import measure_encoder
from emobox_hf.bench.gemm import list_products, measure_gemm
from emobox_hf.bench.probe_rate import measure_probes
from emobox_hf.bench.shapes import SHAPES, load_plain, make_shape
from emobox_hf.bench.store_rate import measure_store
from emobox_hf.bench.timed_extraction import Sample
from emobox_hf.encoders.encoder import PRECISIONS
from emobox_hf.errors import InputError, first_line, suggest
from emobox_hf.experiments.environment import describe_host, describe_versions, now, peak_memory_mb
from emobox_hf.precision import Precision

PARTS = ("gemm", "encoders", "store", "probes")


@dataclass(frozen=True, kw_only=True)
class BenchRequest:
    """What to measure, and how long.

    Attributes:
        device: Where.
        shapes: Published encoders of which random ones are made, see `SHAPES`.
        encoders: Encoders whose weights are here: folders, or ids that the Hub's cache has.
        precisions: Of extraction, in accelerate's words.
        parts: Which of `PARTS`.
        audio_s: Seconds of sound that an extraction encodes.
        loop_clips: Clips that the loop to compare with takes at most.
        rounds: How often each extraction and each loop is run; medians are given.
        gemm_s: Seconds that a product of matrices is repeated.
        store_clips: Utterances that are written to a store and read.
        probe_epochs: Epochs of a probe.
        probe_clips: Utterances that probes are trained on.
        scratch: A folder for the temporary store; None for the system's.
    """

    device: torch.device
    shapes: tuple[str, ...]
    encoders: tuple[str, ...] = ()
    precisions: tuple[Precision, ...]
    parts: tuple[str, ...] = PARTS
    audio_s: float
    loop_clips: int
    rounds: int = 3
    gemm_s: float = 0.3
    store_clips: int = 600
    probe_epochs: int = 2
    probe_clips: int = 535
    scratch: Path | None = None

    def __post_init__(self) -> None:
        """Refuse options that cannot be measured with."""
        for name in self.shapes:
            if name not in SHAPES:
                raise InputError(f"unknown shape {name!r}{suggest(name, SHAPES)}")
        if self.rounds < 1:
            raise InputError(f"--rounds is a whole number from 1, not {self.rounds}")
        if not 0 < self.audio_s < float("inf"):
            raise InputError(f"--audio-s is a number of seconds above 0, not {self.audio_s}")
        if self.scratch is not None and not self.scratch.is_dir():
            raise InputError(f"--scratch is a folder that exists, not {self.scratch}")


def choose_device(name: str | None) -> torch.device:
    """The device of that name, else a GPU where there is one, else the CPU.

    Raises:
        InputError: There is no such device here.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = first_line(error)
        raise InputError(f"no device {name!r} here ({reason}); leave --device out, or give cpu or cuda") from error
    return device


def default_request(device: torch.device, *, is_quick: bool = False, **chosen: Any) -> BenchRequest:
    """The request that suits a device, about four minutes on two cores, with what is `chosen` in its place."""
    if is_quick:
        settings: dict[str, Any] = {
            "shapes": ("wav2vec2-toy", "whisper-toy"),
            "audio_s": 8.0,
            "loop_clips": 4,
            "rounds": 1,
            "gemm_s": 0.01,
            "store_clips": 20,
            "probe_epochs": 1,
            "probe_clips": 60,
        }
    elif device.type == "cpu":
        settings = {"shapes": ("wav2vec2-base", "whisper-tiny"), "audio_s": 160.0, "loop_clips": 100}
    else:
        settings = {
            "shapes": ("wav2vec2-base", "wavlm-large", "whisper-tiny", "whisper-large-v3"),
            "audio_s": 5000.0,
            "loop_clips": 64,
            "store_clips": 3000,
            "probe_epochs": 20,
        }
    settings["precisions"] = ("no", "bf16") if device.type == "cpu" else ("no", "bf16", "fp16")
    given = {name: value for name, value in chosen.items() if value is not None}
    if "encoders" in given and "shapes" not in given:
        given["shapes"] = ()
    return BenchRequest(device=device, **settings | given)


def run_bench(request: BenchRequest, say: Callable[[str], object]) -> dict[str, Any]:
    """The figures of all chosen parts as plain JSON, see `extraction_rate`, `gemm`, `store_rate` and `probe_rate`.

    Args:
        request: What.
        say: Called with a line of progress.

    Raises:
        InputError: An encoder cannot be had.
    """
    device = request.device
    figures: dict[str, Any] = {"at": now(), "machine": describe_host(device) | {"versions": describe_versions()}}
    if "gemm" in request.parts:
        figures["gemm"] = []
        for precision in request.precisions:
            say(f"products of matrices, {precision}")
            found = measure_gemm(device, PRECISIONS[precision], list_products(device), seconds=request.gemm_s)
            figures["gemm"] += [asdict(product) for product in found]
    if "encoders" in request.parts:
        sample = Sample(request.audio_s, request.loop_clips, request.rounds, request.gemm_s, request.scratch)
        encoders = []
        for name in (*request.shapes, *request.encoders):
            say(f"{name}: {'random weights' if name in request.shapes else 'weights as given'}")
            plain = make_shape(name, device=device) if name in request.shapes else load_plain(name, device=device)
            encoders.append(asdict(measure_encoder(plain, device, request.precisions, sample, say)))
            del plain
            if device.type == "cuda":
                torch.cuda.empty_cache()
        figures["encoders"] = encoders
    if "store" in request.parts:
        say("a store")
        figures["store"] = asdict(measure_store(request.store_clips, request.scratch))
    if "probes" in request.parts:
        say("probes")
        measured = measure_probes(device, n_clips=request.probe_clips, epochs=request.probe_epochs)
        figures["probes"] = [asdict(one) for one in measured]
    return figures | {"peak_memory_mb": peak_memory_mb()}
