"""A sample of `python -m benchmarks.fault_campaign`: a round of each of several kinds."""

from __future__ import annotations

import pytest

from benchmarks.faults.disks import CantError
from benchmarks.faults.kinds import BY_NAME
from benchmarks.faults.rounds import Campaign
from benchmarks.faults.workloads import PIPELINE, QUICK, YOLO, Workload

SAMPLE = (
    "kill_all",
    "kill_worker",
    "ctrl_c",
    "server_stopped",
    "server_drop",
    "kill_all_while_away",
    "cut_spool",
    "damaged_checkpoint",
    "full_work_dir",
    "clock_back",
)


def play(campaign: Campaign, kind: str, workload: Workload) -> None:
    for number in range(3):  # whose moment comes too late is no fault
        try:
            outcome = campaign.play(number, BY_NAME[kind], workload)
        except CantError as exc:
            pytest.skip(str(exc))
        assert outcome.findings == [], f"{outcome.story} in {outcome.kept}"
        if outcome.struck:
            return
    pytest.fail("no fault has struck in three rounds")


@pytest.mark.slow
@pytest.mark.parametrize("kind", SAMPLE)
def test_after_a_fault_the_same_command_loses_and_doubles_nothing(
    campaign: Campaign, kind: str
) -> None:
    play(campaign, kind, QUICK)


@pytest.mark.acceptance
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("kind", "workload"), [("kill_all", YOLO), ("kill_all_while_away", YOLO), ("ctrl_c", PIPELINE)]
)
def test_the_built_in_training_and_a_pipeline_go_on_as_well(
    campaign: Campaign, kind: str, workload: Workload
) -> None:
    play(campaign, kind, workload)
