import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from emobox_hf.errors import InputError
from emobox_hf.experiments import run, steps
from emobox_hf.experiments.launch import find_place

CPU = {"ACCELERATE_USE_CPU": "true"}


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[torch.device]:
    """Two GPUs that are not there; the list tells which were made the current one."""
    made_current: list[torch.device] = []
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", made_current.append)
    return made_current


@pytest.mark.parametrize(
    ("environment", "rank", "world_size"),
    [
        ({}, 0, 1),
        ({"RANK": "2", "WORLD_SIZE": "3", "LOCAL_RANK": "0"}, 2, 3),
        ({"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8", "SLURM_LOCALID": "1"}, 5, 8),
        # In a batch script that calls no srun there is one process, however many tasks were asked for.
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, 0, 1),
        # torchrun inside an srun step: the inner launcher knows better.
        (
            {"RANK": "9", "WORLD_SIZE": "16", "LOCAL_RANK": "1", "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2"},
            9,
            16,
        ),
    ],
)
def test_a_process_knows_its_place(environment: dict[str, str], rank: int, world_size: int) -> None:
    place = find_place(environment | CPU)
    assert (place.rank, place.world_size, place.device.type) == (rank, world_size, "cpu")


@pytest.mark.parametrize("environment", [{"RANK": "3", "WORLD_SIZE": "3"}, {"RANK": "one", "WORLD_SIZE": "3"}])
def test_variables_that_make_no_sense_are_refused(environment: dict[str, str]) -> None:
    with pytest.raises(InputError, match="RANK"):
        find_place(environment | CPU)


@pytest.mark.parametrize("word", ["1", "true", "True", "yes", "y", "t", "on"])
def test_the_cpu_is_asked_for_in_accelerates_words(word: str, gpus: list[torch.device]) -> None:
    assert find_place({"ACCELERATE_USE_CPU": word}).device == torch.device("cpu")
    assert gpus == []


def test_each_process_takes_the_gpu_of_its_rank_and_makes_it_the_current_one(gpus: list[torch.device]) -> None:
    for local_rank, expected in ((0, 0), (1, 1), (5, 1)):
        place = find_place({"RANK": str(local_rank), "WORLD_SIZE": "6", "LOCAL_RANK": str(local_rank)})
        assert place.device == gpus[-1] == torch.device("cuda", expected)


def test_the_device_that_accelerate_is_told_is_taken(gpus: list[torch.device]) -> None:
    assert find_place({"ACCELERATE_TORCH_DEVICE": "cuda:1", **CPU}).device == gpus[-1] == torch.device("cuda", 1)
    assert find_place({"ACCELERATE_TORCH_DEVICE": "cpu"}).device == torch.device("cpu")
    with pytest.raises(InputError, match="ACCELERATE_TORCH_DEVICE is a device such as cuda:1 or cpu, not 'gpu:1'"):
        find_place({"ACCELERATE_TORCH_DEVICE": "gpu:1"})


@pytest.mark.parametrize(
    "environment", [{}, CPU, {"ACCELERATE_USE_CPU": "on"}, {"ACCELERATE_TORCH_DEVICE": "meta"}], ids=str
)
def test_extraction_and_probes_choose_one_device(environment: dict[str, str]) -> None:
    """Held to the choice of accelerate, in a process of its own since it chooses once."""
    script = "from emobox_hf.experiments.launch import *; print(join_group().device.type, find_place().device.type)"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ACCELERATE_")}
    command = [sys.executable, "-c", script]
    printed = subprocess.run(command, env={**clean, **environment}, capture_output=True, text=True, check=True).stdout
    accelerates, ours = printed.split()
    assert accelerates == ours


def test_a_run_of_a_series_counts_its_own_peak_of_a_gpus_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class ExtractionError(Exception):
        pass

    def stop(*_: object) -> None:
        raise ExtractionError

    asked: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", asked.append)
    monkeypatch.setattr(run, "plan_run", lambda _: SimpleNamespace(is_finished=False))
    monkeypatch.setattr(steps, "extract_run", stop)
    for name in ("cuda:1", "cpu", "cuda:1"):
        monkeypatch.setattr(run, "join_group", partial(SimpleNamespace, device=torch.device(name)))
        with pytest.raises(ExtractionError):
            run.run_probe(SimpleNamespace())
    assert asked == [torch.device("cuda:1")] * 2


@pytest.mark.processes
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads as Linux lists them")
def test_no_thread_of_the_group_outlives_it(checkout: Path) -> None:
    """One that did would abort the process as it ends, now and then: whatever is imported between join and leave."""
    script = """
from pathlib import Path
from emobox_hf.experiments.launch import join_group, leave_group
def threads():
    return {path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")}
join_group()
from transformers import WhisperModel
within = threads()
leave_group()
print("gloo_tcp_loop" in within, [name for name in threads() if "gloo" in name])
"""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "1", "--master_port", "29611"]
    outcome = subprocess.run(
        [*command, "--no-python", sys.executable, "-c", script],
        cwd=checkout,
        env={**os.environ, **CPU},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.strip() == "True []"
