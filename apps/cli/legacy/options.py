"""The options of the commands of old scripts that `guardianflow` alone has."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.options import option, switch

REGISTRY_FILE = "The registry file."


@dataclass(frozen=True)
class ScanCommand:
    directory: str = option("directory", metavar="DIR", required=True)
    output: str = option("-o --output", "Registry to write; not over one.", metavar="FILE")
    update: bool = switch(
        "--update",
        "Add what is new to FILE (default configs/experiments.yaml); keep all that is there.",
    )
    single: bool = switch("--single", "DIR itself is the one experiment.")
    as_json: bool = switch("--json", "End stdout with one object.")


@dataclass(frozen=True)
class StatusCommand:
    customer: str = option("--customer", "Only this customer's.")
    experiments: str = option("--experiments", REGISTRY_FILE, metavar="FILE")
    as_json: bool = switch("--json", "One JSON array instead of a table.")


@dataclass(frozen=True)
class MigrateCommand:
    name: str = option("name", required=True)
    target: str = option("--to", "Default: experiments/NAME here.", metavar="DIR")
    version: str = option("--version", "The script of this version: v3, 1214, 최종.")
    script: str = option("--script", "A script below the directory.", metavar="FILE")
    experiments: str = option("--experiments", REGISTRY_FILE, metavar="FILE")
    as_json: bool = switch("--json", "End stdout with one object.")
