"""configs/experiments.yaml: the directories of scripts, and how each is run.

    registry = load_registry("configs/experiments.yaml")
    experiment = registry.get("donghwa-entec-ppe")
    experiment.select_script("train", version="v2")     # → Path of the script

Every problem of the file is told at once with file:line:column.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError

from guardianflow.contracts.errors import ConfigurationError, Problem
from guardianflow.contracts.given import given_path
from guardianflow.support.secrets.redaction import learn_mapping
from guardianflow.support.suggestions import did_you_mean
from guardianflow.support.text.spelling import nfc, spelled_on_disk
from scenario import SiteConfig, TaskConfig
from scenario.explain import explain
from scenario.fields import values as kind
from scenario.files import read_scenario_text
from scenario.sections import Section
from scenario.yaml_tree import FileKind, in_order, read_document

from . import DEFAULT_FILE
from .registry_schema import (
    SCRIPT_TYPES,
    EntryPoint,
    EntryPoints,
    ExperimentName,
    LegacyArtifacts,
    LegacyEnvironment,
    LegacyMetrics,
    LegacySite,
    LegacyTask,
    ScriptType,
    TimeLimit,
    seconds_of,
)
from .scan import FoundDirectories, scan_directories
from .scan.results import is_todo
from .scan.script_names import same_version
from .scan.versions import escaped

DEFAULT_BASE = "~/experiments"
MAX_BYTES = 8 * 1024 * 1024
KIND = FileKind("a registry of experiments", "one key, 'experiments'", max_values=400_000)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class LegacyExperiment(Section):
    """One directory of scripts. Its name is the key it stands under."""

    path: kind.Text
    site: LegacySite = Field(default_factory=LegacySite)
    task: LegacyTask = Field(default_factory=LegacyTask)
    entry_points: EntryPoints = Field(default_factory=EntryPoints)
    env: LegacyEnvironment = Field(default_factory=LegacyEnvironment)
    working_dir: kind.Text = "."
    timeout: TimeLimit | None = None
    artifacts: LegacyArtifacts = Field(default_factory=LegacyArtifacts)
    metrics: LegacyMetrics = Field(default_factory=LegacyMetrics)
    # Called `register` in the file; in Python that name is taken: pydantic's classes are ABCs.
    register_models: bool = Field(default=True, strict=True, alias="register")

    _name: str = PrivateAttr(default="")
    _where: str = PrivateAttr(default="")
    _home: Path | None = PrivateAttr(default=None)

    @property
    def name(self) -> str:
        return self._name

    @property
    def where(self) -> str:
        """file:line:column of its key; '' when it was made in Python."""
        return self._where

    @property
    def directory(self) -> Path:
        """The directory, `~` and variables filled in, absolute.

        Raises:
            ConfigurationError: `path` is TODO or names a variable that is not set.
        """
        self._refuse_todos(path=self.path)
        path = given_path(expand(self.path, f"{self._label('path')}"))
        whole = os.path.abspath((self._home or Path.cwd()) / path)  # noqa: PTH100 - keeps links
        return spelled_on_disk(Path(whole))

    @property
    def run_directory(self) -> Path:
        """Where its scripts run: `working_dir`, relative to the directory."""
        inner = given_path(expand(self.working_dir, self._label("working_dir")))
        return spelled_on_disk(Path(os.path.abspath(self.directory / inner)))  # noqa: PTH100

    @property
    def timeout_s(self) -> float | None:
        return None if self.timeout is None else seconds_of(self.timeout)

    def require_site(self) -> SiteConfig:
        """The site, with everything known.

        Raises:
            ConfigurationError: which fields are still TODO.
        """
        self._refuse_todos(**{f"site.{key}": value for key, value in self.site})
        return SiteConfig(**dict(self.site))

    def require_task(self) -> TaskConfig:
        """The task. Raises ConfigurationError when its type is still TODO."""
        self._refuse_todos(**{"task.type": self.task.type})
        return TaskConfig.model_validate(
            {"type": self.task.type, "classes": self.task.classes or None}
        )

    def todos(self) -> list[str]:
        """The fields that wait to be filled in, e.g. 'site.customer'."""
        return list(_todos(self))

    def entry_point(self, script_type: ScriptType) -> EntryPoint:
        """The entry point that starts train, infer or quant.

        Raises:
            ConfigurationError: the directory has none of that type.
        """
        if script_type not in SCRIPT_TYPES:
            raise ConfigurationError(
                f"the type must be one of {', '.join(SCRIPT_TYPES)} but got {script_type!r}"
            )
        found: EntryPoint | None = getattr(self.entry_points, script_type)
        if found is None:
            has = [t for t in SCRIPT_TYPES if getattr(self.entry_points, t) is not None]
            raise ConfigurationError(
                f"{self.name} has no entry point '{script_type}'; it has "
                f"{', '.join(has) or 'none'}. Add entry_points.{script_type} to its entry, or "
                "name another type"
            )
        return found

    def scripts(self, script_type: ScriptType) -> list[Path]:
        """The scripts that the entry point's patterns and default name, those that exist."""
        entry = self.entry_point(script_type)
        names = [*entry.patterns]
        if entry.default and not is_todo(entry.default):
            names.append(escaped(entry.default))
        found = {path for name in names for path in _glob(self.directory, name)}
        return sorted(found)

    def select_script(
        self, script_type: ScriptType, version: str | None = None, script: str | None = None
    ) -> Path:
        """The script to run: the one named, the one of that version, or the default.

        Args:
            version: 'v3', '1214' or '최종': looked for among the entry point's scripts.
            script: a path below the directory (relative to it, or absolute).

        Raises:
            ConfigurationError: there is no such script, several carry the version, or it lies
                outside the directory.
        """
        if version and script:
            raise ConfigurationError("name a version or a script, not both")
        if script:
            return self._named_script(script)
        entry = self.entry_point(script_type)
        if version:
            return self._script_of_version(script_type, version)
        field = f"entry_points.{script_type}.default"
        if entry.default is None:
            raise ConfigurationError(
                f"{self._label(field)} is not set: fill it in, or name a script"
            )
        self._refuse_todos(**{field: entry.default})
        return self._named_script(entry.default)

    def select_python(
        self, script_type: ScriptType, version: str | None = None, script: str | None = None
    ) -> Path:
        """As select_script, of a script that an interpreter can be started on.

        Raises:
            ConfigurationError: also where it is a notebook.
        """
        found = self.select_script(script_type, version, script)
        if found.suffix.lower() != ".py":
            raise ConfigurationError(
                f"the script must be a Python file (.py) but got {found.name}; a notebook is "
                "exported first: jupyter nbconvert --to script"
            )
        return found

    # --- inner -----------------------------------------------------------------------------------

    def _script_of_version(self, script_type: ScriptType, version: str) -> Path:
        scripts = self.scripts(script_type)
        found = (
            [path for path in scripts if same_version(version, path.name)]
            or [
                path  # exp_v2/train.py
                for path in scripts
                if any(
                    same_version(version, f) for f in path.relative_to(self.directory).parts[:-1]
                )
            ]
        )
        if len(found) == 1:
            return found[0]
        names = [path.relative_to(self.directory).as_posix() for path in found or scripts]
        has = f"{', '.join(names[:12])}{' …' if len(names) > 12 else ''}" or "none"
        if found:
            raise ConfigurationError(
                f"{len(found)} {script_type} scripts of {self.name} are called {version}: {has}. "
                "Name one with --script"
            )
        raise ConfigurationError(
            f"no {script_type} script of {self.name} is called {version!r}; there are: {has}"
        )

    def _named_script(self, script: str) -> Path:
        directory = self.directory
        if not directory.is_dir():
            raise ConfigurationError(
                f"the directory of {self.name} must exist but there is no {directory}; mend "
                f"{self._label('path')}"
            )
        asked = spelled_on_disk(directory / given_path(script))
        if not asked.resolve().is_relative_to(directory.resolve()):
            raise ConfigurationError(
                f"the script must lie inside {directory} but got {script}; only scripts of the "
                "experiment's own directory are run"
            )
        if not asked.is_file():
            try:
                names = [each.name for each in directory.iterdir() if each.is_file()]
            except OSError:  # closed to us: then no name can be suggested
                names = []
            raise ConfigurationError(
                f"{directory} must hold the script {script} but there is no such file"
                f"{did_you_mean(script, names)}"
            )
        return asked

    def _refuse_todos(self, **values: object) -> None:
        problems = [
            Problem(f"{name} of '{self.name}' must be filled in but is TODO", self.where)
            for name, value in values.items()
            if is_todo(value)
        ]
        if problems:
            raise ConfigurationError(problems)

    def _label(self, field: str) -> str:
        at = f"{self.where}: " if self.where else ""
        return f"{at}{field} of '{self.name}'"


class RegistryFile(Section):
    """The whole file."""

    experiments: Annotated[
        dict[ExperimentName, LegacyExperiment],
        BeforeValidator(kind.check_no_twins),
        BeforeValidator(kind.null_is_empty),
        kind.Expected("a mapping of names to experiments"),
    ] = Field(default_factory=dict)


class ExperimentRegistry:
    """The experiments of a registry file, in its order.

    Args:
        experiments: as `load_registry` reads them.
        file: where they come from; named in messages.
    """

    def __init__(self, experiments: Sequence[LegacyExperiment], file: Path | None = None) -> None:
        self._by_name = {each.name: each for each in experiments}
        self.file = file

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[LegacyExperiment]:
        return iter(self._by_name.values())

    def get(self, name: str) -> LegacyExperiment:
        """One experiment by name. Raises ConfigurationError with the nearest name."""
        found = self._by_name.get(nfc(name))
        if found is None:
            inside = f" in {self.file}" if self.file else ""
            hint = did_you_mean(name, self._by_name) or (
                f"; there are {', '.join(list(self._by_name)[:20])}" if self._by_name else ""
            )
            raise ConfigurationError(f"no experiment is called '{name}'{inside}{hint}")
        return found

    def list_all(self) -> list[LegacyExperiment]:
        return list(self)

    def find_by_customer(self, customer: str) -> list[LegacyExperiment]:
        wanted = nfc(customer)
        return [each for each in self if each.site.customer == wanted]

    @staticmethod
    def scan(directory: str | Path) -> FoundDirectories:
        """Read what the directories below this one hold; nothing is run or written."""
        return scan_directories(given_path(directory))


def load_registry(path: str | Path = DEFAULT_FILE) -> ExperimentRegistry:
    """Read a registry.

    Raises:
        ConfigurationError: every problem of the file.
    """
    file = given_path(path)
    if not file.exists():
        raise ConfigurationError(
            Problem("there is no such file; make it with: guardianflow scan DIR", str(file))
        )
    return parse_registry(read_scenario_text(file, KIND.noun, MAX_BYTES), file)


def parse_registry(text: str, file: Path) -> ExperimentRegistry:
    """As load_registry, of a text that `file` holds or is to hold."""
    document = read_document(text, str(file), KIND)
    learn_mapping(document.values)  # env.variables and defaults may hold secrets
    checked = RegistryFile()
    if document.values or not document.problems:
        try:
            checked = RegistryFile.model_validate(document.values)
        except ValidationError as error:
            for each in explain(RegistryFile, error, document.values, homes={}):
                document.tell(each.message, each.path, each.of_key)
    if document.problems:
        raise ConfigurationError(in_order(document.problems))
    for name, experiment in checked.experiments.items():
        experiment._name = name
        experiment._home = Path(os.path.abspath(file.parent))  # noqa: PTH100
        experiment._where = document.problem("", ("experiments", name), True).where
    return ExperimentRegistry(list(checked.experiments.values()), file)


def expand(text: str, what: str) -> str:
    """Fill in ${VARIABLES}; EXPERIMENTS_BASE is ~/experiments unless it is set.

    Raises:
        ConfigurationError: a variable that is not set.
    """

    def value_of(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        value = os.environ.get(name)
        if name == "EXPERIMENTS_BASE":
            value = value or DEFAULT_BASE
        if value is None:
            raise ConfigurationError(
                f"{what} names the variable {name}, which is not set; set it, or write the path out"
            )
        return value

    return _VARIABLE.sub(value_of, text)


# --- small things -------------------------------------------------------------------------------


def _todos(section: Section, prefix: str = "") -> Iterator[str]:
    for key, value in section:
        if isinstance(value, Section):
            yield from _todos(value, f"{prefix}{key}.")
        elif isinstance(value, dict):
            yield from (f"{prefix}{key}.{name}" for name, item in value.items() if is_todo(item))
        elif is_todo(value):
            yield f"{prefix}{key}"


def _glob(directory: Path, pattern: str) -> Iterator[Path]:
    for form in {unicodedata.normalize(f, pattern) for f in ("NFC", "NFD")}:
        if not PurePosixPath(form).is_absolute():
            yield from (path for path in directory.glob(form) if path.is_file())
