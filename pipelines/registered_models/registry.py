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
from guardianflow.release.promotion.journal import BEGUN
from guardianflow.release.promotion.promotion import (
    Verify,
    history,
    promote,
    recover,
    rollback,
)

from ..settings import load_settings
from ..wiring import Ports, connect
from .evidence import evidence_reader

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
        ports: an opened store and registry; None opens them.

    Raises:
        TrackingError: the store can't be reached.
    """

    def __init__(
        self,
        tracking_uri: str | None = None,
        *,
        tell: Callable[[str], object] | None = None,
        ports: Ports | None = None,
    ) -> None:
        self._ports = ports or connect(tracking_uri or load_settings().tracking_uri)
        self._tell = tell or LOGGER.warning

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
        who = who or this_person()
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
            evidence=evidence_reader(self._ports),
        )

    def rollback(
        self, name: str, *, reason: str = "", who: str = "", decided_at: str = ""
    ) -> JournalEntry:
        """Rollback → champion; demoted champion → candidate.

        See guardianflow.release.promotion.rollback for what is checked and raised.
        """
        who = who or this_person()
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
        found: dict[str, list[RegisteredModel]] = {}
        for version in self._ports.registry.list_models(pattern):
            if not customer or version.display_name.split("/")[0] == customer:
                found.setdefault(version.display_name, []).append(version)
        for name in found:
            if any(entry.state == BEGUN for entry in history(self._ports.aliases, name)):
                self._tell(
                    f"a change of the aliases of {name} is under way or was interrupted; "
                    f"`guardianflow history {name}` tells, and completes it"
                )
        models = [
            ModelOverview(
                name=name,
                aliases={a: v.version for v in versions for a in v.aliases if a in KEPT_ALIASES},
                versions=len(versions),
                created_ms=max(version.created_ms for version in versions),
            )
            for name, versions in found.items()
        ]
        return sorted(models, key=lambda model: -model.created_ms)

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
            self._mend(name, this_person())
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


def this_person() -> str:
    """user@host, for the journal."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}".encode("utf-8", "replace").decode("utf-8")
