import os
import subprocess
import sys
from pathlib import Path

import pytest

from emobox_hf.errors import InputError
from emobox_hf.experiments.launch import find_place

CPU = {"ACCELERATE_USE_CPU": "true"}


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
