"""Reads lists from MLflow's own tables, where their schema is one that was looked at.

A test compares each answer with mlflow's, and fails when the installed mlflow has another schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..connection import sqlite_path
from .lines import (
    ExperimentLine,
    ModelLine,
    NotReadableError,
    RunLine,
    VersionLine,
    aliases_of,
    finite,
    in_order,
    is_asked,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

SCHEMAS = frozenset({"dc11669786a5"})
"""Revisions of MLflow's tables whose columns mean what is read here: MLflow 3.17."""
IDS_A_QUERY = 500

_OF_CUSTOMER = "(:customer = '' OR e.name = :customer OR substr(e.name, 1, :long) = :prefix)"
RUNS = f"""
    SELECT r.run_uuid, e.name, r.name, r.status, r.start_time
    FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
    WHERE r.lifecycle_stage = 'active' AND e.lifecycle_stage = 'active' AND {_OF_CUSTOMER}
    ORDER BY r.start_time DESC, r.run_uuid LIMIT :most
"""  # nosec B608 # texts of this module
METRICS = """
    SELECT run_uuid, key, value, is_nan FROM latest_metrics
    WHERE run_uuid IN :runs AND key IN :keys
"""
EXPERIMENTS = f"""
    SELECT e.name, count(r.run_uuid), max(r.start_time)
    FROM experiments e
    LEFT JOIN runs r ON r.experiment_id = e.experiment_id AND r.lifecycle_stage = 'active'
    WHERE e.lifecycle_stage = 'active' AND {_OF_CUSTOMER}
    GROUP BY e.experiment_id, e.name
"""  # nosec B608 # texts of this module
# Prompts are kept in the same tables; mlflow lists them elsewhere.
_NO_PROMPT = """
    current_stage <> 'Deleted_Internal' AND name NOT IN (
        SELECT name FROM registered_model_tags
        WHERE key = 'mlflow.prompt.is_prompt' AND value = 'true'
    )
"""
VERSIONS = f"""
    SELECT name, version, run_id, creation_time FROM model_versions WHERE {_NO_PROMPT}
"""  # nosec B608 # texts of this module
MODELS = f"""
    SELECT name, count(*), max(creation_time) FROM model_versions WHERE {_NO_PROMPT} GROUP BY name
"""  # nosec B608 # texts of this module
ALIASES = "SELECT name, alias, version FROM registered_model_aliases"
TAGS = "SELECT name, key, value FROM registered_model_tags"
ELSEWHERE = """
    SELECT 1 FROM experiments WHERE workspace <> 'default'
    UNION ALL SELECT 1 FROM registered_models WHERE workspace <> 'default' LIMIT 1
"""


class DatabaseOverview:
    """Overview of a SQLite file or a PostgreSQL database.

    Args:
        uri: as MLflow takes it.

    Every method raises NotReadableError where the tables are not there or not those that are known.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def runs(self, customer: str, limit: int, metrics: Sequence[str]) -> list[RunLine]:
        with self._opened() as database:
            found = _rows(database, RUNS, most=limit, **_whose(customer))
            values = _metrics(database, [row[0] for row in found], metrics)
        return [
            RunLine(run_id, experiment, name or "", status, int(start or 0), values.get(run_id, {}))
            for run_id, experiment, name, status, start in found
        ]

    def experiments(self, customer: str, limit: int) -> list[ExperimentLine]:  # noqa: ARG002
        with self._opened() as database:
            found = _rows(database, EXPERIMENTS, **_whose(customer))
        return in_order(ExperimentLine(name, count, last) for name, count, last in found)

    def versions(self, customer: str, limit: int) -> list[VersionLine]:
        with self._opened() as database:
            found = [row for row in _rows(database, VERSIONS) if is_asked(row[0], "", customer)]
            aliases = _pairs(database, ALIASES)
        newest = sorted(found, key=lambda row: (-row[3], row[0], -int(row[1])))[:limit]
        return [
            VersionLine(
                name,
                str(version),
                aliases_of(str(version), aliases.get(name, {})),
                run_id or None,
                int(created),
            )
            for name, version, run_id, created in newest
        ]

    def models(self, pattern: str, customer: str) -> list[ModelLine]:
        with self._opened() as database:
            found = [row for row in _rows(database, MODELS) if is_asked(row[0], pattern, customer)]
            aliases, tags = _pairs(database, ALIASES), _pairs(database, TAGS)
        lines = [
            ModelLine(name, aliases.get(name, {}), tags.get(name, {}), count, int(newest))
            for name, count, newest in found
        ]
        return sorted(lines, key=lambda line: (-line.created_ms, line.name))

    @contextmanager
    def _opened(self) -> Iterator[Connection]:
        """The database, for one look at it.

        Raises:
            NotReadableError: whatever hinders.
        """
        path = sqlite_path(self._uri)
        if path is not None and not path.is_file():
            raise NotReadableError(f"{path} is not there")
        from sqlalchemy import create_engine
        from sqlalchemy.exc import SQLAlchemyError
        from sqlalchemy.pool import NullPool

        try:
            with create_engine(self._uri, poolclass=NullPool).connect() as database:
                (revision,) = _rows(database, "SELECT version_num FROM alembic_version")
                if revision[0] not in SCHEMAS:
                    raise NotReadableError(f"schema {revision[0]} is not known")
                if _rows(database, ELSEWHERE):
                    raise NotReadableError("it has workspaces")
                yield database
        except (SQLAlchemyError, ImportError, ValueError) as exc:
            raise NotReadableError(str(exc)) from exc


def _rows(database: Connection, query: str, **values: Any) -> list[Any]:
    from sqlalchemy import bindparam, text

    several = [name for name, value in values.items() if isinstance(value, list)]
    asked = text(query).bindparams(*(bindparam(name, expanding=True) for name in several))
    return list(database.execute(asked, values))


def _whose(customer: str) -> dict[str, object]:
    prefix = f"{customer}/"
    return {"customer": customer, "prefix": prefix, "long": len(prefix)}


def _metrics(
    database: Connection, run_ids: Sequence[str], keys: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Run → its last values of these keys."""
    found: dict[str, dict[str, float]] = {}
    for start in range(0, len(run_ids), IDS_A_QUERY):
        part = list(run_ids[start : start + IDS_A_QUERY])
        for run_id, key, value, is_nan in _rows(database, METRICS, runs=part, keys=list(keys)):
            if not is_nan:
                found.setdefault(run_id, {}).update(finite([(key, float(value))], keys))
    return found


def _pairs(database: Connection, query: str) -> Mapping[str, dict[str, str]]:
    """Model → key → value."""
    found: dict[str, dict[str, str]] = {}
    for name, key, value in _rows(database, query):
        found.setdefault(name, {})[str(key)] = str(value)
    return found
