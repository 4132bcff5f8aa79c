"""Detectors in MLflow's model registry: logged as models, registered, fetched back and checked.

A run logs at most one detector, as its logged model 'detector'. Registering goes files → logged
model → registered model → version → tags → alias: the alias is what a deployment reads, so it
comes last, and what was made before a failure is taken back.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..contracts.backends import BackendRuntime
from ..contracts.detector_package import DetectorPackage, IdentityRule
from ..contracts.errors import SourceError, TrackingError
from ..contracts.ports import DetectorRegistry
from ..contracts.releases import EVIDENCE_TAG, OUTCOME_TAG
from ..contracts.results import DataInput, RegisteredModel
from ..support.files import files_in, scratch_folder
from ..support.undo import UndoSteps, undo_on_failure
from . import references
from .alias_store import MlflowAliasStore
from .connection import Connection, ResourceMissingError, error_code
from .identity import DIGEST_TAG, check_described, verified
from .mlflow_store import MlflowStore
from .model_files import PACKAGE_PATH, said_in, save_detector_model
from .model_pages.descriptions import of_model, of_version, with_ours
from .model_pages.metrics import show_metrics
from .names import registered_name, stored_values
from .run_records import registered_model, run_page
from .upkeep.ownership import PROCESS_TAG, owner_tags
from .uploads import cleaned_model

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel

logger = logging.getLogger(__name__)

LOGGED_NAME = "detector"
# mlflow's own stores forget a version's model id, so it is kept as a tag.
MODEL_ID_TAG = "logged_model_id"
RUN_NAME_TAG = "registered_model_name"
RUN_VERSION_TAG = "registered_model_version"


class MlflowRegistry(DetectorRegistry):
    """DetectorRegistry on an MLflow server or a SQLite file.

    Args:
        tracking_uri: as for MlflowStore.
        runtime_of: backend name → what runs its files elsewhere; goes into the model.
        store: one that is open already; the tracking URI is not asked then.

    Raises:
        TrackingError: the store can't be opened or the server can't be reached.
    """

    def __init__(
        self,
        tracking_uri: str | None,
        runtime_of: Callable[[str], BackendRuntime],
        store: MlflowStore | None = None,
    ) -> None:
        self._store = store or MlflowStore(tracking_uri)
        self._connection = self._store.connection
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
        check: Callable[[str], object] | None = None,
    ) -> RegisteredModel:
        registered = registered_name(name)
        references.check_alias(alias)
        run_id = self._store.get_run(run_id).run_id
        package = DetectorPackage.load(package.directory)
        version_tags = references.version_tags(package, run_id, tags)
        with self._undoing() as made:
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
            if check is not None:
                check(f"models:/{registered}/{version}")
            self._move_alias(registered, alias, version, made)
            self._forget_maker(registered)
        made_version = references.ModelReference(registered, version)
        return references.find_version(self._models, made_version)

    def fetch(self, reference: str, destination: Path) -> DetectorPackage:
        wanted = references.parse_reference(reference)
        references.check_destination(destination)
        if wanted.run_id is not None:
            run = self._store.get_run(wanted.run_id)
            references.check_source_run(run)
            logged = self._logged_detector(run.run_id)
            if logged is None:
                raise references.no_detector(run)
            recorded = {logged.tags.get(DIGEST_TAG, "")}
        else:
            logged, version = self._registered_detector(wanted)
            recorded = {each.tags.get(DIGEST_TAG, "") for each in (logged, version)}
        destination.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(".fetch-", destination.parent) as scratch:
            lies = self._download(logged, PACKAGE_PATH, scratch, reference)
            package = verified(DetectorPackage.load(lies, alone=True), recorded, reference)
            if package.verified_by is IdentityRule.FILES:
                described = self._download(logged, "MLmodel", scratch / "said", reference)
                check_described(package, said_in(described), reference)
            if destination.exists():
                destination.rmdir()
            shutil.move(lies, destination)
        return replace(package, directory=destination)

    def describe(self, reference: str) -> RegisteredModel:
        return references.describe(self._models, reference)

    def list_models(self, pattern: str = "") -> list[RegisteredModel]:
        wanted = pattern.replace("/", ".")
        pages, client = self._connection.pages, self._connection.client
        models = pages("list models", client.search_registered_models)
        aliases = {model.name: dict(model.aliases) for model in models if wanted in model.name}
        found = [
            registered_model(version, aliases[version.name])
            for version in pages("list model versions", client.search_model_versions)
            if version.name in aliases
        ]
        return sorted(found, key=lambda model: (model.name, int(model.version)))

    def tag_version(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        wanted = references.ModelReference(registered_name(name), version=version)
        found = references.find_version(self._models, wanted)
        client = self._connection.doing(f"tag version {found.version} of '{found.name}'")
        written = stored_values(tags, references.REGISTRY_TAG_LIMIT)
        for key, value in written.items():
            client.set_model_version_tag(found.name, found.version, key, value)
        if OUTCOME_TAG in written:
            self._describe(found.name, found.version, {**found.tags, **written})

    def show_metrics(
        self, run_id: str, reference: str, package: DetectorPackage, data: DataInput | None = None
    ) -> int:
        wanted = references.parse_reference(reference)
        if wanted.run_id is not None:
            logged = self._logged_detector(wanted.run_id)
        else:
            logged = self._registered_detector(wanted)[0]
        if logged is None:
            return 0  # it is not registered, and has no page
        if package.rule_of(logged.tags.get(DIGEST_TAG, "")) is None:
            raise TrackingError(f"'{reference}' means another detector by now than was judged")
        return show_metrics(self._connection, run_id, logged.model_id, data)

    def _describe(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        """The verdict in the descriptions; the tags hold it: a refusal here is told, no more."""
        try:
            page, evidence = "", tags.get(EVIDENCE_TAG, "")
            if evidence:
                run = self._connection.doing(f"read run {evidence}").get_run(evidence)
                page = run_page(run.info.experiment_id, evidence)
            client = self._connection.doing(f"describe version {version} of '{name}'")
            text = of_version(tags, page)
            if whole := with_ours(client.get_model_version(name, version).description, text):
                client.update_model_version(name, version, whole)
            ours = of_model(name, version, text)
            if whole := with_ours(client.get_registered_model(name).description, ours):
                client.update_registered_model(name, whole)
        except TrackingError as exc:
            logger.warning("the descriptions in MLflow are not up to date: %s", exc)

    def _undoing(self) -> AbstractContextManager[UndoSteps]:
        """Takes back what was made where the rest fails."""
        return undo_on_failure()

    # --- registering --------------------------------------------------------------------------

    def _log(self, run_id: str, package: DetectorPackage, made: UndoSteps) -> LoggedModel:
        """The package as a READY logged model of the run."""
        from mlflow.entities import LoggedModelOutput
        from mlflow.models import Model

        call, doing = self._connection.call, self._connection.doing
        run = doing(f"read run {run_id}").get_run(run_id)
        logged = doing(f"make a model of run {run_id}").create_logged_model(
            run.info.experiment_id,
            name=LOGGED_NAME,
            source_run_id=run_id,
            # With its maker: killed now, it can be told to be a half.
            tags={**references.version_tags(package, run_id, None), **_maker()},
            model_type="object-detector",
        )
        made.append((f"model {logged.model_id}", lambda: remove_logged(self._connection, logged)))
        with scratch_folder("guardianflow-log-") as scratch:
            files = scratch / "model"
            record = Model(
                artifact_path=logged.artifact_location,
                model_uuid=logged.model_id,
                run_id=run_id,
                model_id=logged.model_id,
            )
            runtime = self._runtime_of(package.spec.backend)
            call("make the model's files", save_detector_model, package, files, runtime, record)
            with cleaned_model(files) as clean:
                client = doing(f"upload the model of run {run_id}")
                sizes = {path: (clean / path).stat().st_size for path in files_in(clean)}
                client.log_model_artifacts(logged.model_id, str(clean))
        self._check_arrived(logged.model_id, sizes)
        ready = doing("finish the model").finalize_logged_model(logged.model_id, "READY")
        outputs = [LoggedModelOutput(logged.model_id, step=0)]
        doing(f"link the model to run {run_id}").log_outputs(run_id, outputs)
        return ready

    def _check_arrived(self, model_id: str, sizes: Mapping[str, int]) -> None:
        """Every file must be there in its size: a model that is READY is whole.

        Raises:
            TrackingError: one is not.
        """
        client = self._connection.doing(f"list the files of model {model_id}")
        found: dict[str, int | None] = {}
        folders = [""]
        while folders:
            for entry in client.list_logged_model_artifacts(model_id, folders.pop() or None):
                if entry.is_dir:
                    folders.append(entry.path)
                else:
                    found[entry.path] = entry.file_size
        for path, size in sizes.items():
            if found.get(path, -1) not in (size, None):  # None: the store names no sizes
                raise TrackingError(f"'{path}' of model {model_id} did not arrive as it was sent")

    def _make_version(
        self,
        name: str,
        logged: LoggedModel,
        run_id: str,
        tags: Mapping[str, str],
        made: UndoSteps,
    ) -> str:
        doing = self._connection.doing

        def make() -> str:
            version = doing(f"register a version of '{name}'").create_model_version(
                name,
                # Not 'models:/ID': that mlflow would look up in its global store, not in this one.
                logged.artifact_location,
                run_id=run_id,
                tags={**tags, MODEL_ID_TAG: logged.model_id},
                description=with_ours("", of_version(tags)),
                model_id=logged.model_id,
            )
            return str(version.version)

        self._make_model(name, made)
        try:
            number = make()
        except ResourceMissingError:  # another process has just removed the model: it was empty
            self._make_model(name, made)
            number = make()
        what = f"version {number} of '{name}'"
        made.append((what, lambda: doing(f"delete {what}").delete_model_version(name, number)))
        return number

    def _make_model(self, name: str, made: UndoSteps) -> None:
        """Make the registered model where there is none."""
        client = self._connection.doing(f"register '{name}'")
        try:
            client.create_registered_model(name, _maker(), with_ours("", of_model(name)))
        except TrackingError as exc:
            if error_code(exc) != "RESOURCE_ALREADY_EXISTS":
                raise
        else:
            made.append((f"registered model '{name}'", lambda: self._remove_empty(name)))

    def _forget_maker(self, name: str) -> None:
        """Whoever has made the model: it has a version, and is no half any more."""
        if PROCESS_TAG in self._models.model_tags(name):
            self._models.delete_model_tag(name, PROCESS_TAG)

    def _remove_empty(self, name: str) -> None:
        # Another process may have registered a version in the model that this one has made.
        if not self._models.versions(name):
            self._connection.doing(f"delete model '{name}'").delete_registered_model(name)

    def _tag_run(self, run_id: str, name: str, version: str, made: UndoSteps) -> None:
        before = self._store.get_run(run_id).tags
        made.append((f"tags of run {run_id}", lambda: self._restore_run_tags(run_id, before)))
        self._store.annotate(run_id, tags={RUN_NAME_TAG: name, RUN_VERSION_TAG: version})

    def _restore_run_tags(self, run_id: str, before: Mapping[str, str]) -> None:
        for key in (RUN_NAME_TAG, RUN_VERSION_TAG):
            if key in before:
                self._store.annotate(run_id, tags={key: before[key]})
            elif key in self._store.get_run(run_id).tags:
                self._connection.doing(f"untag run {run_id}").delete_tag(run_id, key)

    def _move_alias(self, name: str, alias: str, version: str, made: UndoSteps) -> None:
        before = self._models.aliases(name).get(alias)
        made.append((f"alias '{alias}'", lambda: self._restore_alias(name, alias, version, before)))
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
        ready = [each for each in self._logged_detectors(run_id) if str(each.status) == "READY"]
        return ready[0] if ready else None

    def _logged_detectors(self, run_id: str) -> list[LoggedModel]:
        """Those that a run logged, half-made ones too."""
        run = self._connection.doing(f"read run {run_id}").get_run(run_id)
        return list(
            self._connection.pages(
                f"find the detector of run {run_id}",
                self._connection.client.search_logged_models,
                experiment_ids=[run.info.experiment_id],
                filter_string=f"source_run_id = '{run_id}' AND name = '{LOGGED_NAME}'",
            )
        )

    def _registered_detector(
        self, wanted: references.ModelReference
    ) -> tuple[LoggedModel, RegisteredModel]:
        version = references.find_version(self._models, wanted)
        what = f"version {version.version} of '{version.display_name}'"
        foreign = SourceError(
            f"{what} was not registered by GuardianFlow, and is no detector package. Name another "
            "model"
        )
        model_id = version.tags.get(MODEL_ID_TAG)
        if not model_id:
            raise foreign
        try:
            logged = self._connection.doing(f"read model {model_id}").get_logged_model(model_id)
        except ResourceMissingError as exc:
            raise SourceError(
                f"the files of {what} have been deleted. Name another version"
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
        same = [each.version for each in self._versions_of(name, logged)]
        return max(same, key=int, default=None)

    def _versions_of(self, name: str, logged: LoggedModel) -> list[RegisteredModel]:
        try:
            versions = self._models.versions(name)
        except SourceError:  # the model is registered now for the first time
            return []
        return [v for v in versions if v.tags.get(MODEL_ID_TAG) == logged.model_id]


def remove_logged(connection: Connection, logged: LoggedModel) -> None:
    """Remove a logged model: its files first, so that none are left that nothing names."""
    files = connection.files_at(logged.artifact_location)
    connection.call("remove the model's files", files.delete_artifacts)
    connection.doing(f"delete model {logged.model_id}").delete_logged_model(logged.model_id)


def _maker() -> dict[str, str]:
    """The tag that names this process as the maker of something unfinished."""
    return {PROCESS_TAG: owner_tags()[PROCESS_TAG]}
