"""The files that a scenario names and that are not on this machine, as --dry-run tells them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.given import given_path

from .settings import PROJECT_ROOT

if TYPE_CHECKING:
    from scenario import Scenario

    from .stage.stage import StageRequest


def missing_files(scenario: Scenario, requests: Sequence[StageRequest]) -> list[str]:
    """A line for the data set, recordings and weights to train from that are missing.

    What DVC would fetch is not missing, nor what is drawn or lies behind an address.
    """
    base = Path(requests[0].base_dir) if requests else Path.cwd()
    bases = (base, Path.cwd())
    lines = _missing("dataset.path", scenario.dataset.path, bases)
    if scenario.alarms is not None:
        lines += _missing("alarms.recordings.path", scenario.alarms.recordings.path, bases)
    if any(each.stage == "train" for each in requests):
        wanted = scenario.model.weights_path
        lines += _missing("model.weights_path", wanted, (*bases, PROJECT_ROOT))
    return lines


def _missing(field: str, wanted: str | None, bases: Sequence[Path]) -> list[str]:
    if not wanted or "://" in wanted:
        return []
    try:
        places = [base / given_path(wanted) for base in bases]
    except ConfigurationError as exc:
        return [f"{field}: {exc}"]
    if any(each.exists() or Path(f"{each}.dvc").exists() for each in places):
        return []
    return [f"{field}: there is no {places[0]}"]
