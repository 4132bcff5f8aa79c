"""The options of `guardianflow data check`; see pipelines/options.py."""

from __future__ import annotations

from dataclasses import dataclass

from guardianflow.contracts.recordings.leaks import DEFAULT_MOST
from pipelines.options import option, switch

from .options import GROUPS


@dataclass(frozen=True)
class DataCheckCommand:
    """`data`: a data.yaml, a directory that holds one, or demo://…"""

    data: str = option("data", required=True)
    most: float = option(
        "--max",
        "Share of val or test that may be in train, 0…1.",
        default=DEFAULT_MOST,
        show_default=True,
    )
    groups: str = option("--groups", f"{GROUPS} Default: groups.csv of DATA.", metavar="RULE")
    output: str = option(
        "-o --output", "Write leaks.csv, and leaks.png with pairs, into DIR.", metavar="DIR"
    )
    as_json: bool = switch("--json", "End stdout with one object.")
