"""`guardianflow config check`: whether the services that the settings name can be used."""

from __future__ import annotations

from typing import Any

from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.terminal import print_json, say, write
from pipelines.configuration.checks import Check, Service, check_configuration

from .commands import ConfigCheckCommand
from .wording import how_to_mend, what_is_wrong


def show_check(asked: ConfigCheckCommand) -> int:
    """Try everything and print what came of it.

    Returns:
        0 when everything can be used, else 1.

    Raises:
        ConfigurationError: the settings themselves are wrong.
    """
    checks = check_configuration(_tell)
    whole = all(check.ok for check in checks)
    if asked.as_json:
        status = RunStatus.FINISHED if whole else RunStatus.FAILED
        print_json({"status": status, "checks": [as_dict(check) for check in checks]})
    else:
        for check in checks:
            write("\n".join(_lines(check)))
    return 0 if whole else 1


def as_dict(check: Check) -> dict[str, Any]:
    return {
        "service": check.service,
        "ok": check.ok,
        "address": check.address or None,
        "problem": check.problem,
        "detail": check.detail or None,
        "wrong": what_is_wrong(check) or None,
        "mend": how_to_mend(check) or None,
    }


def _tell(service: Service) -> None:
    say(f"asking the {service.value} …")


def _lines(check: Check) -> list[str]:
    mark = "ok  " if check.ok else "BAD "
    place = f" {check.address}" if check.address else ""
    if check.ok:
        seen = f" ({check.detail})" if check.detail else ""
        return [f"{mark} {check.service.value}:{place}{seen}"]
    lines = [f"{mark} {check.service.value}:{place}: {what_is_wrong(check)}"]
    if check.detail and check.detail not in lines[0]:
        lines.append(f"     seen: {check.detail}")
    if mend := how_to_mend(check):
        lines.append(f"     do:   {mend}")
    return lines
