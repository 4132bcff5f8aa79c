"""`guardianflow list`: experiments with their old directories, runs and models of the store."""

from __future__ import annotations

import time
from typing import Any

from rich.table import Table

from guardianflow.support.terminal import make_console, write
from pipelines.console import print_json
from pipelines.settings import load_settings
from pipelines.wiring import Ports, connect
from scenario.naming import experiment_name

from .options import ListCommand


def show_list(asked: ListCommand) -> int:
    """Print one of the lists; newest first."""
    ports = connect(load_settings().tracking_uri)
    make_rows = {"experiments": experiments, "runs": runs, "models": models}[asked.what]
    rows = make_rows(ports, asked.customer, asked.limit)
    whose = f" of {asked.customer}" if asked.customer else ""
    return show_rows(rows, asked.as_json, f"no {asked.what}{whose} in {ports.store.tracking_uri}")


def belongs(name: str, customer: str) -> bool:
    return not customer or name.split("/")[0] == customer


def experiments(ports: Ports, customer: str, limit: int) -> list[dict[str, Any]]:
    rows = []
    for name in ports.store.list_experiments():
        if belongs(name, customer):
            found = ports.store.find_runs(experiment_name=name, limit=1000)
            rows.append(
                {
                    "experiment": name,
                    "runs": len(found),
                    "last": when(found[0].start_time_ms) if found else "",
                }
            )
    rows = with_directories(rows, customer)
    return sorted(rows, key=lambda row: str(row["last"]), reverse=True)[:limit]


def with_directories(rows: list[dict[str, Any]], customer: str) -> list[dict[str, Any]]:
    """The directories of old scripts beside the experiments that they belong to.

    Where there is a configs/experiments.yaml; a directory that never ran has a row of its own.
    """
    from experiments_adapters.legacy.registry import DEFAULT_FILE, load_registry

    if not DEFAULT_FILE.is_file():
        return rows
    by_name = {row["experiment"]: {**row, "directories": ""} for row in rows}
    for entry in load_registry():
        site = entry.site
        if customer and site.customer != customer:
            continue
        name = experiment_name(site.customer, site.region, site.plant, site.zone)
        row = by_name.setdefault(
            name, {"experiment": name, "runs": 0, "last": "", "directories": ""}
        )
        row["directories"] += (", " if row["directories"] else "") + entry.name
    return list(by_name.values())


def runs(ports: Ports, customer: str, limit: int) -> list[dict[str, Any]]:
    found = [
        run
        for name in ports.store.list_experiments()
        if belongs(name, customer)
        for run in ports.store.find_runs(experiment_name=name, limit=limit)
    ]
    found.sort(key=lambda run: run.start_time_ms, reverse=True)
    return [
        {
            "run_id": run.run_id,
            "experiment": run.experiment_name,
            "run": run.run_name,
            "status": run.status,
            "started": when(run.start_time_ms),
            "mAP50": first(run.metrics, "mAP50"),
            "mAP50_95": first(run.metrics, "mAP50_95"),
        }
        for run in found[:limit]
    ]


def first(metrics: Any, name: str) -> float | None:
    for key in (f"det.{name}", f"det.quantized.{name}"):
        if key in metrics:
            return round(float(metrics[key]), 4)
    return None


def models(ports: Ports, customer: str, limit: int) -> list[dict[str, Any]]:
    found = [m for m in ports.registry.list_models() if belongs(m.display_name, customer)]
    found.sort(key=lambda model: model.created_ms, reverse=True)
    return [
        {
            "model": model.display_name,
            "version": model.version,
            "aliases": ", ".join("@" + alias for alias in model.aliases),
            "created": when(model.created_ms),
            "uri": model.uri,
            "run_id": model.run_id,
        }
        for model in found[:limit]
    ]


def when(milliseconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(milliseconds / 1000))


def show_rows(rows: list[dict[str, Any]], as_json: bool, nothing: str) -> int:
    """Print rows as JSON or as a table; where there are none, what to say then."""
    if as_json:
        print_json(rows)
    elif rows:
        print_rows(rows)
    else:
        write(nothing)
    return 0


def print_rows(rows: list[dict[str, Any]]) -> None:
    console = make_console()
    table = Table()
    for key in rows[0]:
        table.add_column(key, overflow="fold")
    for row in rows:
        table.add_row(*("–" if value is None else str(value) for value in row.values()))
    console.print(table)
