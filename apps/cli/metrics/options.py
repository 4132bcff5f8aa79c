"""The options of `guardianflow metrics` and of `guardianflow dashboard`."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.options import number, option, switch

from ..options import CUSTOMER, OBJECT, REGISTRY_FILE


@dataclass(frozen=True)
class MetricsCommand:
    customer: str = option("--customer", CUSTOMER)
    site: str = option("--site", "Only this one: REGION-PLANT.")
    task: str = option("--task", "Only this one: ppe, fall, …")
    experiment_type: str = option("--type", "Only runs of this type: train, infer, quant.")
    days: float | None = number("--days", "Only runs that ended in the last days.")
    metric: str = option(
        "--metric",
        "A short name, or a whole key as det.ap.helmet.",
        default="mAP50",
        show_default=True,
    )
    limit: int = option("--limit", "Rows at most.", default=100, show_default=True, least=1)
    format: str = option(
        "--format", "Of the file.", default="parquet", choices=("parquet", "csv"), show_default=True
    )
    output: str = option("--output -o", "Directory for the file.", metavar="DIR", required=True)
    whole: bool = switch("--whole", "Look at all runs, not only at the last days'.")
    as_json: bool = switch("--json", OBJECT)


@dataclass(frozen=True)
class DashboardCommand:
    host: str = option(
        "--host", "Address to listen at.", default="127.0.0.1", show_default=True, metavar="HOST"
    )
    port: int = option("--port", "0 takes a free one.", default=8000, show_default=True, least=0)
    token: str = option(
        "--token",
        "Must be sent with each request; needed beyond this machine. Better in "
        "GUARDIANFLOW_DASHBOARD_TOKEN.",
        metavar="TOKEN",
    )
    experiments: str = option(
        "--experiments",
        REGISTRY_FILE,
        default="configs/experiments.yaml",
        metavar="FILE",
        show_default=True,
    )
    rules: str = option(
        "--rules", "The file of triggers. Default: configs/triggers.yaml.", metavar="FILE"
    )
    as_json: bool = False
