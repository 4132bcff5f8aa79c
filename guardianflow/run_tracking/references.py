"""References to detectors, what describes a registered one, and what is said when there is none.

Shared by the registry and its fake, so that both take the same forms and say the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..contracts.detector_package import DetectorPackage
from ..contracts.errors import SourceError, TrackingError
from ..contracts.given import whole_number
from ..contracts.results import RegisteredModel, RunRecord
from ..contracts.run_status import RunStatus
from ..support.suggestions import nearest
from .identity import DIGEST_TAG
from .names import display_name, registered_name, stored_values

REGISTRY_TAG_LIMIT = 5000


@dataclass(frozen=True)
class ModelReference:
    """A parsed `models:/` or `runs:/` reference.

    Args:
        name: registered name with dots; '' for a run.
        version, alias: at most one is set; neither means the latest version.
        run_id: set for `runs:/RUN_ID`.
    """

    name: str = ""
    version: str | None = None
    alias: str | None = None
    run_id: str | None = None


def parse_reference(reference: str) -> ModelReference:
    """Read 'models:/NAME', 'models:/NAME/3', 'models:/NAME@champion' or 'runs:/RUN_ID'.

    NAME has slashes or dots. A last part of digits is a version; 'latest' is the latest one.

    Raises:
        SourceError: it is none of these; shows what was expected.
    """
    scheme, separator, rest = reference.partition(":/")
    rest = rest.strip("/")
    if separator and rest and scheme == "runs":
        run_id, _, path = rest.partition("/")
        if path:
            raise SourceError(
                f"'{reference}' names a file of a run. Expected 'runs:/RUN_ID', the detector "
                "that the run logged"
            )
        return ModelReference(run_id=run_id)
    if separator and rest and scheme == "models":
        if "@" in rest:
            name, _, alias = rest.rpartition("@")
            return ModelReference(registered_name(name), alias=alias)
        name, _, last = rest.rpartition("/")
        if name and (number := whole_number(last)) is not None:
            return ModelReference(registered_name(name), version=str(number))
        if name and last == "latest":
            return ModelReference(registered_name(name))
        return ModelReference(registered_name(rest))
    raise SourceError(
        f"'{reference}' is not a reference to a detector. Expected 'models:/NAME@alias', "
        "'models:/NAME/3', 'models:/NAME' or 'runs:/RUN_ID'"
    )


class KnownModels(Protocol):
    """The part of an AliasStore that finds a version."""

    def versions(self, name: str) -> Sequence[RegisteredModel]: ...

    def aliases(self, name: str) -> Mapping[str, str]: ...

    def unknown_model(self, registered: str) -> SourceError: ...


def find_version(models: KnownModels, wanted: ModelReference) -> RegisteredModel:
    """The version that a `models:/` reference means.

    Raises:
        SourceError: unknown name, version or alias.
    """
    name = wanted.name
    versions = {each.version: each for each in models.versions(name)}
    if not versions:
        raise models.unknown_model(name)
    number = wanted.version or max(versions, key=int)
    if wanted.alias is not None:
        aliases = models.aliases(name)
        if wanted.alias not in aliases:
            raise unknown_alias(name, wanted.alias, aliases)
        number = aliases[wanted.alias]
    if number not in versions:
        raise unknown_version(name, number, versions)
    return versions[number]


def describe(models: KnownModels, reference: str) -> RegisteredModel:
    """As `find_version`; raises SourceError also for what is not a `models:/` reference."""
    wanted = parse_reference(reference)
    if wanted.run_id is not None:
        raise SourceError(f"'{reference}' is a run; expected 'models:/NAME@alias'")
    return find_version(models, wanted)


def check_alias(alias: str) -> str:
    """Raises SourceError when MLflow would refuse the alias."""
    if not re.fullmatch(r"[\w\-]+", alias) or re.fullmatch(r"latest|[vV]\d+", alias):
        raise SourceError(
            f"'{alias}' can't be an alias: letters, digits, '_' and '-' may stand in it, and "
            "'latest' and forms like 'v1' mean versions. Expected e.g. 'candidate'"
        )
    return alias


def check_model_tag(key: str, value: str) -> None:
    """Raises TrackingError for a value that a database column of MLflow can't hold."""
    if len(value) > REGISTRY_TAG_LIMIT:
        raise TrackingError(
            f"tag '{key}' must be at most {REGISTRY_TAG_LIMIT} characters but got {len(value)}: "
            "MLflow's databases hold no more"
        )


def check_destination(destination: Path) -> None:
    """Raises SourceError when files lie there already, which would mix with the detector's."""
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise SourceError(
            f"{destination} must be a new or empty directory to put a detector in; name another"
        )


def version_tags(
    package: DetectorPackage, run_id: str, tags: Mapping[str, str] | None
) -> dict[str, str]:
    """Tags of a registered version: what it is; the caller's own tags win, but for its identity.

    `source_run_id` is the run that the weights come from: for a quantised detector the one it
    was made from, else the run that registers it.
    """
    spec = package.spec
    described: dict[str, object] = {
        "architecture": spec.architecture,
        "input_size": spec.input_size,
        "backend": spec.backend,
        "precision": spec.precision,
        "source_run_id": spec.lineage.get("source_run_id") or run_id,
        **(tags or {}),
        DIGEST_TAG: package.digest,  # nobody's to choose
    }
    return stored_values(described, REGISTRY_TAG_LIMIT)


def unknown_model(name: str, known: Collection[str]) -> SourceError:
    near = [display_name(other) for other in nearest(name, known)]
    hint = f"; nearest: {', '.join(near)}" if near else ". `guardianflow list models` shows all"
    return SourceError(f"there is no registered model '{display_name(name)}'{hint}")


def unknown_version(name: str, version: str, known: Collection[str]) -> SourceError:
    there = ", ".join(sorted(known, key=int)) or "none"
    return SourceError(f"model '{display_name(name)}' has no version {version}; it has: {there}")


def unknown_alias(name: str, alias: str, known: Collection[str]) -> SourceError:
    there = ", ".join(sorted(known)) or "none"
    return SourceError(f"model '{display_name(name)}' has no alias '{alias}'; it has: {there}")


def check_source_run(run: RunRecord) -> None:
    """Raises SourceError for a run that failed: what it logged is not to be built upon."""
    if run.status in (RunStatus.FAILED, RunStatus.KILLED):
        raise SourceError(
            f"{_described(run)} is {run.status}. Name a run that finished, or resume this one"
        )


def no_detector(run: RunRecord) -> SourceError:
    """For a run that logged no detector: says what the run is, and what to name instead."""
    kind = run.tags.get("exp.type")
    state = "is still RUNNING and has" if run.status == RunStatus.RUNNING else "has"
    return SourceError(
        f"{_described(run)} {state} logged no detector{f'; its type is {kind}' if kind else ''}. "
        "Name a train or quant run that finished"
    )


def _described(run: RunRecord) -> str:
    return f"run {run.run_id} ('{run.run_name}' in {run.experiment_name})"
