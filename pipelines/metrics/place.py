"""Where the metrics store lies.

GUARDIANFLOW_METRICS_STORE     that directory, or s3://BUCKET/PREFIX; 'off' none at all
a database file mlflow.db      mlflow-metrics/ beside it
a server                       the work directory: each machine has a store of its own, one for
                               each workspace, unless that setting names one for all
"""

from __future__ import annotations

import hashlib

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.metrics_store.store import MetricsStore
from guardianflow.run_tracking.connection import resolve_tracking_uri, sqlite_path
from guardianflow.run_tracking.services.workspaces import with_workspace
from guardianflow.support.secrets.redaction import shown_address

from ..settings import Settings, load_settings

OFF = "off"
IN_MEMORY = "memory:"


def metrics_address(settings: Settings, tracking_uri: str | None = None) -> str | None:
    """The store's directory or bucket; None where there is none.

    Args:
        tracking_uri: None takes the settings'.
    """
    if settings.metrics_store:
        return None if settings.metrics_store == OFF else settings.metrics_store
    uri = tracking_uri or settings.tracking_uri
    if uri == IN_MEMORY:
        return None
    uri = resolve_tracking_uri(uri)
    if (database := sqlite_path(uri)) is not None:
        return str(database.with_name(f"{database.stem}-metrics"))
    known_by = with_workspace(shown_address(uri))
    digest = hashlib.sha256(known_by.encode()).hexdigest()[:16]
    return str(settings.work_dir / "metrics" / digest)


def open_metrics(settings: Settings | None = None, tracking_uri: str | None = None) -> MetricsStore:
    """The store; nothing need be in it yet.

    Raises:
        ConfigurationError: it is switched off, or its address is none.
    """
    settings = settings or load_settings()
    address = metrics_address(settings, tracking_uri)
    if address is None:
        raise ConfigurationError(
            "the metrics store is switched off by GUARDIANFLOW_METRICS_STORE=off: name a directory "
            "or s3://BUCKET/PREFIX there, or unset it"
        )
    return MetricsStore(address, settings.work_dir / "metrics" / "fetched")
