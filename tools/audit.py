"""Asks whether the locks name versions with known vulnerabilities; `make audit`, `make lint`.

    python tools/audit.py [--if-reachable] [--service URL] [LOCK ...]

pip-audit looks each pinned version up at OSV, which needs the internet. Exit codes: 0 none is
known, 1 some are, 3 nobody could be asked. With --if-reachable the last is said in one line and
passes, for machines without internet.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCKS = (ROOT / "requirements.txt", ROOT / "requirements-dev.txt")
OSV = "https://api.osv.dev/v1/query"
FIRST_ANSWER_S = 4.0
ANSWER_S = 10
WHOLE_S = 600
FOUND, NOT_ASKED = 1, 3
ACCEPTED: dict[str, str] = {}
"""Ids of vulnerabilities that do not concern us → why not."""


class NotAskedError(Exception):
    """The service gave no answer that tells anything."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="known vulnerabilities of the lock's versions")
    parser.add_argument("locks", nargs="*", type=Path, default=LOCKS)
    parser.add_argument("--if-reachable", action="store_true")
    parser.add_argument("--service", default=OSV, help="speaks OSV's API")
    given = parser.parse_args(arguments)
    try:
        _ask_once(given.service)
        packages = _audited(given.service, given.locks)
    except NotAskedError as exc:
        _say(f"audit left out: {given.service} {exc}")
        return 0 if given.if_reachable else NOT_ASKED
    known = list(_vulnerabilities(packages))
    for line in known:
        _say(line)
    skipped = [each["name"] for each in packages if "skip_reason" in each]
    if skipped:
        _say(f"audit: not looked up: {', '.join(skipped)}")
    _say(f"audit: {len(packages) - len(skipped)} packages, {len(known)} known vulnerabilities")
    return FOUND if known else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _ask_once(service: str) -> None:
    """Find out in seconds whether anybody answers; pip-audit would try for minutes."""
    asked = {"package": {"name": "pip", "ecosystem": "PyPI"}, "version": "26.0"}
    request = urllib.request.Request(service, json.dumps(asked).encode(), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=FIRST_ANSWER_S) as answer:  # nosec B310
            told = json.load(answer)
    except urllib.error.HTTPError as exc:
        exc.close()
        raise NotAskedError(f"answers {exc.code}") from exc
    except OSError as exc:
        raise NotAskedError(f"does not answer ({getattr(exc, 'reason', exc)})") from exc
    except ValueError as exc:
        raise NotAskedError("does not answer as OSV does") from exc
    if not isinstance(told, dict):
        raise NotAskedError("does not answer as OSV does")


def _audited(service: str, locks: Sequence[Path]) -> list[dict[str, Any]]:
    """What pip-audit says of each package."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--format=json", "--desc=off"),
        *("--progress-spinner=off", f"--timeout={ANSWER_S}", "--no-deps", "--disable-pip"),
        *("--vulnerability-service=osv", f"--osv-url={service}"),
        *(f"--ignore-vuln={name}" for name in ACCEPTED),
        *(f"--requirement={each}" for each in locks),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=WHOLE_S, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired as exc:
        raise NotAskedError(f"took more than {WHOLE_S} s") from exc
    except ValueError as exc:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise NotAskedError(f"was not asked: {' '.join(last)}") from exc
    return found


def _vulnerabilities(packages: Sequence[dict[str, Any]]) -> Iterator[str]:
    for package in packages:
        for each in package.get("vulns", ()):
            names = ", ".join((each["id"], *each.get("aliases", ())))
            fixed = ", ".join(each["fix_versions"]) or "none yet"
            yield f"{package['name']} {package['version']}: {names}; mended in {fixed}"


if __name__ == "__main__":
    sys.exit(main())
