"""`guardianflow doctor`: what this machine is, which backends really run on it, and what to do.

Every backend is tried in a process of its own, so a library that is missing, broken or kills its
process costs a row of the table and nothing more. Nothing of theirs is imported here.
"""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
from rich.table import Table
from rich.text import Text

from guardianflow import __version__
from guardianflow.backends.catalogue import CATALOGUE
from guardianflow.backends.hardware import cpu_flags, cpu_model, gpu_names, physical_cores
from guardianflow.backends.probe.probe import ISA_VARIABLE, probe
from guardianflow.contracts.results import ProbeVerdict
from guardianflow.evaluation.timing.process_load import usable_cores
from guardianflow.run_tracking.connection import resolve_tracking_uri, shown_uri, sqlite_path
from guardianflow.support.terminal import make_console, print_json, write
from pipelines.settings import load_settings

from .options import DoctorCommand

INSTRUCTION_SETS = ("avx2", "avx512f", "avx512_vnni", "amx_int8")
SERVER_TIMEOUT_S = 5.0
GIGABYTE = 1e9
# Where a control group keeps its bound on memory: version 2, version 1.
MEMORY_BOUNDS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def show_doctor(asked: DoctorCommand) -> int:
    """Probe, print, and say by the exit code whether anything runs.

    Returns:
        0 when at least one backend runs at one precision, else 1.
    """
    settings = load_settings()
    work_dir = disk_state(settings.work_dir)
    probes_dir = settings.probes_dir if work_dir.writable else None
    machine = describe_machine()
    verdicts = probe_all(probes_dir, fresh=asked.fresh)
    store = store_state(settings.tracking_uri)
    if asked.as_json:
        print_json(
            {
                "guardianflow": __version__,
                "machine": machine,
                "backends": [asdict(verdict) for verdict in verdicts],
                "store": asdict(store),
                "work_dir": asdict(work_dir),
            }
        )
    else:
        show(machine, verdicts, store, work_dir)
    return 0 if any(verdict.runs for verdict in verdicts) else 1


# --- the machine -------------------------------------------------------------------------------


def describe_machine() -> dict[str, Any]:
    """The facts that decide a detector's speed here; instruction sets None where unknown."""
    flags, memory = cpu_flags(), psutil.virtual_memory()
    return {
        "cpu": cpu_model(),
        "physical_cores": physical_cores(),
        "logical_cores": usable_cores(),
        "instruction_sets": {name: name in flags for name in INSTRUCTION_SETS} if flags else None,
        "isa_cap": os.environ.get(ISA_VARIABLE, ""),
        "memory_gb": round(memory.total / GIGABYTE, 1),
        "memory_available_gb": round(memory.available / GIGABYTE, 1),
        "memory_limit_gb": memory_limit_gb(memory.total),
        "gpus": list(gpu_names()),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def memory_limit_gb(total: int) -> float | None:
    """The memory that a container may take, where that is less than the machine has."""
    for place in MEMORY_BOUNDS:
        try:
            bound = place.read_text(encoding="utf-8").strip()
        except OSError:
            continue
        if bound.isdecimal() and int(bound) < total:
            return round(int(bound) / GIGABYTE, 1)
    return None


def probe_all(probes_dir: Path | None, *, fresh: bool) -> list[ProbeVerdict]:
    """Every backend at every precision of the catalogue; progress on stderr."""
    pairs = [(info, precision) for info in CATALOGUE.values() for precision in info.precisions]
    console, verdicts = make_console(stderr=True), []
    for place, (info, precision) in enumerate(pairs, start=1):
        title = f"[{place}/{len(pairs)}] {info.label} {precision}"
        with console.status(f"trying {title}"):
            verdict = probe(info.name, precision, cache_dir=probes_dir, fresh=fresh)
        console.print(f"{title}: {verdict.verdict}")
        verdicts.append(verdict)
    return verdicts


# --- store and disk ----------------------------------------------------------------------------


@dataclass(frozen=True)
class StoreState:
    """The MLflow store that runs would go to.

    Args:
        uri: without user name and password.
        reachable: None where that can't be told without opening it.
        note: one line for people.
    """

    uri: str
    reachable: bool | None
    note: str


def store_state(tracking_uri: str | None) -> StoreState:
    """Look at the store without making, migrating or locking anything."""
    resolved = resolve_tracking_uri(tracking_uri)
    uri, database = shown_uri(resolved), sqlite_path(resolved)
    if database is not None:
        return StoreState(uri, *_sqlite_state(database))
    if resolved.startswith(("http://", "https://")):
        return StoreState(uri, *_server_state(uri))
    return StoreState(uri, None, "not tried: only its first run opens it")


def _sqlite_state(path: Path) -> tuple[bool, str]:
    if not is_writable(path.parent):
        return False, f"{path.parent} can't be written; name another file in MLFLOW_TRACKING_URI"
    if not path.exists():
        return True, "not there yet: the first run makes it"
    try:
        # Not 'ro': a database with a log would get its two files, and they would stay.
        address = f"file:{quote(str(path))}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=1)) as connection:
            connection.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.Error as exc:
        return False, f"{exc}; name another file in MLFLOW_TRACKING_URI"
    return True, "reachable"


def _server_state(uri: str) -> tuple[bool, str]:
    """Any answer will do: whether we may log in, the first run finds out."""
    try:
        address = f"{uri}/health"  # of the operator's own server
        with urllib.request.urlopen(address, timeout=SERVER_TIMEOUT_S) as answer:  # nosec B310
            return True, f"reachable (answers {answer.status})"
    except urllib.error.HTTPError as exc:
        exc.close()
        return True, f"reachable (answers {exc.code})"
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "reason", exc)
        return False, f"not reachable ({reason}); start it, or correct MLFLOW_TRACKING_URI"


@dataclass(frozen=True)
class DiskState:
    """The directory where runs do their work: data sets, checkouts, models being made."""

    path: str
    free_gb: float
    writable: bool


def disk_state(path: Path) -> DiskState:
    """Of the directory, or of where it would be made."""
    free = shutil.disk_usage(existing_parent(path)).free
    return DiskState(str(path), round(free / GIGABYTE, 1), is_writable(path))


def is_writable(path: Path) -> bool:
    """Tell whether a directory can be written, or made."""
    parent = existing_parent(path)
    return parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)


def existing_parent(path: Path) -> Path:
    path = path.absolute()
    return next(place for place in (path, *path.parents) if place.exists())


# --- what people see ---------------------------------------------------------------------------


def show(
    machine: dict[str, Any], verdicts: list[ProbeVerdict], store: StoreState, work_dir: DiskState
) -> None:
    console = make_console(width=160)
    console.print(facts(machine_rows(machine)))
    console.print(backend_table(verdicts, has_gpu=bool(machine["gpus"])))
    can_write = "" if work_dir.writable else "; it can't be written: set GUARDIANFLOW_WORK_DIR"
    console.print(
        facts(
            [
                ("MLflow store", f"{store.uri}\n{store.note}"),
                ("Work directory", f"{work_dir.path}\n{work_dir.free_gb} GB free{can_write}"),
            ]
        )
    )
    if not any(verdict.runs for verdict in verdicts):
        write("no backend runs here: no detector can be judged", error=True)


def machine_rows(machine: dict[str, Any]) -> list[tuple[str, str]]:
    sets = machine["instruction_sets"]
    instructions = (
        ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in sets.items())
        if sets
        else "not known"
    )
    if machine["isa_cap"]:
        instructions += f"; {ISA_VARIABLE}={machine['isa_cap']} is set"
    memory = f"{machine['memory_gb']} GB, {machine['memory_available_gb']} GB of it available"
    if machine["memory_limit_gb"] is not None:
        memory += f"; this container may take {machine['memory_limit_gb']} GB"
    return [
        ("GuardianFlow", f"{__version__} on Python {machine['python']}, {machine['system']}"),
        (
            "CPU",
            f"{machine['cpu']}: {machine['physical_cores']} physical, "
            f"{machine['logical_cores']:g} logical cores",
        ),
        ("Instructions", instructions),
        ("Memory", memory),
        ("GPU", ", ".join(machine["gpus"]) or "none that a driver tells of"),
    ]


def facts(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in rows:
        table.add_row(Text(name, style="bold"), Text(value, overflow="fold"))
    return table


def backend_table(verdicts: list[ProbeVerdict], *, has_gpu: bool) -> Table:
    """A row for each verdict of a backend; precisions that share one share the row."""
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for verdict in verdicts:
        label = CATALOGUE[verdict.backend].label
        key = (label, runs_text(verdict), verdict.version, advice(verdict, has_gpu=has_gpu))
        rows.setdefault(key, []).append(verdict.precision)
    table = Table("backend", "precision", "runs", "version", "what to do")
    for (label, runs, version, todo), precisions in rows.items():
        style = "green" if runs.startswith("yes") else "yellow"
        cells = (label, ", ".join(precisions), Text(runs, style=style), version or "–", todo)
        table.add_row(*(c if isinstance(c, Text) else Text(c, overflow="fold") for c in cells))
    return table


def runs_text(verdict: ProbeVerdict) -> str:
    if not verdict.runs:
        return f"no: {verdict.verdict}"
    return f"yes, with ISA cap {verdict.isa_cap}" if verdict.isa_cap else "yes"


def advice(verdict: ProbeVerdict, *, has_gpu: bool) -> str:
    if verdict.isa_cap:
        return f"nothing: GuardianFlow sets {ISA_VARIABLE}={verdict.isa_cap} itself"
    wants_gpu = verdict.verdict == "missing-device" or (
        verdict.verdict == "missing-library" and "cpu" not in CATALOGUE[verdict.backend].hardware
    )
    if wants_gpu and not has_gpu:
        return "nothing: it is for machines with an NVIDIA GPU"
    if verdict.verdict in ("failed", "crashed"):
        return f"{verdict.cure} ({verdict.reason})"
    return verdict.cure
