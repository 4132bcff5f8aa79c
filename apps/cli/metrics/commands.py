"""The commands about the metrics store. Only click is imported here."""

from __future__ import annotations

from ..flags import Command
from .options import DashboardCommand, MetricsCommand

ASKED = ("customer", "site", "task", "experiment_type", "days")
CODES = """
\b
Exit codes: 0 done; 1 the store or MLflow can't be reached; 2 bad input, or a name that no run has.
"""


def metrics_command(name: str, text: str, examples: str, options: tuple[str, ...]) -> Command:
    work = f"apps.cli.metrics.show:show_{name}"
    return Command(name, work, MetricsCommand, text, examples + CODES, options)


METRICS_COMMANDS = (
    metrics_command(
        "summary",
        "Each place's runs, and its latest and mean figures.",
        """\
  guardianflow metrics summary --customer donghwa-entec --days 30
  guardianflow metrics summary --type infer --json
""",
        (*ASKED, "limit", "as_json"),
    ),
    metrics_command(
        "trend",
        "A metric of each run over time, the newest last.",
        """\
  guardianflow metrics trend --customer donghwa-entec --task ppe --metric mAP50 --days 90
  guardianflow metrics trend --metric det.ap.helmet --type infer --json
""",
        (*ASKED, "metric", "limit", "as_json"),
    ),
    metrics_command(
        "export",
        "Write the rows into one file, metrics.parquet or metrics.csv.",
        """\
  guardianflow metrics export --format parquet --output exports/
  guardianflow metrics export --format csv --output exports/ --customer donghwa-entec --days 365
""",
        (*ASKED, "format", "output", "as_json"),
    ),
    metrics_command(
        "update",
        "Bring in runs that others wrote to MLflow, and compact the journal.",
        """\
  guardianflow metrics update
  guardianflow metrics update --whole --json
""",
        ("whole", "as_json"),
    ),
    metrics_command(
        "rebuild",
        """Make the store anew from MLflow.

The rows are those that runs wrote at their end. It is as it was until all is read; what MLflow
has no more is gone then.
""",
        """\
  guardianflow metrics rebuild
  guardianflow metrics rebuild --json
""",
        ("as_json",),
    ),
)
DASHBOARD = Command(
    "dashboard",
    "apps.dashboard.serve:serve_dashboard",
    DashboardCommand,
    "Serve the pages and figures of all sites: /, /api/…, /metrics for Prometheus.",
    """\
  guardianflow dashboard
  GUARDIANFLOW_DASHBOARD_TOKEN=$(openssl rand -hex 24) guardianflow dashboard --host 0.0.0.0

\b
It answers to this machine alone, unless a token is given.
""",
    ("host", "port", "token", "experiments", "rules"),
)
