"""Who stands in a release: the candidates it was asked to judge, and the champion of each.

of_results    stages that ran just now
of_runs       finished runs, by their ids
runs_below    train and quant runs of a finished pipeline
contend       each candidate's package, and the champion of its registered name
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from guardianflow.contracts.errors import ConfigurationError, SourceError
from guardianflow.contracts.releases import CHAMPION, EVIDENCE_TAG
from guardianflow.contracts.results import (
    DetectorPackage,
    RegisteredModel,
    RunRecord,
    StageResult,
)
from guardianflow.contracts.run_status import RunStatus
from guardianflow.release.promotion.evidence import (
    ReadEvidence,
    ReleaseEvidence,
    read_evidence,
)
from scenario import Scenario, to_display_name

from ..stage.inputs import RUN_REFERENCE, fetch_registered, fetch_source
from ..stage.kinds import MAKERS, TRAIN
from ..stage.plan import ORIGINAL
from ..stage.stage import VARIANT_TAG, StageContext
from ..wiring import Ports

PARENT_TAG = "mlflow.parentRunId"
REUSED = "reused."
RELEASE_FILE = "results/release.json"


@dataclass(frozen=True)
class Candidate:
    """One model that asks to be released.

    Args:
        variant: what a summary calls it: 'openvino_int8'.
        run_id: the run that made it.
        name: registered name, slash form; where it was not registered, the one it would have.
        version: '' where it was not registered.
    """

    variant: str
    run_id: str
    name: str
    version: str = ""

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Contender:
    """A model with its files, fetched and verified."""

    name: str
    version: str
    run_id: str
    package: DetectorPackage

    @property
    def key(self) -> str:
        """Two of one key find the same boxes: same files, read in the same way."""
        return self.package.spec.answers

    def __str__(self) -> str:
        return f"{self.name} v{self.version}" if self.version else f"run {self.run_id}"


@dataclass(frozen=True)
class Pair:
    """A candidate beside the champion of its name.

    Args:
        champion: None where the name has none yet.
        stored: the champion's figures of the release that judged it; shown, never judged.
    """

    variant: str
    candidate: Contender
    champion: Contender | None = None
    stored: Mapping[str, float] = field(default_factory=dict)

    @property
    def same_files(self) -> bool:
        return self.champion is not None and self.champion.key == self.candidate.key


# --- who is judged -------------------------------------------------------------------------------


def candidates_from_results(scenario: Scenario, results: Iterable[StageResult]) -> list[Candidate]:
    """The models that train and quant stages made, in their order."""
    found = []
    for result in results:
        if result.stage not in MAKERS:
            continue
        model = result.model
        name = to_display_name(model.name) if model else unregistered(scenario, result.variant)
        version = model.version if model else ""
        found.append(Candidate(result.variant, result.run_id, name, version))
    return found


def candidates_from_runs(
    ports: Ports, scenario: Scenario, run_ids: Sequence[str]
) -> list[Candidate]:
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
        found.append((stage, of_run(scenario, run, stage)))
    names = [candidate.variant for _, candidate in found]
    problems += [
        f"two runs made '{name}'; name one of them"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    if problems:
        raise SourceError(problems)
    return [candidate for _, candidate in sorted(found, key=lambda each: each[0] != TRAIN)]


def of_run(scenario: Scenario, run: RunRecord, stage: str) -> Candidate:
    variant = run.tags.get(VARIANT_TAG) or run.tags.get("comparison.value", "")
    variant = ORIGINAL if stage == TRAIN else variant
    name = run.tags.get("registered_model_name", "")
    return Candidate(
        variant,
        run.run_id,
        to_display_name(name) if name else unregistered(scenario, variant),
        run.tags.get("registered_model_version", ""),
    )


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


def unregistered(scenario: Scenario, variant: str) -> str:
    """The name a model would have had."""
    return scenario.get_registered_model_name("fp32" if variant == ORIGINAL else variant)


# --- their files ---------------------------------------------------------------------------------


def fetch_contestants(context: StageContext, folder: Path) -> list[Pair]:
    """Fetch every candidate, and the champion of each one's name.

    Raises:
        ConfigurationError: no candidate was named.
        SourceError: a candidate or a champion that is there can't be fetched, or the two name
            different classes.
    """
    candidates = [Candidate(**each) for each in context.request.candidates]
    if not candidates:
        raise ConfigurationError("a release needs at least one candidate to judge but got none")
    champions: dict[str, tuple[Contender | None, Mapping[str, float]]] = {}
    pairs = []
    for place, candidate in enumerate(candidates):
        mine = fetch_candidate(context, candidate, folder / f"candidate{place}")
        if candidate.name not in champions:
            champions[candidate.name] = fetch_champion(
                context, candidate.name, folder / f"champion{place}"
            )
        champion, stored = champions[candidate.name]
        check_same_classes(mine, champion)
        pairs.append(Pair(candidate.variant, mine, champion, stored))
    return pairs


def fetch_candidate(context: StageContext, candidate: Candidate, folder: Path) -> Contender:
    if candidate.version:
        reference = f"models:/{candidate.name}/{candidate.version}"
        package = fetch_registered(context, reference, folder)
    else:
        request = replace(context.request, source=f"{RUN_REFERENCE}{candidate.run_id}")
        package = fetch_source(replace(context, request=request), folder)
    return Contender(candidate.name, candidate.version, candidate.run_id, package)


def find_champion(ports: Ports, name: str) -> RegisteredModel | None:
    """The version that deployments read; None where the name has no champion yet.

    Raises:
        TrackingError: the registry can't be read, which is no sign of there being none.
    """
    found = [
        model
        for model in ports.registry.list_models(name)
        if to_display_name(model.name) == name and CHAMPION in model.aliases
    ]
    return found[0] if found else None


def fetch_champion(
    context: StageContext, name: str, folder: Path
) -> tuple[Contender | None, Mapping[str, float]]:
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
    contender = Contender(name, model.version, model.run_id or "", package)
    return contender, stored_figures(context, model, name)


def check_same_classes(candidate: Contender, champion: Contender | None) -> None:
    """Recall of a class means the same only where both name the same classes."""
    if champion is None:
        return
    names = candidate.package.spec.class_names, champion.package.spec.class_names
    if names[0] != names[1]:
        raise SourceError(
            f"candidate and champion must name the same classes in the same order, but the "
            f"candidate {candidate} has {list(names[0])} and the champion {champion} has "
            f"{list(names[1])}. Release the new classes under another task or version of the "
            "site's model, or promote it by hand with --force --reason TEXT"
        )


def release_table(ports: Ports, run_id: str) -> Any:
    """What a release run has written to results/release.json.

    Raises:
        SourceError: no such run, it has no such file, or it is no JSON.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = ports.store.download(run_id, RELEASE_FILE, Path(folder))
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as exc:
            raise SourceError(f"{RELEASE_FILE} of run {run_id} can't be read: {exc}") from exc


def evidence_reader(ports: Ports) -> ReadEvidence:
    """Reads the runs that verdicts name, for promotions."""

    def read(run_id: str) -> ReleaseEvidence:
        if not run_id:
            raise SourceError("it names no run")
        return read_evidence(ports.store.get_run(run_id), release_table(ports, run_id))

    return read


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
