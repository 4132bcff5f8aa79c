"""A batch of wrapped runs: what was asked for and how far it is, kept so that it can be resumed.

    WORK_DIR/batches/ID/batch.json    the order, and the state of each experiment
    WORK_DIR/batches/ID/NAME.log      what the wrapper of one experiment said
    WORK_DIR/batches/ID/lock          held while somebody works on the batch

Every run of a batch carries its id as tag `exp.batch`: the store, not this file, says what is
finished, so a batch survives even when whoever ran it was killed.

    prepare_batch   a new one, from the registry: its experiments, and why some can't run
    resume_batch    what is finished stays, all else is looked at anew
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from experiments_adapters.legacy.registry import ExperimentRegistry, LegacyExperiment, load_registry
from experiments_adapters.legacy.registry_schema import ScriptType
from guardianflow.contracts.errors import ConcurrentChangeError, ConfigurationError, Problem
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.files import whole_file
from guardianflow.support.locks import take_lock
from guardianflow.support.secrets.files import make_private_folder, write_private
from guardianflow.support.secrets.redaction import holds_mark, redact_text, redact_value
from guardianflow.support.suggestions import did_you_mean

from ..settings import Settings
from ..wiring import Store
from ..wrap.plan import WrapPlan, WrapRequest, plan_for

WAITING, RUNNING, FINISHED = RunStatus.WAITING, RunStatus.RUNNING, RunStatus.FINISHED
FAILED, KILLED, SKIPPED = RunStatus.FAILED, RunStatus.KILLED, RunStatus.SKIPPED
TAG = "exp.batch"
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")


@dataclass
class Entry:
    """One experiment of a batch.

    Args:
        state: WAITING, RUNNING, FINISHED, FAILED, KILLED or SKIPPED.
        reason: why it is FAILED, KILLED or SKIPPED; '' else.
        applies: False where the directory has nothing of the batch's type: no fault of anybody.
        run_id: of its last attempt; '' where none was made.
        seconds: how long that attempt took.
        metrics: its numbers so far; what was not measured is not in it.
        model: 'NAME version 3' where one was registered.
    """

    name: str
    state: RunStatus = WAITING
    reason: str = ""
    applies: bool = True
    run_id: str = ""
    seconds: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    model: str = ""
    log: str = ""


@dataclass(frozen=True)
class WrapBatchOrder:
    """An order for a batch, the same for all of its experiments.

    Args:
        script_type: 'train', 'infer' or 'quant'.
        customer: only this one's experiments; '' all.
        version: of the scripts; '' the default ones.
        params: values of placeholders, the same for all.
        experiments: absolute path of the registry file.
        tracking_uri: the store that the batch's runs are in; '' while nothing has been started.
    """

    script_type: str
    experiments: str
    tracking_uri: str = ""
    customer: str = ""
    version: str = ""
    params: dict[str, str] = field(default_factory=dict)
    register: bool = True
    trust_weights: bool = False


@dataclass
class Batch:
    """An order and its experiments, in the registry's order."""

    batch_id: str
    order: WrapBatchOrder
    entries: list[Entry]
    folder: Path

    def count(self, *states: str) -> int:
        return sum(each.state in states for each in self.entries)

    def in_state(self, *states: str) -> list[Entry]:
        return [each for each in self.entries if each.state in states]

    @property
    def secret_params(self) -> list[str]:
        """Parameters that are not kept, so that who resumes the batch gives them again."""
        kept = redact_value("", self.order.params)
        return [name for name, value in kept.items() if holds_mark(value)]

    @property
    def status(self) -> RunStatus:
        """FAILED where one failed, KILLED where it was interrupted, else FINISHED."""
        if self.count(FAILED):
            return RunStatus.FAILED
        return RunStatus.KILLED if self.count(KILLED, WAITING, RUNNING) else RunStatus.FINISHED

    def log_of(self, name: str) -> Path:
        """A file's name for every experiment's name; two names never share one."""
        plain = re.sub(r"[^\w.-]", "_", name)[:80]
        unique = "" if plain == name else "-" + hashlib.sha256(name.encode()).hexdigest()[:6]
        return self.folder / f"{plain}{unique}.log"

    def save(self) -> None:
        """Write the state, whole or not at all; secrets of the order are not in it."""
        content = {
            "batch": self.batch_id,
            "order": asdict(self.order),
            "experiments": [asdict(each) for each in self.entries],
        }
        file = self.folder / "batch.json"
        kept = redact_value("", content)
        with whole_file(file) as unfinished:
            write_private(unfinished, json.dumps(kept, ensure_ascii=False, indent=1) + "\n")

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {
            "status": self.status,
            "batch": self.batch_id,
            "type": self.order.script_type,
            "experiments": [
                {
                    "name": each.name,
                    "status": each.state,
                    "reason": each.reason,
                    "run_id": each.run_id or None,
                    "seconds": round(each.seconds, 1),
                    "metrics": each.metrics,
                    "model": each.model or None,
                    "log": each.log or None,
                }
                for each in self.entries
            ],
        }


def new_batch(order: WrapBatchOrder, names: list[str], work_dir: Path) -> Batch:
    """A batch with an id of its own; not written yet."""
    batch_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:4]}"
    return Batch(batch_id, order, [Entry(name) for name in names], work_dir / "batches" / batch_id)


def load_batch(batch_id: str, work_dir: Path) -> Batch:
    """Read a batch back.

    Raises:
        ConfigurationError: there is none of that id here, or its file is damaged.
    """
    home = work_dir / "batches"
    file = home / batch_id / "batch.json"
    if not _ID.fullmatch(batch_id) or not file.is_file():
        known = sorted((each.parent.name for each in home.glob("*/batch.json")), reverse=True)
        there = f"the last ones are {', '.join(known[:5])}" if known else "there is none"
        raise ConfigurationError(
            f"--resume must be the id of a batch in {home} but got '{batch_id}'; {there}"
        )
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        order = WrapBatchOrder(**content["order"])
        entries = [
            Entry(**{**each, "state": RunStatus(each["state"])}) for each in content["experiments"]
        ]
    except (ValueError, KeyError, TypeError) as exc:
        raise ConfigurationError(
            f"{file} can't be read as a batch: {exc}. Start a new one; what it finished is in "
            f"the store under the tag {TAG}={batch_id}"
        ) from exc
    return Batch(batch_id, order, entries, file.parent)


@contextmanager
def locked_batch(batch: Batch) -> Iterator[None]:
    """Keep others from working on the same batch meanwhile.

    Raises:
        ConcurrentChangeError: somebody does.
        ConfigurationError: its folder can't be written.
    """
    try:
        make_private_folder(batch.folder)
        lock = take_lock(batch.folder / "lock")
    except TimeoutError as exc:
        raise ConcurrentChangeError(
            f"batch {batch.batch_id} is at work already; wait for it, or end it with Ctrl-C"
        ) from exc
    except OSError as exc:
        raise ConfigurationError(
            f"{batch.folder} must be a directory to write into: {exc.strerror}. Name another "
            "place in GUARDIANFLOW_WORK_DIR"
        ) from exc
    with lock:
        yield


# --- its experiments ------------------------------------------------------------------------------


def prepare_batch(
    order: WrapBatchOrder, settings: Settings, *, dry_run: bool = False
) -> tuple[Batch, dict[str, WrapPlan]]:
    """Find the experiments of a batch, and what each would run.

    Args:
        dry_run: as of WrapRequest.

    Returns:
        The batch, not written yet: who can't run is SKIPPED with the reason; the plans of others.

    Raises:
        ConfigurationError: the registry's problems; a customer that it does not know; no
            experiment at all.
    """
    registry = load_registry(order.experiments)
    if not len(registry):
        raise ConfigurationError(
            f"{order.experiments} holds no experiment; add some with: guardianflow scan DIR "
            "--update"
        )
    chosen = select_customer(registry, order.customer, order.experiments)
    batch = new_batch(order, [each.name for each in chosen], settings.work_dir)
    return batch, _plans(batch, registry, dry_run=dry_run)


def select_customer(
    registry: ExperimentRegistry, customer: str, file: Path | str
) -> list[LegacyExperiment]:
    """The experiments of a customer; of all for ''.

    Raises:
        ConfigurationError: the file knows no such customer; the nearest is named.
    """
    chosen = registry.find_by_customer(customer) if customer else registry.list_all()
    if customer and not chosen:
        customers = sorted({each.site.customer for each in registry})
        hint = did_you_mean(customer, customers) or f"; there are {', '.join(customers)}"
        raise ConfigurationError(f"--customer must be one of {file} but got '{customer}'{hint}")
    return chosen


def resume_batch(
    batch: Batch, store: Store, given: Mapping[str, str] | None = None
) -> dict[str, WrapPlan]:
    """Take a batch up again: what the store has as FINISHED stays, all else is looked at anew.

    Args:
        given: the parameters that its file does not keep, as they are secrets.

    Raises:
        ConfigurationError: the registry's problems; its runs are in another store; a secret that
            is missing, or a parameter that is none.
    """
    given = given or {}
    missing, wrong = set(batch.secret_params) - set(given), set(given) - set(batch.secret_params)
    if missing or wrong:
        raise ConfigurationError(
            [
                *(Problem(f"-p {each}=… must be given again: secrets are not kept")
                  for each in sorted(missing)),
                *(Problem(f"-p {each} must not be given for a resumed batch, which keeps its own")
                  for each in sorted(wrong)),
            ]
        )  # fmt: skip
    if batch.order.tracking_uri != redact_text(store.tracking_uri):
        raise ConfigurationError(
            f"the runs of batch {batch.batch_id} are in {batch.order.tracking_uri} but this store "
            f"is {store.tracking_uri}; set MLFLOW_TRACKING_URI, or go to the directory it was "
            "started in"
        )
    params = {**batch.order.params, **given}
    batch.order = replace(batch.order, params=params, tracking_uri=store.tracking_uri)
    done = {
        run.tags.get("exp.name"): run
        for run in store.find_runs(
            tags={TAG: batch.batch_id}, status=RunStatus.FINISHED, limit=10_000
        )
    }
    for place, each in enumerate(batch.entries):
        if run := done.get(each.name):
            each.state, each.reason, each.run_id = FINISHED, "", run.run_id
            each.metrics = each.metrics or dict(run.metrics)
        elif each.state != FINISHED:
            batch.entries[place] = Entry(each.name)
    return _plans(batch, load_registry(batch.order.experiments))


def request_of(batch: Batch, name: str) -> WrapRequest:
    order = batch.order
    return WrapRequest(
        name=name,
        script_type=order.script_type,
        version=order.version,
        params=order.params,
        experiments=Path(order.experiments),
        register=order.register,
        trust_weights=order.trust_weights,
        tags={TAG: batch.batch_id},
        terminal=False,
    )


def _plans(
    batch: Batch, registry: ExperimentRegistry, *, dry_run: bool = False
) -> dict[str, WrapPlan]:
    plans: dict[str, WrapPlan] = {}
    for entry in batch.in_state(WAITING):
        try:
            experiment = registry.get(entry.name)
            points = experiment.entry_points
            if getattr(points, cast(ScriptType, batch.order.script_type), None) is None:
                entry.state, entry.applies = SKIPPED, False
                entry.reason = f"it has no entry point '{batch.order.script_type}'"
                continue
            request = replace(request_of(batch, entry.name), dry_run=dry_run)
            plans[entry.name] = plan_for(experiment, request)
        except ConfigurationError as exc:
            entry.state, entry.reason = SKIPPED, "; ".join(map(str, exc.problems))
    return plans


def check_runnable(batch: Batch, *, strict: bool) -> None:
    """Refuse a batch of which nothing can run; with `strict` one of which something can't.

    Raises:
        ConfigurationError: every experiment that can't run, with its reasons.
    """
    faults = [each for each in batch.in_state(SKIPPED) if each.applies]
    nothing = not batch.count(WAITING, FINISHED)
    if nothing or (strict and faults):
        shown = faults or batch.in_state(SKIPPED)
        raise ConfigurationError([Problem(each.reason, each.name) for each in shown])
