"""Halves of registrations whose process is gone: logged models and empty registered models.

Each names the process that makes it, from its first moment on (`upkeep/ownership.py`), whether that
is a stage or one that sends later what a stage could not. Nothing is a half while that process may
live, or while the run that it belongs to may go on: a run that is resumed takes up what it finds.
What names no process was made by others, or by a GuardianFlow of before, and stays.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ...contracts.errors import SourceError
from ...contracts.run_status import RunStatus
from ..connection import ResourceMissingError
from ..mlflow_store import MlflowStore
from ..model_pages.descriptions import of_people
from ..registry import LOGGED_NAME, MODEL_ID_TAG, remove_logged
from ..upkeep.ownership import PROCESS_TAG, Life, life_of

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel

_SET_ASIDE = re.compile(r"(?P<name>.+)\.removed-[0-9a-f]{8}")
PAGE = 100


class Half(StrEnum):
    LOGGED_MODEL = "logged_model"
    REGISTERED_MODEL = "registered_model"


@dataclass(frozen=True)
class HalfMade:
    """Something that was begun and will not be finished.

    Args:
        name: of a registered model, in dot form; the id of a logged one.
        run_id: the run that it belongs to; None where it names none.
        made_ms: ms since 1970.
        remove: removes it, where it is still what it was; False where it is not any more.
            Raises TrackingError.
    """

    half: Half
    name: str
    run_id: str | None
    made_ms: int
    remove: Callable[[], bool]


class HalfMadeModels:
    """Finds and removes halves.

    Args:
        tracking_uri: as for MlflowStore.
    """

    def __init__(self, tracking_uri: str | None) -> None:
        self._store = MlflowStore(tracking_uri)
        self._connection = self._store.connection

    def find(self) -> Iterator[HalfMade]:
        """All of them; nothing is changed."""
        registered = list(self._pages("list models", "search_registered_models"))
        versions = list(self._pages("list model versions", "search_model_versions"))
        used = {each.tags.get(MODEL_ID_TAG) for each in versions}
        for logged in self._logged():
            if logged.model_id not in used and self._is_half(logged):
                yield HalfMade(
                    Half.LOGGED_MODEL,
                    logged.model_id,
                    logged.source_run_id,
                    int(logged.creation_timestamp),
                    lambda logged=logged: self._remove_logged(logged),  # type: ignore[misc]
                )
        filled = {each.name for each in versions}
        for model in registered:
            if self._is_empty(model, filled):
                yield HalfMade(
                    Half.REGISTERED_MODEL,
                    model.name,
                    None,
                    int(model.creation_timestamp),
                    lambda name=model.name: self._remove_registered(name),  # type: ignore[misc]
                )

    # --- logged models ------------------------------------------------------------------------

    def _logged(self) -> Iterator[LoggedModel]:
        experiments = [
            each.experiment_id for each in self._pages("list experiments", "search_experiments")
        ]
        for start in range(0, len(experiments), PAGE):
            yield from self._pages(
                "list logged models",
                "search_logged_models",
                experiment_ids=experiments[start : start + PAGE],
                filter_string=f"name = '{LOGGED_NAME}'",
            )

    def _is_half(self, logged: LoggedModel) -> bool:
        """Whether it is one, as far as its own tags and its run say."""
        if life_of(logged.tags) is not Life.GONE:
            return False
        return self._run_is_over(logged.source_run_id, ready=str(logged.status) == "READY")

    def _run_is_over(self, run_id: str | None, *, ready: bool) -> bool:
        """Whether nothing will come of the model in its run.

        A whole one that a FINISHED run has without a version was meant so, or its version was
        deleted by a person.
        """
        try:
            run = self._store.get_run(run_id or "")
        except SourceError:  # deleted with its run
            return True
        if run.status == RunStatus.RUNNING:
            return life_of(run.tags) is Life.GONE
        return run.status != RunStatus.FINISHED or not ready

    def _remove_logged(self, logged: LoggedModel) -> bool:
        try:
            client = self._connection.doing(f"read model {logged.model_id}")
            now = client.get_logged_model(logged.model_id)
        except ResourceMissingError:
            return False
        if not self._is_half(now) or self._has_version(logged.model_id):
            return False
        remove_logged(self._connection, now)
        return True

    def _has_version(self, model_id: str) -> bool:
        versions = self._pages("list model versions", "search_model_versions")
        return any(each.tags.get(MODEL_ID_TAG) == model_id for each in versions)

    # --- registered models --------------------------------------------------------------------

    @staticmethod
    def _is_empty(model: Any, filled: Collection[str]) -> bool:
        """Whether a registered model is as one of ours is before its first version is there."""
        untouched = not of_people(model.description) and set(model.tags or {}) == {PROCESS_TAG}
        return model.name not in filled and untouched and life_of(model.tags) is Life.GONE

    def _remove_registered(self, name: str) -> bool:
        """Rename it, look again, and delete it then: nobody gives it a version meanwhile.

        Deleting it under its name would delete a version that another process has just made.
        """
        aside = name if _SET_ASIDE.fullmatch(name) else f"{name}.removed-{secrets.token_hex(4)}"
        doing = self._connection.doing
        try:
            if aside != name:
                doing(f"set model '{name}' aside").rename_registered_model(name, aside)
            now = doing(f"read model '{aside}'").get_registered_model(aside)
        except ResourceMissingError:
            return False
        versions = self._pages(
            f"list versions of '{aside}'",
            "search_model_versions",
            filter_string=f"name = '{aside}'",
        )
        if not self._is_empty(now, {each.name for each in versions}):
            if aside != name:
                back = f"give model '{name}' its name back"
                doing(back).rename_registered_model(aside, name)
            return False
        with suppress(ResourceMissingError):
            doing(f"delete model '{name}'").delete_registered_model(aside)
        return True

    def _pages(self, doing: str, search: str, **arguments: Any) -> Iterator[Any]:
        found = getattr(self._connection.client, search)
        return self._connection.pages(doing, found, **arguments)
