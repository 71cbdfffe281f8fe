"""Which shard a process makes: as it is told, or where a launcher has put it."""

from __future__ import annotations

import pytest

from tengri.errors import ConfigError
from tengri.io.sharding import parse_shard, shard_of_environment

SRUN = {"SLURM_STEP_ID": "0"}
ARRAY = {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_COUNT": "8"}


@pytest.mark.parametrize(
    "environ, wanted",
    [
        (ARRAY, (5, 8)),
        ({**ARRAY, "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_STEP": "2"}, (2, 8)),
        ({**SRUN, "SLURM_PROCID": "3", "SLURM_NTASKS": "16"}, (4, 16)),
        ({**ARRAY, **SRUN, "SLURM_PROCID": "1", "SLURM_NTASKS": "2"}, (10, 16)),
        ({**ARRAY, "SLURM_PROCID": "0", "SLURM_NTASKS": "2"}, (5, 8)),  # a script, no srun in it
        ({"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "4"}, (1, 4)),
        ({"PMI_RANK": "3", "PMI_SIZE": "4"}, (4, 4)),
        ({"FLUX_TASK_RANK": "1", "FLUX_JOB_SIZE": "2"}, (2, 2)),
    ],
)
def test_the_launcher_says_which_shard(environ, wanted):
    assert shard_of_environment(environ) == wanted


def test_elements_and_tasks_share_all_shards_out():
    made = [
        shard_of_environment({**SRUN, "SLURM_ARRAY_TASK_ID": str(element),
                              "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_PROCID": str(task),
                              "SLURM_NTASKS": "4"})
        for element in range(3) for task in range(4)
    ]  # fmt: skip
    assert sorted(made) == [(number, 12) for number in range(1, 13)]


@pytest.mark.parametrize(
    "environ, message",
    [
        ({}, "no launcher has numbered this process"),
        ({**ARRAY, "SLURM_ARRAY_TASK_ID": "12"}, "element 11 of 8"),
        ({"PMI_RANK": "x", "PMI_SIZE": "4"}, "cannot be read"),
        ({"PMI_RANK": "1"}, "cannot be read"),
        ({**ARRAY, "SLURM_ARRAY_TASK_STEP": "3"}, "between two steps"),
    ],
)
def test_numbers_that_cannot_be_are_refused(environ, message):
    with pytest.raises(ConfigError, match=message):
        shard_of_environment(environ)


def test_the_option_reads_the_environment(monkeypatch):
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "6")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "7")
    assert parse_shard("env") == (7, 7)
    assert parse_shard("3/16") == (3, 16)
    with pytest.raises(ConfigError, match="3/16, or env"):
        parse_shard("third")
