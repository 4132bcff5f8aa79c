"""`guardianflow status`: where each directory of old scripts stands."""

from __future__ import annotations

import time

from rich.table import Table
from rich.text import Text

from experiments_adapters.legacy import DEFAULT_FILE
from experiments_adapters.legacy.registry import load_registry
from guardianflow.contracts.given import given_path
from guardianflow.support.terminal import make_console, print_json, write
from pipelines.settings import load_settings
from pipelines.wiring import connect
from pipelines.wrap_batch.batch import select_customer
from pipelines.wrap_batch.status import DirectoryStatus, directory_statuses
from pipelines.wrap_batch.text import STYLES, WIDTH_OF_LOGS

from ..options import StatusCommand

SHOWN_NAMES = 3
EARLIER = "* of an earlier run than the last one"


def show_status(asked: StatusCommand) -> int:
    """Print a row for each directory.

    Raises:
        ConfigurationError: the registry's problems, or a customer that it does not know.
    """
    settings = load_settings()  # before the registry: .env may name ${EXPERIMENTS_BASE}
    file = given_path(asked.experiments) if asked.experiments else DEFAULT_FILE
    chosen = select_customer(load_registry(file), asked.customer, file)
    rows = directory_statuses(chosen, file, connect(settings.tracking_uri))
    if asked.as_json:
        print_json([each.as_dict() for each in rows])
    elif rows:
        show_table(rows)
    else:
        write(f"{file} holds no experiment; add some with: guardianflow scan DIR --update")
    return 0


def show_table(rows: list[DirectoryStatus]) -> None:
    console = make_console(width=WIDTH_OF_LOGS)
    console.print(table_of(rows))
    if any(_is_earlier(each) for each in rows):
        console.print(Text(EARLIER, style="dim"))
    for each in rows:
        if each.problem:
            console.print(Text(f"{each.name}: {each.problem}"))
    for each in rows:
        if each.error:
            console.print(Text(f"{each.name}: its last run failed: {each.error}"))
    unfilled = [each for each in rows if each.todos and not each.problem]
    for each in unfilled:
        console.print(Text(f"{each.name}: to be filled in: {', '.join(each.todos)}"))


def table_of(rows: list[DirectoryStatus]) -> Table:
    table = Table()
    table.add_column("directory", overflow="fold", min_width=12)
    table.add_column("last run", overflow="fold", min_width=11)
    table.add_column("state", no_wrap=True)
    table.add_column("mAP50", justify="right", no_wrap=True)
    table.add_column("model", overflow="fold", min_width=12)
    table.add_column("drift", overflow="fold", min_width=12)
    for each in rows:
        state = each.last.status if each.last else ""
        table.add_row(
            Text(each.name),
            Text(_last(each)),
            Text(state.lower(), style=STYLES.get(state, "")),
            Text("–" if each.mAP50 is None else f"{each.mAP50:.3f}{'*' * _is_earlier(each)}"),
            Text(_model(each)),
            Text(drift_in_words(each)),
        )
    return table


def drift_in_words(status: DirectoryStatus) -> str:
    """'none', or what is new, gone or changed, the first names of each."""
    drift = status.drift
    if drift is None:
        return "unknown"
    if drift.missing:
        return "directory is gone"
    ran = ["its script changed since the last run"] if status.script_changed else []
    if drift.scanned_s is None:
        return "\n".join(["not scanned", *ran])
    parts = [
        f"{what}: {', '.join(names[:SHOWN_NAMES])}"
        + (f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else "")
        for what, names in (
            ("new", drift.added),
            ("gone", drift.removed),
            ("changed", drift.changed),
            ("not read", drift.unreadable),
        )
        if names
    ]
    return "\n".join([*(parts or ([] if ran else ["none"])), *ran])


def _is_earlier(status: DirectoryStatus) -> bool:
    return bool(status.last and status.mAP50_run_id not in ("", status.last.run_id))


def _last(status: DirectoryStatus) -> str:
    if status.last is None:
        return "never"
    started = time.strftime("%m-%d %H:%M", time.localtime(status.last.start_time_ms / 1000))
    return f"{started}\n{status.last.tags.get('exp.type', '')}".rstrip()


def _model(status: DirectoryStatus) -> str:
    model = status.model
    if model is None:
        return "–"
    aliases = " ".join(f"@{alias}" for alias in model.aliases)
    return f"{model.display_name} v{model.version} {aliases}".rstrip()
