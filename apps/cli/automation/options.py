"""The options of `guardianflow alerts` and `guardianflow optimize`."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.options import number, option, switch

from ..options import CUSTOMER, OBJECT

RULES = "The file of triggers. Default: configs/triggers.yaml."


@dataclass(frozen=True)
class AlertsCommand:
    """`alert_id`: as `alerts list` shows it."""

    alert_id: str = option("alert_id", required=True)
    note: str = option("--note", "What is done about it.", metavar="TEXT", required=True)
    customer: str = option("--customer", CUSTOMER)
    task: str = option("--task", "Only this one: ppe, fall, …")
    rules: str = option("--rules", RULES, metavar="FILE")
    as_json: bool = switch("--json", OBJECT)


@dataclass(frozen=True)
class OptimizeCommand:
    """`alert_id`: as `optimize check` shows it."""

    alert_id: str = option("alert_id", required=True)
    rules: str = option("--rules", RULES, metavar="FILE")
    every_s: float | None = number("--every", "Seconds between two looks. Default: 60.")
    limit: int = option("--limit", "Lines at most.", default=50, show_default=True, least=1)
    as_json: bool = switch("--json", OBJECT)
