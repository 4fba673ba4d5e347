"""Which precision suits a machine, and what is said of one that does not."""

from pathlib import Path
from typing import Any

import pytest

from emobox_hf import processor
from emobox_hf.experiments import mixed_precision
from emobox_hf.experiments.mixed_precision import choose_precision, warn_of_emulation
from emobox_hf.experiments.plan import plan_run
from emobox_hf.experiments.run import run_probe
from emobox_hf.experiments.series import load_series
from emobox_hf.results import read_record


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A function that pretends to be a machine: flags of its processor, capability of its CUDA device."""

    def pretend(flags: str, capability: tuple[int, int] | None = None) -> None:
        path = tmp_path / "cpuinfo"
        path.write_text(f"processor\t: 0\nmodel name\t: Some CPU\n{flags}\n\nprocessor\t: 1\n", encoding="utf-8")
        monkeypatch.setattr(processor, "_CPUINFO", path)
        processor._flags.cache_clear()
        monkeypatch.setattr(mixed_precision, "_cuda_capability", lambda number: None if number else capability)

    yield pretend
    processor._flags.cache_clear()


AVX2, AVX512, AMX = ("flags\t\t: fpu avx2 fma", "flags\t\t: fpu avx2 avx512f avx512_bf16", "flags\t: amx_bf16 amx_tile")
ARM, OLD_ARM = "Features\t: fp asimd asimdhp bf16", "Features\t: fp asimd"


@pytest.mark.parametrize(
    ("flags", "capability", "expected"),
    [
        (AVX2, None, "no"),
        (AVX512, None, "bf16"),
        (AMX, None, "bf16"),
        (ARM, None, "bf16"),
        (OLD_ARM, None, "no"),
        (AVX2, (9, 0), "bf16"),
        (AVX2, (8, 0), "bf16"),
        (AVX512, (7, 5), "fp16"),
        (AVX512, (6, 1), "no"),
    ],
)
def test_auto_is_what_the_device_multiplies_by_itself(
    machine: Any, flags: str, capability: tuple[int, int] | None, expected: str
) -> None:
    machine(flags, capability)
    assert choose_precision("auto", {}) == expected
    for explicit in ("no", "bf16", "fp16"):
        assert choose_precision(explicit, {}) == explicit


def test_a_launch_that_asks_for_half_precision_goes_before_auto(machine: Any) -> None:
    machine(AVX2, (9, 0))
    assert choose_precision("auto", {"ACCELERATE_MIXED_PRECISION": "fp16"}) == "fp16"
    # A launch says `no` where nobody asked, too.
    assert choose_precision("auto", {"ACCELERATE_MIXED_PRECISION": "no"}) == "bf16"
    assert choose_precision("auto", {"ACCELERATE_USE_CPU": "true"}) == "no"


@pytest.mark.parametrize(
    ("device", "flags", "expected"),
    [
        ("cpu", AVX2, "no"),
        ("cpu", AVX512, "bf16"),
        ("cuda", AVX2, "bf16"),
        ("cuda:0", AVX2, "bf16"),
        ("cuda:1", AVX512, "no"),
        ("mps", AVX512, "no"),
    ],
)
def test_auto_is_for_the_device_that_accelerate_is_told(machine: Any, device: str, flags: str, expected: str) -> None:
    machine(flags, (9, 0))
    assert choose_precision("auto", {"ACCELERATE_TORCH_DEVICE": device}) == expected
    assert choose_precision("auto", {"ACCELERATE_TORCH_DEVICE": device, "ACCELERATE_USE_CPU": "true"}) == expected


def test_an_emulated_precision_is_told_in_a_line_and_a_native_one_is_not(
    machine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    machine(AVX2)
    for precision, device in (("no", "cpu"), ("bf16", "cuda"), ("fp16", "mps")):
        warn_of_emulation(precision, device)
    assert caplog.messages == []
    for precision in ("bf16", "fp16"):
        warn_of_emulation(precision, "cpu")
        (told,) = caplog.messages
        caplog.clear()
        assert "\n" not in told
        assert f"--mixed-precision {precision} is emulated by this processor: expect 10 to 28 times" in told
        assert "--mixed-precision auto" in told
    machine(AVX512)
    warn_of_emulation("bf16", "cpu")
    assert caplog.messages == []


def test_runs_of_different_outcomes_are_different_and_the_record_tells_both(request_for: Any, machine: Any) -> None:
    machine(AVX512)
    half = plan_run(request_for(mixed_precision="auto"))
    assert half.settings.digest == plan_run(request_for(mixed_precision="bf16")).settings.digest
    machine(AVX2)
    whole = plan_run(request_for(mixed_precision="auto"))
    assert whole.settings.digest == plan_run(request_for()).settings.digest != half.settings.digest
    record = read_record(run_probe(request_for(mixed_precision="auto", folds=("fold1",))))
    assert (record.settings.encoder.mixed_precision, record.machine["asked_precision"]) == ("no", "auto")


def test_baselines_are_computed_in_float32_whatever_suits_the_machine(request_for: Any, machine: Any) -> None:
    machine(AVX512)
    plan = plan_run(request_for(encoder="baseline:duration", mixed_precision="auto"))
    assert plan.settings.encoder.mixed_precision == "no"


@pytest.mark.parametrize(
    "name", ["intra_corpus", "cross_corpus", "layers", "partition", "polish_layers", "label_noise"]
)
def test_experiments_take_what_suits_the_machine(name: str) -> None:
    assert {request.encoder.mixed_precision for request in load_series(name).requests} == {"auto"}
