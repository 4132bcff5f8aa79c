"""Who belongs to a batch, and who can't run and why: all known before anything starts.

prepare_batch   a new one, from the registry
resume_batch    what is finished stays, all else is looked at anew
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from experiments_adapters.legacy.registry import ExperimentRegistry, load_registry
from experiments_adapters.legacy.registry_schema import ScriptType
from guardianflow.contracts.errors import ConfigurationError, Problem
from guardianflow.contracts.run_status import RunStatus
from guardianflow.support.secrets.redaction import redact_text
from guardianflow.support.suggestions import did_you_mean

from ..settings import Settings
from ..wiring import Store
from ..wrap.plan import WrapPlan, WrapRequest, plan_for
from .batch import FINISHED, SKIPPED, TAG, WAITING, Batch, Entry, WrapBatchOrder, new_batch


def prepare_batch(order: WrapBatchOrder, settings: Settings) -> tuple[Batch, dict[str, WrapPlan]]:
    """Who belongs to the batch, and what each would run.

    Returns:
        The batch, not written yet: who can't run is SKIPPED with the reason; the plans of others.

    Raises:
        ConfigurationError: the registry's problems; a customer that it does not know; no
            experiment at all.
    """
    registry = load_registry(order.experiments)
    chosen = registry.find_by_customer(order.customer) if order.customer else registry.list_all()
    if not chosen:
        customers = sorted({each.site.customer for each in registry})
        hint = did_you_mean(order.customer, customers) or f"; there are {', '.join(customers)}"
        raise ConfigurationError(
            f"--customer must be one of {order.experiments} but got '{order.customer}'{hint}"
            if order.customer and len(registry)
            else f"{order.experiments} holds no experiment; add some with: guardianflow scan DIR "
            "--update"
        )
    batch = new_batch(order, [each.name for each in chosen], settings.work_dir)
    return batch, _plans(batch, registry)


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


def _plans(batch: Batch, registry: ExperimentRegistry) -> dict[str, WrapPlan]:
    plans: dict[str, WrapPlan] = {}
    for entry in batch.in_state(WAITING):
        try:
            experiment = registry.get(entry.name)
            points = experiment.entry_points
            if getattr(points, cast(ScriptType, batch.order.script_type), None) is None:
                entry.state, entry.applies = SKIPPED, False
                entry.reason = f"it has no entry point '{batch.order.script_type}'"
                continue
            plans[entry.name] = plan_for(experiment, request_of(batch, entry.name))
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
        error = ConfigurationError([Problem(each.reason, each.name) for each in shown])
        raise error
