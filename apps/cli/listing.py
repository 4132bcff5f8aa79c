"""`guardianflow list`: experiments with their old directories, runs and models of the store."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from experiments_adapters.legacy import DEFAULT_FILE
from guardianflow.run_tracking.overview.lines import Overview
from guardianflow.run_tracking.overview.opening import open_overview
from guardianflow.support.terminal import make_console, print_json, write
from pipelines.settings import load_settings
from scenario.naming import experiment_name

from .options import ListCommand

Row = dict[str, Any]
"""Heading → what a cell holds, as JSON has it."""
PREFIXES = ("det.", "det.quantized.")
METRICS = [prefix + name for prefix in PREFIXES for name in ("mAP50", "mAP50_95")]


def show_list(asked: ListCommand) -> int:
    """Print one of the lists; newest first."""
    overview = open_overview(load_settings().tracking_uri)
    make_rows = {"experiments": experiments, "runs": runs, "models": models}[asked.what]
    rows = make_rows(overview, asked.customer, asked.limit)
    whose = f" of {asked.customer}" if asked.customer else ""
    return show_rows(rows, asked.as_json, f"no {asked.what}{whose} in {overview.shown_uri}")


def experiments(overview: Overview, customer: str, limit: int) -> list[Row]:
    rows: dict[str, Row] = {}
    for line in overview.experiments(customer, limit):
        last = "" if line.last_ms is None else when(line.last_ms)
        rows[line.name] = {"experiment": line.name, "runs": line.runs, "last": last}
    add_directories(rows, customer)
    return sorted(rows.values(), key=lambda row: str(row["last"]), reverse=True)[:limit]


def add_directories(rows: dict[str, Row], customer: str) -> None:
    """The directories of old scripts beside the experiments that they belong to.

    Where there is a configs/experiments.yaml; a directory that never ran has a row of its own.
    """
    if not DEFAULT_FILE.is_file():
        return
    from experiments_adapters.legacy.registry import load_registry

    for row in rows.values():
        row["directories"] = ""
    for entry in load_registry():
        site = entry.site
        if customer and site.customer != customer:
            continue
        name = experiment_name(site.customer, site.region, site.plant, site.zone)
        empty = {"experiment": name, "runs": 0, "last": "", "directories": ""}
        row = rows.setdefault(name, empty)
        row["directories"] += (", " if row["directories"] else "") + entry.name


def runs(overview: Overview, customer: str, limit: int) -> list[Row]:
    return [
        {
            "run_id": run.run_id,
            "experiment": run.experiment,
            "run": run.name,
            "status": run.status,
            "started": when(run.started_ms),
            "mAP50": first(run.metrics, "mAP50"),
            "mAP50_95": first(run.metrics, "mAP50_95"),
        }
        for run in overview.runs(customer, limit, METRICS)
    ]


def first(metrics: Mapping[str, float], name: str) -> float | None:
    for prefix in PREFIXES:
        if prefix + name in metrics:
            return round(metrics[prefix + name], 4)
    return None


def models(overview: Overview, customer: str, limit: int) -> list[Row]:
    return [
        {
            "model": line.display_name,
            "version": line.version,
            "aliases": ", ".join("@" + alias for alias in line.aliases),
            "created": when(line.created_ms),
            "uri": line.uri,
            "run_id": line.run_id,
        }
        for line in overview.versions(customer, limit)
    ]


def when(milliseconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(milliseconds / 1000))


def show_rows(rows: list[Row], as_json: bool, nothing: str, answer: object = None) -> int:
    """Print rows as JSON or as a table; where there are none, what to say then.

    Args:
        answer: for JSON in place of the rows.
    """
    if as_json:
        print_json(rows if answer is None else answer)
    elif rows:
        print_rows(rows)
    else:
        write(nothing)
    return 0


def print_rows(rows: list[Row]) -> None:
    from rich.table import Table

    console = make_console()
    table = Table()
    for key in rows[0]:
        table.add_column(key, overflow="fold")
    for row in rows:
        table.add_row(*("–" if value is None else str(value) for value in row.values()))
    console.print(table)
