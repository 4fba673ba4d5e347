"""`emobox bench`: how fast this machine extracts, stores and probes, each rate beside what to compare it with.

Nothing is read but weights that were asked for: clips are WAV files of noise, models have random weights, files and
stores lie in temporary folders. It runs where there is torch and transformers alone.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from emobox_hf.bench.budget import Budget
from emobox_hf.bench.clips import Recordings, recordings
from emobox_hf.bench.estimate import ASK
from emobox_hf.bench.extraction_rate import measure_encoder
from emobox_hf.bench.gemm import list_products, measure_gemm
from emobox_hf.bench.probe_rate import draw_data, measure_precision
from emobox_hf.bench.shapes import SHAPES, load_plain, make_config, make_shape
from emobox_hf.bench.store_rate import measure_store
from emobox_hf.bench.timed_extraction import Sample
from emobox_hf.encoders.encoder import PRECISIONS
from emobox_hf.encoders.known.identity import identify
from emobox_hf.errors import InputError, first_line, suggest
from emobox_hf.experiments.environment import describe_host, describe_versions, now, peak_memory_mb
from emobox_hf.precision import Precision
from emobox_hf.probes.train import DTYPES
from emobox_hf.text import show_number

PARTS = ("gemm", "encoders", "store", "probes")
Figures = dict[str, Any]
Say = Callable[[str], object]
Show = Callable[[str, Figures], object]


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
        rounds: How often each extraction and each loop is run, where there is time; medians are given.
        gemm_s: Seconds that a product of matrices is repeated.
        store_clips: Utterances that are written to a store and read.
        probe_epochs: Epochs of a probe.
        probe_clips: Utterances that probes are trained on.
        scratch: A folder for the files of noise and the temporary store; None for the system's.
        longest_s: Seconds; of what seems to take longer fewer rounds are run, and what one round of takes longer is
            skipped.
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
    longest_s: float = 120.0

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


def run_bench(request: BenchRequest, say: Say, show: Show = lambda part, figures: None) -> Figures:
    """The figures of all chosen parts as plain JSON, see `extraction_rate`, `gemm`, `store_rate` and `probe_rate`.

    What would take longer than the request allows is left out, and named under `skipped`.

    Args:
        request: What.
        say: Called with a line for each figure, as soon as it is there.
        show: Called with `machine`, then with each part when it is whole, and the figures so far.

    Raises:
        InputError: An encoder cannot be had.
    """
    for name in request.encoders:  # a misspelt one is known before the work is done
        identify(name)
    # Before anything else takes memory, as extraction does it.
    needs_files = "encoders" in request.parts
    with recordings(request.scratch, request.device.type) if needs_files else nullcontext() as files:
        return _measure(request, files, say, show)


def _measure(request: BenchRequest, files: Recordings | None, say: Say, show: Show) -> Figures:
    device = request.device
    figures: Figures = {"at": now(), "machine": describe_host(device) | {"versions": describe_versions()}}
    show("machine", figures)
    budget = Budget(request)
    say(budget.describe())
    measures: dict[str, Callable[[BenchRequest, Budget, Say], Any]] = {
        "gemm": _measure_products,
        **({"encoders": partial(_measure_encoders, files)} if files else {}),
        "store": _measure_store,
        "probes": _measure_probes,
    }
    for part, measure in measures.items():
        if part in request.parts and (found := measure(request, budget, say)):
            figures[part] = found
            show(part, figures)
    if budget.skipped:
        figures["skipped"] = [asdict(one) for one in budget.skipped]
    return figures | {"peak_memory_mb": peak_memory_mb()}


def _measure_products(request: BenchRequest, budget: Budget, say: Say) -> list[Figures]:
    device, found = request.device, []
    for precision in request.precisions:
        if not budget.allows(f"products of matrices in {precision}", budget.products_s(precision)):
            continue
        for shape in list_products(device):
            (one,) = measure_gemm(device, PRECISIONS[precision], [shape], seconds=request.gemm_s)
            say(f"({one.m}, {one.k}) by ({one.k}, {one.n}), {one.dtype}: {show_number(one.tflops)} TFLOP/s")
            found.append(asdict(one))
    return found


def _measure_encoders(files: Recordings, request: BenchRequest, budget: Budget, say: Say) -> list[Figures]:
    device, found = request.device, []
    for name in (*request.shapes, *request.encoders):
        if name in request.shapes and not budget.allows(name, budget.loop_s(make_config(name))):
            continue
        plain = make_shape(name, device=device) if name in request.shapes else load_plain(name, device=device)
        config = plain.model.config
        if name not in request.shapes and not budget.allows(name, budget.loop_s(config)):
            continue
        lengths = {one: budget.extraction_s(config, one) for one in request.precisions}
        precisions = [one for one, seconds in lengths.items() if budget.allows(f"{name} in {one}", seconds)]
        n_rounds = budget.count_rounds([budget.loop_s(config), *(lengths[one] for one in precisions)])
        if precisions and n_rounds < request.rounds:
            say(f"{name}: {n_rounds} of {request.rounds} rounds, for lack of time; {ASK} runs all")
        if precisions:
            sample = Sample(request.audio_s, request.loop_clips, n_rounds, request.gemm_s, request.scratch, files)
            found.append(asdict(measure_encoder(plain, device, precisions, sample, say)))
        del plain
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return found


def _measure_store(request: BenchRequest, budget: Budget, say: Say) -> Figures:
    rates = measure_store(request.store_clips, request.scratch)
    say(f"store: {show_number(rates.write_mb_s)} MB/s written, {show_number(rates.read_mb_s)} MB/s read")
    return asdict(rates)


def _measure_probes(request: BenchRequest, budget: Budget, say: Say) -> list[Figures]:
    data, found = draw_data(request.probe_clips), []
    for precision in DTYPES:
        if budget.allows(f"probes in {precision}", budget.probes_s(precision)):
            one = measure_precision(data, request.device, precision, epochs=request.probe_epochs)
            say(f"probes, {precision}: {show_number(one.steps_per_s)} steps/s, {show_number(one.times_loop)} x loop")
            found.append(asdict(one))
    return found
