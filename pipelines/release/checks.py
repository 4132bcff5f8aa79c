"""Does what was asked fit the scenario's release section? Asked before anything runs."""

from __future__ import annotations

from guardianflow.contracts.errors import ScenarioError
from scenario import ReleaseParams


def require_release(release: ReleaseParams | None) -> ReleaseParams:
    """The scenario's gates.

    Raises:
        ScenarioError: it has none.
    """
    if release is None:
        raise ScenarioError(
            "the scenario has no release section, so there is no gate to judge by; write e.g. "
            "release: {min_mAP50: 0.6, max_drop_vs_champion: {mAP50_95: 0.01}}"
        )
    return release


def check_release(
    release: ReleaseParams | None, *, register: bool = True, fail_on_gate: bool = False
) -> None:
    """Raises ScenarioError for options that contradict the release section; nothing has run yet."""
    if fail_on_gate and release is None:
        raise ScenarioError(
            "--fail-on-gate needs a release section in the scenario, which says what to keep"
        )
    if release is not None and release.auto_promote == "on_pass" and not register:
        raise ScenarioError(
            "release.auto_promote is 'on_pass', but --no-register leaves nothing to promote; "
            "leave one of them out"
        )
