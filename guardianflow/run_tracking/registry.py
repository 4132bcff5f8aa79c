"""Detectors in MLflow's model registry: logged as models, registered, fetched back and checked.

A run logs at most one detector, as its logged model 'detector'. Registering goes files → logged
model → registered model → version → tags → alias: the alias is what a deployment reads, so it
comes last, and what was made before a failure is taken back.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..contracts.backends import BackendRuntime
from ..contracts.detector_package import DetectorPackage, IdentityRule
from ..contracts.errors import SourceError, TrackingError
from ..contracts.results import RegisteredModel
from ..support.undo import UndoStack, undo_on_failure
from . import references
from .alias_store import MlflowAliasStore
from .connection import ResourceMissingError
from .identity import DIGEST_TAG, check_described, verified
from .mlflow_store import MlflowStore
from .model_files import PACKAGE_PATH, said_in, save_detector_model
from .names import display_name, registered_name, stored_values
from .run_records import registered_model
from .uploads import cleaned_model

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel

LOGGED_NAME = "detector"
# mlflow's own stores forget a version's model id, so it is kept as a tag.
MODEL_ID_TAG = "logged_model_id"
RUN_NAME_TAG = "registered_model_name"
RUN_VERSION_TAG = "registered_model_version"


class MlflowRegistry:
    """DetectorRegistry on an MLflow server or a SQLite file.

    Args:
        tracking_uri: as for MlflowStore.
        runtime_of: backend name → what runs its files elsewhere; goes into the model.

    Raises:
        TrackingError: the store can't be opened or the server can't be reached.
    """

    def __init__(
        self,
        tracking_uri: str | None,
        runtime_of: Callable[[str], BackendRuntime],
    ) -> None:
        self._store = MlflowStore(tracking_uri)
        self._connection = self._store.connection
        self._client = self._connection.client
        self._models = MlflowAliasStore(connection=self._connection)
        self._runtime_of = runtime_of

    def register(
        self,
        run_id: str,
        package: DetectorPackage,
        name: str,
        *,
        alias: str = "candidate",
        tags: Mapping[str, str] | None = None,
    ) -> RegisteredModel:
        """Log the package as the run's detector, register it and set the alias, or leave nothing.

        Doing it again for the same run and files sets the alias and makes nothing new.

        Args:
            run_id: the run that made the detector.
            name: slash or dot form.
            tags: written on the version, beside those of `references.version_tags`.

        Raises:
            SourceError: a name or alias that can't be one, an unknown run, files that don't
                match their sha256.
            TrackingError: the run has logged another detector; the store refuses.
        """
        registered = registered_name(name)
        references.check_alias(alias)
        self._store.get_run(run_id)
        package = DetectorPackage.load(package.directory)
        version_tags = references.version_tags(package, run_id, tags)
        with undo_on_failure() as made:
            logged = self._logged_detector(run_id)
            if logged is None:
                logged = self._log(run_id, package, made)
            elif package.rule_of(logged.tags.get(DIGEST_TAG, "")) is None:
                raise TrackingError(
                    f"run {run_id} has logged another detector already. Start a new run for this "
                    "one"
                )
            version = self._version_of(registered, logged)
            if version is None:
                version = self._make_version(registered, logged, run_id, version_tags, made)
            self._tag_run(run_id, registered, version, made)
            self._move_alias(registered, alias, version, made)
        return self._registered(registered, version)

    def fetch(self, reference: str, destination: Path) -> DetectorPackage:
        """Download a detector and check every file; see the DetectorRegistry port.

        Args:
            reference: 'models:/NAME@alias', 'models:/NAME/3', 'models:/NAME' (its latest
                version), NAME with slashes or dots, or 'runs:/RUN_ID'.
            destination: a new or empty directory; complete, or as it was.

        Raises:
            SourceError: unknown name, version, alias or run; a run that failed or has no
                detector; a model that is none of ours; a file that does not match its sha256.
        """
        wanted = references.parse_reference(reference)
        references.check_destination(destination)
        if wanted.run_id is not None:
            run = self._store.get_run(wanted.run_id)
            references.check_source_run(run)
            logged = self._logged_detector(wanted.run_id)
            if logged is None:
                raise references.no_detector(run)
            recorded = {logged.tags.get(DIGEST_TAG, "")}
        else:
            logged, version = self._registered_detector(wanted)
            recorded = {each.tags.get(DIGEST_TAG, "") for each in (logged, version)}
        destination.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".fetch-") as scratch:
            lies = self._download(logged, PACKAGE_PATH, Path(scratch), reference)
            package = verified(DetectorPackage.load(lies, alone=True), recorded, reference)
            if package.verified_by is IdentityRule.FILES:
                described = self._download(logged, "MLmodel", Path(scratch) / "said", reference)
                check_described(package, said_in(described), reference)
            if destination.exists():
                destination.rmdir()
            shutil.move(lies, destination)
        return replace(package, directory=destination)

    def describe(self, reference: str) -> RegisteredModel:
        """The version that `models:/…` means; nothing is downloaded.

        Raises:
            SourceError: unknown name, version or alias; not a `models:/` reference.
        """
        wanted = references.parse_reference(reference)
        if wanted.run_id is not None:
            raise SourceError(f"'{reference}' is a run; expected 'models:/NAME@alias'")
        return self._registered(wanted.name, self._number(wanted))

    def list_models(self, pattern: str = "") -> list[RegisteredModel]:
        """Every version of every model whose name contains `pattern` (slash or dot form).

        Sorted by name and version.
        """
        wanted = pattern.replace("/", ".")
        pages, client = self._connection.pages, self._client
        models = pages("list models", client.search_registered_models)
        aliases = {model.name: dict(model.aliases) for model in models if wanted in model.name}
        found = [
            registered_model(version, aliases[version.name])
            for version in pages("list model versions", client.search_model_versions)
            if version.name in aliases
        ]
        return sorted(found, key=lambda model: (model.name, int(model.version)))

    def tag_version(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        """Write tags of a version, in their order; see the DetectorRegistry port.

        Raises:
            SourceError: unknown model or version.
            TrackingError: the store refuses.
        """
        wanted = references.ModelReference(registered_name(name), version=version)
        number = self._number(wanted)
        for key, value in stored_values(tags, references.REGISTRY_TAG_LIMIT).items():
            self._connection.call(
                f"tag version {number} of '{wanted.name}'",
                self._client.set_model_version_tag,
                wanted.name,
                number,
                key,
                value,
            )

    # --- registering --------------------------------------------------------------------------

    def _log(self, run_id: str, package: DetectorPackage, made: UndoStack) -> LoggedModel:
        """The package as a READY logged model of the run."""
        from mlflow.entities import LoggedModelOutput
        from mlflow.models import Model

        call, client = self._connection.call, self._client
        run = call(f"read run {run_id}", client.get_run, run_id)
        logged = call(
            f"make a model of run {run_id}",
            client.create_logged_model,
            run.info.experiment_id,
            name=LOGGED_NAME,
            source_run_id=run_id,
            tags=references.version_tags(package, run_id, None),
            model_type="object-detector",
        )
        made.add(f"model {logged.model_id}", lambda: self._remove_logged(logged))
        with tempfile.TemporaryDirectory(prefix="guardianflow-log-") as scratch:
            files = Path(scratch) / "model"
            record = Model(
                artifact_path=logged.artifact_location,
                model_uuid=logged.model_id,
                run_id=run_id,
                model_id=logged.model_id,
            )
            runtime = self._runtime_of(package.spec.backend)
            call("make the model's files", save_detector_model, package, files, runtime, record)
            with cleaned_model(files) as clean:
                call(
                    f"upload the model of run {run_id}",
                    client.log_model_artifacts,
                    logged.model_id,
                    str(clean),
                )
        ready: LoggedModel = call(
            "finish the model", client.finalize_logged_model, logged.model_id, "READY"
        )
        call(
            f"link the model to run {run_id}",
            client.log_outputs,
            run_id,
            [LoggedModelOutput(logged.model_id, step=0)],
        )
        return ready

    def _remove_logged(self, logged: LoggedModel) -> None:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        repository = get_artifact_repository(
            logged.artifact_location, tracking_uri=self._connection.tracking_uri
        )
        self._connection.call("remove the model's files", repository.delete_artifacts)
        self._connection.call(
            f"delete model {logged.model_id}", self._client.delete_logged_model, logged.model_id
        )

    def _make_version(
        self,
        name: str,
        logged: LoggedModel,
        run_id: str,
        tags: Mapping[str, str],
        made: UndoStack,
    ) -> str:
        call, client = self._connection.call, self._client
        try:
            call(f"register '{name}'", client.create_registered_model, name)
        except TrackingError as exc:
            if getattr(exc.__cause__, "error_code", "") != "RESOURCE_ALREADY_EXISTS":
                raise
        else:
            made.add(f"registered model '{name}'", lambda: self._remove_empty(name))
        version = call(
            f"register a version of '{name}'",
            client.create_model_version,
            name,
            # Not 'models:/ID': that mlflow would look up in its global store, not in this one.
            logged.artifact_location,
            run_id=run_id,
            tags={**tags, MODEL_ID_TAG: logged.model_id},
            model_id=logged.model_id,
        )
        number = str(version.version)
        made.add(
            f"version {number} of '{name}'",
            lambda: call(
                f"delete version {number} of '{name}'", client.delete_model_version, name, number
            ),
        )
        return number

    def _remove_empty(self, name: str) -> None:
        # Another process may have registered a version in the model that this one has made.
        if not self._models.versions(name):
            self._connection.call(
                f"delete model '{name}'", self._client.delete_registered_model, name
            )

    def _tag_run(self, run_id: str, name: str, version: str, made: UndoStack) -> None:
        before = self._store.get_run(run_id).tags
        made.add(f"tags of run {run_id}", lambda: self._restore_run_tags(run_id, before))
        self._store.annotate(run_id, tags={RUN_NAME_TAG: name, RUN_VERSION_TAG: version})

    def _restore_run_tags(self, run_id: str, before: Mapping[str, str]) -> None:
        for key in (RUN_NAME_TAG, RUN_VERSION_TAG):
            if key in before:
                self._store.annotate(run_id, tags={key: before[key]})
            elif key in self._store.get_run(run_id).tags:
                self._connection.call(f"untag run {run_id}", self._client.delete_tag, run_id, key)

    def _move_alias(self, name: str, alias: str, version: str, made: UndoStack) -> None:
        before = self._models.aliases(name).get(alias)
        made.add(f"alias '{alias}'", lambda: self._restore_alias(name, alias, version, before))
        self._models.set_alias(name, alias, version)

    def _restore_alias(self, name: str, alias: str, ours: str, before: str | None) -> None:
        if self._models.aliases(name).get(alias) != ours or before == ours:
            return
        if before is None:
            self._models.delete_alias(name, alias)
        else:
            self._models.set_alias(name, alias, before)

    # --- finding ------------------------------------------------------------------------------

    def _logged_detector(self, run_id: str) -> LoggedModel | None:
        """The READY detector that the run logged; a half-made one does not count."""
        run = self._connection.call(f"read run {run_id}", self._client.get_run, run_id)
        found = self._connection.pages(
            f"find the detector of run {run_id}",
            self._client.search_logged_models,
            experiment_ids=[run.info.experiment_id],
            filter_string=f"source_run_id = '{run_id}' AND name = '{LOGGED_NAME}'",
        )
        ready = [model for model in found if str(model.status) == "READY"]
        return ready[0] if ready else None

    def _number(self, wanted: references.ModelReference) -> str:
        """The version number that a reference means."""
        name = wanted.name
        versions = {each.version for each in self._models.versions(name)}
        if not versions:
            raise self._models.unknown_model(name)
        number = wanted.version or max(versions, key=int)
        if wanted.alias is not None:
            aliases = self._models.aliases(name)
            if wanted.alias not in aliases:
                raise references.unknown_alias(name, wanted.alias, aliases)
            number = aliases[wanted.alias]
        if number not in versions:
            raise references.unknown_version(name, number, versions)
        return number

    def _registered_detector(
        self, wanted: references.ModelReference
    ) -> tuple[LoggedModel, RegisteredModel]:
        name, number = wanted.name, self._number(wanted)
        version = self._registered(name, number)
        foreign = SourceError(
            f"version {number} of '{display_name(name)}' was not registered by GuardianFlow, and "
            "is no detector package. Name another model"
        )
        model_id = version.tags.get(MODEL_ID_TAG)
        if not model_id:
            raise foreign
        try:
            logged: LoggedModel = self._connection.call(
                f"read model {model_id}", self._client.get_logged_model, model_id
            )
        except ResourceMissingError as exc:
            raise SourceError(
                f"the files of version {number} of '{display_name(name)}' have been deleted. "
                "Name another version"
            ) from exc
        if DIGEST_TAG not in logged.tags:
            raise foreign
        return logged, version

    def _download(self, logged: LoggedModel, path: str, scratch: Path, reference: str) -> Path:
        from mlflow.artifacts import download_artifacts

        try:
            lies = self._connection.call(
                f"download '{reference}'",
                download_artifacts,
                artifact_uri=f"{logged.artifact_location}/{path}",
                dst_path=str(scratch),
                tracking_uri=self._connection.tracking_uri,
            )
        except ResourceMissingError as exc:
            raise SourceError(f"the files of '{reference}' are gone: {exc}") from exc
        return Path(lies)

    def _version_of(self, name: str, logged: LoggedModel) -> str | None:
        """The version that the logged model is registered as; None where it is not."""
        try:
            versions = self._models.versions(name)
        except SourceError:  # the model is registered now for the first time
            return None
        same = [v.version for v in versions if v.tags.get(MODEL_ID_TAG) == logged.model_id]
        return max(same, key=int, default=None)

    def _registered(self, name: str, version: str) -> RegisteredModel:
        return next(each for each in self._models.versions(name) if each.version == version)
