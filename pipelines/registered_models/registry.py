"""The registry of models for people and programs: which version is at the site, and moving it.

    from pipelines import ModelRegistry

    registry = ModelRegistry()
    registry.promote("donghwa-entec/busan-plant1/welding/ppe")
    registry.get_champion_uri("donghwa-entec/busan-plant1/welding/ppe")

`guardianflow models|versions|promote|rollback|history|uri` are a thin face on it.
"""

from __future__ import annotations

import getpass
import logging
import socket
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from guardianflow.contracts.errors import (
    ConcurrentChangeError,
    GuardianFlowError,
    SourceError,
)
from guardianflow.contracts.ports import DetectorRegistry
from guardianflow.contracts.releases import CANDIDATE, CHAMPION, JournalEntry
from guardianflow.contracts.results import DetectorPackage, RegisteredModel
from guardianflow.release.promotion.alias_changes import KEPT_ALIASES
from guardianflow.release.promotion.journal import BEGUN, entries_in, history
from guardianflow.release.promotion.promotion import (
    Verify,
    promote,
    recover,
    rollback,
)
from guardianflow.run_tracking.overview.lines import Overview
from guardianflow.run_tracking.overview.opening import open_overview

from ..settings import load_settings
from ..wiring import Ports, connect
from .evidence import evidence_of

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelOverview:
    """A registered model at a glance.

    Args:
        name: with slashes.
        aliases: candidate, champion and rollback → version; one that is not set is absent.
        versions: how many there are.
        created_ms: of the newest version, milliseconds since 1970.
    """

    name: str
    aliases: Mapping[str, str]
    versions: int
    created_ms: int


class ModelRegistry:
    """Registered detectors: their versions, who is champion, and every change of that.

    Whatever is asked about a model, a change of its aliases that was interrupted is completed
    first, and told.

    Args:
        tracking_uri: None takes the settings', as every command does.
        tell: called with one line for people when something was mended; None logs a warning.
        ports: an opened store and registry; None opens them when they are needed.

    Every method raises TrackingError where the store can't be reached.
    """

    def __init__(
        self,
        tracking_uri: str | None = None,
        *,
        tell: Callable[[str], object] | None = None,
        ports: Ports | None = None,
    ) -> None:
        self._given, self._uri = ports, tracking_uri
        self._tell = tell or LOGGER.warning

    @cached_property
    def _ports(self) -> Ports:
        return self._given or connect(self._uri or load_settings().tracking_uri)

    @cached_property
    def _overview(self) -> Overview:
        """For lists: they need no opened store."""
        if self._given is not None:
            return self._given.overview()
        return open_overview(self._uri or load_settings().tracking_uri)

    def register(
        self,
        run_id: str,
        package: DetectorPackage | Path | str,
        name: str,
        *,
        alias: str = CANDIDATE,
        tags: Mapping[str, str] | None = None,
    ) -> RegisteredModel:
        """Register a detector package that a run has made, as candidate.

        Args:
            package: a detector package, or its directory.
            name: slash or dot form.
            alias: 'candidate' or one of your own.

        Raises:
            SourceError: an unknown run, a bad name, files that don't match their sha256, or an
                alias that only `promote` and `rollback` move.
            TrackingError: the store refuses.
        """
        if alias in KEPT_ALIASES and alias != CANDIDATE:
            raise SourceError(
                f"alias must be '{CANDIDATE}' or one of your own but got '{alias}', which only "
                "promote and rollback move. Register it, then promote it"
            )
        if not isinstance(package, DetectorPackage):
            package = DetectorPackage.load(Path(package))
        return self._ports.registry.register(run_id, package, name, alias=alias, tags=tags)

    def promote(
        self,
        name: str,
        version: str | int | None = None,
        *,
        reason: str = "",
        force: bool = False,
        who: str = "",
        decided_at: str = "",
    ) -> JournalEntry:
        """Candidate, or `version`, → champion; old champion → rollback.

        See guardianflow.release.promotion.promote for what is checked and raised.
        """
        who = this_person(self._ports, who)
        self._mend(name, who)
        return promote(
            self._ports.aliases,
            name,
            version=None if version is None else str(version),
            who=who,
            reason=reason,
            force=force,
            decided_at=decided_at,
            verify=verifier(self._ports.registry, self._tell),
            evidence=partial(evidence_of, self._ports),
        )

    def rollback(
        self, name: str, *, reason: str = "", who: str = "", decided_at: str = ""
    ) -> JournalEntry:
        """Rollback → champion; demoted champion → candidate.

        See guardianflow.release.promotion.rollback for what is checked and raised.
        """
        who = this_person(self._ports, who)
        self._mend(name, who)
        return rollback(
            self._ports.aliases,
            name,
            who=who,
            reason=reason,
            decided_at=decided_at,
            verify=verifier(self._ports.registry, self._tell),
        )

    def get_champion_uri(self, name: str) -> str:
        """'models:/NAME@champion', as MLflow takes it.

        Raises:
            SourceError: unknown model; no champion.
        """
        return self.resolve(name)[0]

    def resolve(self, name: str, alias: str = CHAMPION) -> tuple[str, RegisteredModel]:
        """The URI of an alias and the version that it means now.

        Raises:
            SourceError: unknown model or alias; says which there are.
        """
        self._mend_if_possible(name)
        model = self._ports.registry.describe(f"models:/{name}@{alias}")
        return f"models:/{model.name}@{alias}", model

    def list_versions(self, name: str) -> list[RegisteredModel]:
        """Every version, the oldest first. Raises SourceError: unknown model."""
        self._mend_if_possible(name)
        return list(self._ports.aliases.versions(name))

    def history(self, name: str) -> list[JournalEntry]:
        """Every change of the model's aliases, the oldest first. Raises SourceError."""
        self._mend_if_possible(name)
        return history(self._ports.aliases, name)

    def list_models(self, pattern: str = "", customer: str = "") -> list[ModelOverview]:
        """Every model, the newest first; one with an interrupted change is told.

        Args:
            pattern: part of the name, slash or dot form.
            customer: the name's first part.
        """
        found = self._overview.models(pattern, customer)
        for model in found:
            if any(entry.state == BEGUN for entry in entries_in(model.tags)):
                name = model.name.replace(".", "/")
                self._tell(
                    f"a change of the aliases of {name} is under way or was interrupted; "
                    f"`guardianflow history {name}` tells, and completes it"
                )
        return [
            ModelOverview(
                name=model.name.replace(".", "/"),
                aliases={a: v for a, v in model.aliases.items() if a in KEPT_ALIASES},
                versions=model.versions,
                created_ms=model.created_ms,
            )
            for model in found
        ]

    # --- inside -------------------------------------------------------------------------------

    def _mend(self, name: str, who: str) -> None:
        entry = recover(self._ports.aliases, name, who=who)
        if entry is not None:
            self._tell(
                f"{entry.action} to v{entry.after.get(CHAMPION)} of {name.replace('.', '/')} "
                f"(change {entry.number}, begun {entry.when} by {entry.who}): {entry.note}"
            )

    def _mend_if_possible(self, name: str) -> None:
        """For what only reads: it goes on when nothing can be mended now, and says so."""
        try:
            self._mend(name, local_person())
        except SourceError:
            raise
        except ConcurrentChangeError as exc:
            self._tell(f"the aliases may be about to change: {exc}")
        except GuardianFlowError as exc:
            self._tell(f"an interrupted change could not be completed: {exc}")


def verifier(registry: DetectorRegistry, tell: Callable[[str], object]) -> Verify:
    """Fetches a version into a temporary directory, which checks all that it is.

    Args:
        tell: called with one line for people where an earlier release registered it.
    """

    def verify(name: str, version: str) -> DetectorPackage:
        with tempfile.TemporaryDirectory(prefix="guardianflow-verify-") as folder:
            package = registry.fetch(f"models:/{name}/{version}", Path(folder) / "detector")
        if note := package.verified_by.note:
            tell(f"v{version} of {name.replace('.', '/')} is {note}")
        return package

    return verify


def this_person(ports: Ports, told: str = "") -> str:
    """Who does it, for the journal: the name that the server has authenticated, where it has
    logins, and in brackets what is said of oneself.

    Args:
        told: who it is said to be; '' for user@host of this machine.
    """
    from guardianflow.run_tracking.services.server import login_of

    said = told or local_person()
    login = login_of(ports.store.tracking_uri)
    return f"{login} ({said})" if login else said


def local_person() -> str:
    """user@host, as this machine says of itself."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}".encode("utf-8", "replace").decode("utf-8")
