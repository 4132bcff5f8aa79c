"""Opens the rules, the ledger and the alerts for this machine's store.

The ledger lies in the work directory, a folder for each metrics store: one machine decides for it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from guardianflow.metrics_store.store import MetricsStore
from pipelines.metrics.place import open_metrics
from pipelines.settings import PROJECT_ROOT, Settings, load_settings

from .alerts.board import AlertBoard
from .ledger.ledger import Ledger
from .triggers.file import DEFAULT_FILE, load_triggers

FOLDER = "automation"


def ledger_of(settings: Settings, metrics: MetricsStore) -> Ledger:
    """The ledger about the places of a metrics store."""
    address = metrics.address
    if "://" not in address:
        address = str(Path(address).resolve())
    digest = hashlib.sha256(address.encode()).hexdigest()[:16]
    return Ledger(settings.work_dir / FOLDER / digest)


def board_if_rules(settings: Settings, metrics: MetricsStore, rules: str = "") -> AlertBoard | None:
    """The alerts; None where no file is named and there is none, neither here nor the project's.

    Raises:
        ConfigurationError: every problem of the file.
    """
    if not rules and not any(
        (folder / DEFAULT_FILE).exists() for folder in (Path.cwd(), PROJECT_ROOT)
    ):
        return None
    return open_board(settings, metrics, rules)


def open_board(
    settings: Settings | None = None, metrics: MetricsStore | None = None, rules: str = ""
) -> AlertBoard:
    """The alerts, for the command and for pages.

    Args:
        rules: the file of triggers; '' takes configs/triggers.yaml here, else the project's own.

    Raises:
        ConfigurationError: every problem of the file; there is no metrics store.
    """
    settings = settings or load_settings()
    metrics = metrics or open_metrics(settings)
    triggers = load_triggers(rules or DEFAULT_FILE, [PROJECT_ROOT])
    return AlertBoard(metrics, triggers, ledger_of(settings, metrics))
