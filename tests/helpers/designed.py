"""Scenarios of a design, as tests write them."""

from __future__ import annotations

import pytest

from guardianflow.contracts.errors import ScenarioError
from scenario import Scenario, build_scenario

VALUES: dict[str, object] = {
    "name": "demo",
    "site": {"customer": "c", "region": "r"},
    "task": {"type": "ppe"},
    "model": {"architecture": "yolo11n"},
    "dataset": {"path": "demo://ppe"},
}


def designed(**sections: object) -> Scenario:
    return build_scenario({**VALUES, **sections})


def problems(**sections: object) -> list[str]:
    """What a scenario is refused for."""
    with pytest.raises(ScenarioError) as caught:
        designed(**sections)
    return [each.message for each in caught.value.problems]
