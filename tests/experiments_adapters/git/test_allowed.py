"""Code comes from the repositories that a machine trusts, however an address is written."""

from __future__ import annotations

import pytest

from experiments_adapters.git.allowed import check_allowed
from experiments_adapters.git.source import parse
from guardianflow.contracts.errors import ConfigurationError, ExperimentCodeError

ALLOWED = (
    "https://git.plant.example/vision",
    "git+ssh://git.plant.example/ppe.git",
    "file:///srv/git",
)


@pytest.mark.parametrize(
    "reference",
    [
        "git+https://git.plant.example/vision/ppe.git@v1",
        "git+https://GIT.plant.example/vision/deep/er/ppe",
        "git+https://token@git.plant.example/vision.git",
        "git+ssh://git@git.plant.example/ppe@main#subdir=a",
        "git+file:///srv/git/x",
    ],
)
def test_what_lies_below_an_allowed_address_is_taken(reference: str) -> None:
    check_allowed(parse(reference), ALLOWED)
    check_allowed(parse(reference), ())


@pytest.mark.parametrize(
    "reference",
    [
        "git+https://evil.example/vision/ppe.git",
        "git+https://git.plant.example.evil.example/vision/ppe.git",
        "git+https://git.plant.example@evil.example/vision/ppe.git",
        "git+https://git.plant.example:8443/vision/ppe.git",
        "git+http://git.plant.example/vision/ppe.git",
        "git+https://git.plant.example/visionary/ppe.git",
        "git+https://git.plant.example/vision/../evil/ppe.git",
        "git+https://git.plant.example/vision/%2e%2e/evil/ppe.git",
        "git+https://git.plant.example/vision/..%2fevil/ppe.git",
        "git+https://git.plant.example/vision/..\\evil/ppe.git",
        "git+ssh://git@git.plant.example/other.git",
        "git+file:///srv/git/../other",
        "git+file:///srv",
    ],
)
def test_nothing_else_is_however_it_is_written(reference: str) -> None:
    with pytest.raises(ExperimentCodeError, match="GUARDIANFLOW_CODE_SOURCES"):
        check_allowed(parse(reference), ALLOWED)


def test_an_allowed_address_that_is_none_is_a_mistake_of_the_settings() -> None:
    with pytest.raises(ConfigurationError, match="not a URL"):
        check_allowed(parse("git+https://a.example/b"), ("https://[broken",))
