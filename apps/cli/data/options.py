"""The options of `guardianflow data …`; see pipelines/options.py."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.options import option, switch

OBJECT = "End stdout with one object."
GROUPS = "How the recording of an image is told: a regular expression, groups.csv or folder."


@dataclass(frozen=True)
class DataGroupsCommand:
    """`data`: a data.yaml, a directory, or demo://ppe."""

    data: str = option("data", required=True)
    groups: str = option("--groups", f"Show what this gives instead. {GROUPS}", metavar="RULE")
    write: str = option(
        "--write",
        "Write the proposal: a new .csv with a row an image, or a line in a scenario's .yaml.",
        metavar="FILE",
    )
    pick: int = option("--pick", "The proposal to write.", default=1, least=1, show_default=True)
    as_json: bool = switch("--json", OBJECT)


@dataclass(frozen=True)
class DataSplitCommand:
    """`data`: a data.yaml, a directory, or demo://ppe."""

    data: str = option("data", required=True)
    by: str = option(
        "--by",
        "What is kept whole.",
        default="recording",
        choices=("recording", "camera"),
        show_default=True,
    )
    val: float = option("--val", "Share of val.", default=0.2, show_default=True)
    test: float = option("--test", "Share of test; 0: none.", default=0.2, show_default=True)
    seed: int = option("--seed", "The same seed, the same split.", default=42, show_default=True)
    output: str = option(
        "-o --output", "New directory. Default: NAME-by-recording here.", metavar="DIR"
    )
    groups: str = option("--groups", f"{GROUPS} Default: groups.csv of DATA.", metavar="RULE")
    as_json: bool = switch("--json", OBJECT)
