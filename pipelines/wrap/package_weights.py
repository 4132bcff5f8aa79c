"""`python -m pipelines.wrap.package_weights REQUEST.json`: a weight file → a detector package.

A process of its own: reading a foreign weight file may end the process. What
went wrong is one JSON line on stdout; started by pipelines.wrap.weights, never by people.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guardianflow.contracts.errors import GuardianFlowError, NativeCrashError, SourceError
from guardianflow.contracts.results import DetectorPackage
from guardianflow.support.secrets.streams import keeping_secrets

LIMIT_S = 600.0


def package_apart(
    weights: Path,
    destination: Path,
    *,
    input_size: int | None,
    assumed_size: int,
    class_names: Sequence[str] | None,
    lineage: Mapping[str, str],
    trusted: bool = False,
    **described: str | float,
) -> DetectorPackage:
    """Make the package in a process of its own.

    Args:
        input_size: that somebody said, where the file is not fixed to one itself.
        assumed_size: where nobody says one, and the file neither.
        trusted: open a .pt although it names more than detectors need.
        described: architecture, conf_threshold, iou_threshold of `package_from_weights`.

    Raises:
        SourceError: the file is no detector, contradicts what is said of it, or would run what no
            detector needs.
        NativeCrashError: reading it ended the process.
    """
    request = destination.with_suffix(".json")
    values = {
        "weights": str(weights),
        "destination": str(destination),
        "input_size": input_size,
        "assumed_size": assumed_size,
        "class_names": list(class_names) if class_names else None,
        "lineage": dict(lineage),
        "trusted": trusted,
        **described,
    }
    request.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
    command = [sys.executable, "-m", "pipelines.wrap.package_weights", str(request)]
    doing = f"reading {weights}"
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT_S,
            check=False,
            cwd=Path(__file__).resolve().parents[2],
        )
    except subprocess.TimeoutExpired as exc:
        raise SourceError(f"{weights} could not be read within {LIMIT_S:.0f} s") from exc
    lines = done.stdout.strip().splitlines()
    if done.returncode < 0 or not lines:
        raise NativeCrashError(doing, done.returncode, done.stderr.strip()[-400:])
    answer = json.loads(lines[-1])
    if "error" in answer:
        raise SourceError(answer["error"])
    return DetectorPackage.load(destination)


@keeping_secrets()
def main(argv: list[str]) -> int:
    from guardianflow.backends.weights import weight_files
    from guardianflow.backends.weights.checkpoints import ANYTHING
    from guardianflow.backends.weights.foreign import trial_run
    from guardianflow.backends.weights.packages import package_from_weights

    values: dict[str, Any] = json.loads(Path(argv[0]).read_text(encoding="utf-8"))
    weights, destination = Path(values.pop("weights")), Path(values.pop("destination"))
    try:
        if values["input_size"] is not None:
            facts = weight_files.read(weights, (ANYTHING,) if values["trusted"] else ())
            values["input_size"] = facts.input_size or values["input_size"]
        package = package_from_weights(weights, destination, **values)
        # int8 may end the process on a machine where nothing was probed
        if trial_run.needs_trial(package.spec) and package.spec.precision != "int8":
            images = trial_run.made_up_images(package.spec.input_size)
            trial_run.require_usual_values(package, str(weights), images, "cpu")
        answer = {"variant": package.spec.variant}
    except GuardianFlowError as exc:
        answer = {"error": str(exc)}
    print(json.dumps(answer, ensure_ascii=False))  # noqa: T201 - the answer
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
