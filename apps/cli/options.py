"""The options of the commands that `guardianflow` alone has; see pipelines/options.py."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.options import option, switch

OBJECT = "End stdout with one object."
ARRAY = "One JSON array instead of a table."
CUSTOMER = "Only this customer's."
REGISTRY_FILE = "The registry file."


@dataclass(frozen=True)
class ListCommand:
    what: str = option("what", default="experiments", choices=("experiments", "runs", "models"))
    customer: str = option("--customer", CUSTOMER)
    limit: int = option("--limit", "Rows at most.", default=20, show_default=True)
    as_json: bool = switch("--json", ARRAY)


@dataclass(frozen=True)
class MotCommand:
    truth: str = option("--gt", "Ground truth.", metavar="DIR", required=True)
    results: str = option("--results", "Result files of a tracker.", metavar="DIR", required=True)
    as_json: bool = switch("--json", "End stdout with one object, rates in 0…1.")


@dataclass(frozen=True)
class DoctorCommand:
    fresh: bool = switch("--fresh", "Try every backend anew; believe no kept verdict.")
    as_json: bool = switch("--json", OBJECT)


@dataclass(frozen=True)
class PullCommand:
    model: str = option("model")
    target: str = option("--to", "Directory of the box's bundles.", metavar="DIR")
    check: str = option("--check", "Verify DIR/current; needs no store.", metavar="DIR")
    verify_key: str = option(
        "--verify-key",
        "Take only what this public key has signed. Default: GUARDIANFLOW_VERIFY_KEY's.",
        metavar="FILE",
    )
    as_json: bool = switch("--json", OBJECT)


@dataclass(frozen=True)
class SyncCommand:
    work_dir: str = option(
        "--work-dir",
        "The work directory, or a copy of one. Default: GUARDIANFLOW_WORK_DIR's.",
        metavar="DIR",
    )
    to: str = option(
        "--to",
        "Send every journal to this store: the same one, which has another address here.",
        metavar="URI",
    )
    as_json: bool = switch("--json", OBJECT)


@dataclass(frozen=True)
class CopyCommand:
    model: str = option("model", required=True)
    target: str = option("--to", "Address of the other registry.", metavar="URI", required=True)
    as_json: bool = switch("--json", OBJECT)


@dataclass(frozen=True)
class ReportCommand:
    """`run`: a release run or its pipeline; its id, or 'runs:/ID' with or without a path."""

    run: str = option("run", required=True)
    language: str = option(
        "--lang", "Language.", default="en", choices=("en", "ko"), show_default=True
    )
    to: str = option(
        "--to",
        "File ending with .html or .md, or a directory. Default: release-ID.html here.",
        metavar="FILE",
    )
    as_json: bool = switch("--json", OBJECT)


@dataclass(frozen=True)
class ResumeCommand:
    """`run`: its id, or 'runs:/ID'."""

    run: str = option("run", required=True)
    overrides: tuple[str, ...] = option(
        "-p --param",
        "A secret of the scenario, which is not kept with the run. Repeatable.",
        default=(),
        metavar="FIELD=VALUE",
    )
    verbose: bool = switch("--verbose", "Show the stages' own output.")
    as_json: bool = switch("--json", OBJECT)


@dataclass(frozen=True)
class ModelCommand:
    """The options of models, versions, promote, rollback, history or uri."""

    name: str = option("name", required=True)
    pattern: str = option("--name", "Part of the name, or *.", metavar="PATTERN")
    customer: str = option("--customer", CUSTOMER)
    version: str | None = option("--version", "Instead of the candidate.", default=None)
    force: bool = switch("--force", "Without a passed verdict; wants --reason.")
    reason: str = option("--reason", "Kept in the journal.", metavar="TEXT")
    alias: str = option(
        "--alias", "candidate, rollback, own.", default="champion", show_default=True
    )
    as_json: bool = switch(
        "--json", OBJECT, texts=dict.fromkeys(("models", "versions", "history"), ARRAY)
    )


@dataclass(frozen=True)
class ReapCommand:
    older_than: str = option(
        "--older-than", "Leave what was heard of since: 90s, 30m, 1h, 2d.", metavar="AGE"
    )
    gone: tuple[str, ...] = option(
        "--gone",
        "End this run too: you know that its process is gone, of a container that is no more, "
        "say. Repeatable.",
        default=(),
        metavar="RUN_ID",
    )
    dry_run: bool = switch("--dry-run", "Tell what would be done, and do nothing.")
    as_json: bool = switch("--json", OBJECT)


# --- of old scripts -------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScanCommand:
    directory: str = option("directory", metavar="DIR", required=True)
    output: str = option("-o --output", "Registry to write; not over one.", metavar="FILE")
    update: bool = switch(
        "--update",
        "Add what is new to FILE (default configs/experiments.yaml); keep all that is there.",
    )
    single: bool = switch("--single", "DIR itself is the one experiment.")
    customer: str = option("--customer", "Of every directory, whatever its name says.")
    region: str = option("--region", "Of every directory, whatever its name says.")
    task: str = option("--task", "Of every directory, whatever its name says: ppe, fall, fire.")
    as_json: bool = switch("--json", OBJECT)


@dataclass(frozen=True)
class StatusCommand:
    customer: str = option("--customer", CUSTOMER)
    experiments: str = option("--experiments", REGISTRY_FILE, metavar="FILE")
    as_json: bool = switch("--json", ARRAY)


@dataclass(frozen=True)
class MigrateCommand:
    name: str = option("name", required=True)
    target: str = option("--to", "Default: experiments/NAME here.", metavar="DIR")
    version: str = option("--version", "The script of this version: v3, 1214, 최종.")
    script: str = option("--script", "A script below the directory.", metavar="FILE")
    experiments: str = option("--experiments", REGISTRY_FILE, metavar="FILE")
    as_json: bool = switch("--json", OBJECT)
