"""The models of a release: the candidates it was asked to judge, and the champion of each.

candidates_from_results   of stages that ran just now
candidates_from_runs      of finished runs, by their ids
runs_below                train and quant runs of a finished pipeline
fetch_contestants         each candidate's package, and that of its registered name's champion
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError, SourceError
from guardianflow.contracts.releases import CHAMPION, EVIDENCE_TAG
from guardianflow.contracts.results import (
    RegisteredModel,
    StageResult,
)
from guardianflow.contracts.run_status import RunStatus
from guardianflow.release.models import ComparedModels, ModelMeasurement, ReleaseModel
from guardianflow.support.text.spelling import nfc
from scenario import Scenario, to_display_name

from ..registered_models.evidence import release_table
from ..stage.inputs.sources import (
    RUN_REFERENCE,
    fetch_registered,
    fetch_source,
)
from ..stage.kinds import MAKERS, TRAIN
from ..stage.plan import ORIGINAL
from ..stage.stage import VARIANT_TAG, StageContext
from ..wiring import Ports

PARENT_TAG = "mlflow.parentRunId"
REUSED = "reused."


# --- who is judged -------------------------------------------------------------------------------


def candidates_from_results(
    scenario: Scenario, results: Iterable[StageResult]
) -> list[ReleaseModel]:
    """The models that train and quant stages made, in their order."""
    return [
        _candidate(
            scenario,
            each.variant,
            each.run_id,
            each.model.name if each.model else "",
            each.model.version if each.model else "",
        )
        for each in results
        if each.stage in MAKERS
    ]


def candidates_from_runs(
    ports: Ports, scenario: Scenario, run_ids: Sequence[str]
) -> list[ReleaseModel]:
    """The models of finished train and quant runs, the original first.

    Raises:
        SourceError: an unknown run, one that made no model or did not finish, one named twice.
    """
    problems, found = [], []
    for run_id in run_ids:
        run = ports.store.get_run(run_id)
        stage = run.tags.get("guardianflow.stage", "")
        if run.status != RunStatus.FINISHED or stage not in MAKERS:
            problems.append(
                f"run {run_id} ({run.run_name}) must be a finished train or quant run but is "
                f"{f'a {stage} run, ' if stage else ''}{run.status}"
            )
            continue
        made = run.tags.get(VARIANT_TAG) or run.tags.get("comparison.value", "")
        name, version = (run.tags.get(f"registered_model_{k}", "") for k in ("name", "version"))
        variant = ORIGINAL if stage == TRAIN else made
        found.append(_candidate(scenario, variant, run_id, name, version))
    names = [candidate.variant for candidate in found]
    problems += [
        f"two runs made '{name}'; name one of them"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    if problems:
        raise SourceError(problems)
    return sorted(found, key=lambda each: each.variant != ORIGINAL)


def _candidate(
    scenario: Scenario, variant: str, run_id: str, registered_name: str, version: str
) -> ReleaseModel:
    """One that was not registered has the name it would have had."""
    if not registered_name:
        own = "fp32" if variant == ORIGINAL else variant
        registered_name = scenario.get_registered_model_name(own)
    return ReleaseModel(variant, run_id, to_display_name(registered_name), version)


def runs_below(ports: Ports, parent_run_id: str) -> list[str]:
    """Ids of the finished train and quant runs of a pipeline, those it reused among them.

    Raises:
        SourceError: an unknown run, or one without any.
    """
    parent = ports.store.get_run(parent_run_id)
    reused = [
        run_id
        for key, run_id in parent.tags.items()
        if key.startswith(tuple(f"{REUSED}{stage}-" for stage in MAKERS))
    ]
    children = ports.store.find_runs(
        tags={PARENT_TAG: parent_run_id}, status=RunStatus.FINISHED, limit=1000
    )
    made = [run.run_id for run in children if run.tags.get("guardianflow.stage") in MAKERS]
    found = list(dict.fromkeys([*made[::-1], *reused]))
    if not found:
        raise SourceError(
            f"run {parent_run_id} ({parent.run_name}) has no finished train or quant run below it; "
            "name a pipeline's parent run with --run, or train and quant runs with --source-run-id"
        )
    return found


# --- their files ---------------------------------------------------------------------------------


def fetch_contestants(context: StageContext, folder: Path) -> list[ComparedModels]:
    """Fetch every candidate, and the champion of each one's name; nothing is measured yet.

    Raises:
        ConfigurationError: no candidate was named.
        SourceError: a candidate or a champion that is there can't be fetched, or the two name
            different classes.
    """
    candidates = [ReleaseModel.from_dict(each) for each in context.request.candidates]
    if not candidates:
        raise ConfigurationError("a release needs at least one candidate to judge but got none")
    champions: dict[str, tuple[ReleaseModel | None, Mapping[str, float]]] = {}
    compared = []
    for place, candidate in enumerate(candidates):
        mine = fetch_candidate(context, candidate, folder / f"candidate{place}")
        if mine.name not in champions:
            champions[mine.name] = fetch_champion(
                context, mine.variant, mine.name, folder / f"champion{place}"
            )
        champion, stored = champions[mine.name]
        check_same_classes(mine, champion)
        label = f"{mine.variant} champion v{champion.version}" if champion else ""
        compared.append(
            ComparedModels(
                unmeasured(mine, mine.variant),
                unmeasured(champion, label) if champion else None,
                stored=stored,
            )
        )
    return compared


def unmeasured(model: ReleaseModel, label: str) -> ModelMeasurement:
    """A measurement with what the files alone tell."""
    package = model.files
    return ModelMeasurement(model, label, package.digest, package.size_bytes / 1e6)


def fetch_candidate(context: StageContext, candidate: ReleaseModel, folder: Path) -> ReleaseModel:
    if candidate.version:
        reference = f"models:/{candidate.name}/{candidate.version}"
        package = fetch_registered(context, reference, folder)
    else:
        request = replace(context.request, source=f"{RUN_REFERENCE}{candidate.run_id}")
        package = fetch_source(replace(context, request=request), folder)
    return replace(candidate, package=package)


def find_champion(ports: Ports, name: str) -> RegisteredModel | None:
    """The version that deployments read; None where the name has no champion yet.

    Raises:
        TrackingError: the registry can't be read, which is no sign of there being none.
    """
    for model in ports.registry.list_models(name):
        if to_display_name(model.name) == name and CHAMPION in model.aliases:
            return model
    return None


def fetch_champion(
    context: StageContext, variant: str, name: str, folder: Path
) -> tuple[ReleaseModel | None, Mapping[str, float]]:
    model = find_champion(context.ports, name)
    if model is None:
        return None, {}
    try:
        package = fetch_registered(context, f"models:/{name}/{model.version}", folder)
    except SourceError as exc:
        raise SourceError(
            f"the champion {name} v{model.version} can't be fetched, so nothing can be compared "
            f"with it: {exc}. Bring its files back, or promote another version by hand: "
            f"guardianflow promote {name} --version N --force --reason TEXT"
        ) from exc
    champion = ReleaseModel(variant, model.run_id or "", name, model.version, package)
    return champion, stored_figures(context, model, name)


def check_same_classes(candidate: ReleaseModel, champion: ReleaseModel | None) -> None:
    """Recall of a class means the same only where both name the same classes."""
    if champion is None:
        return
    names = candidate.files.spec.class_names, champion.files.spec.class_names
    if [*map(nfc, names[0])] != [*map(nfc, names[1])]:
        raise SourceError(
            f"candidate and champion must name the same classes in the same order, but the "
            f"candidate {candidate} has {list(names[0])} and the champion {champion} has "
            f"{list(names[1])}. Release the new classes under another task or version of the "
            "site's model, or promote it by hand with --force --reason TEXT"
        )


def stored_figures(
    context: StageContext, champion: RegisteredModel, name: str
) -> Mapping[str, float]:
    """The champion's figures in the release that judged it; none where they are gone."""
    run_id = champion.tags.get(EVIDENCE_TAG, "")
    if not run_id:
        return {}
    try:
        for row in release_table(context.ports, run_id)["variants"]:
            if (row["model_name"], row["version"]) == (name, champion.version):
                return {key: float(value) for key, value in row["metrics"].items()}
    except (SourceError, ValueError, KeyError, TypeError) as exc:
        context.events.message(
            f"the champion {name} v{champion.version} is shown without its figures of another day: "
            f"run {run_id} does not give them ({exc})"
        )
    return {}
