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
