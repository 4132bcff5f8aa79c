"""What is written about runs, as it stands in the journal: values that become JSON and back.

They hold what would go to the server, so no secret: see `names.stored_values`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from ....contracts.results import DataInput, MetricPoint, RunRequest
from ....contracts.run_status import RunStatus
from ...launcher import LauncherRun


@dataclass(frozen=True)
class KeptFile:
    """A file whose copy lies in the journal until the server has it.

    Args:
        path: below the entry's folder of copies, '/' between its parts.
    """

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class KeptFiles:
    """Files in one folder of copies, a single file or all of a directory.

    Args:
        place: that folder, below the journal's `files`.
    """

    place: str
    files: tuple[KeptFile, ...]


@dataclass(frozen=True)
class Start:
    """A run to be made, or the launcher's to be adopted.

    Args:
        client_id: names the run before the server has given it an id.
        context: who started it, from which source and commit.
        launcher: the run of `mlflow run`; None where there is none or it is not to be adopted.
    """

    KIND: ClassVar[str] = "start"
    client_id: str
    request: RunRequest
    started_ms: int
    context: Mapping[str, str] = field(default_factory=dict)
    launcher: LauncherRun | None = None


@dataclass(frozen=True)
class Points:
    KIND: ClassVar[str] = "points"
    points: tuple[MetricPoint, ...]


@dataclass(frozen=True)
class Texts:
    KIND: ClassVar[str] = "texts"
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Data:
    KIND: ClassVar[str] = "data"
    data: DataInput


@dataclass(frozen=True)
class Files:
    """Files for `folder` of the run's artifacts."""

    KIND: ClassVar[str] = "files"
    folder: str
    kept: KeptFiles


@dataclass(frozen=True)
class End:
    KIND: ClassVar[str] = "end"
    status: RunStatus
    ended_ms: int


@dataclass(frozen=True)
class Reopen:
    KIND: ClassVar[str] = "reopen"


@dataclass(frozen=True)
class Register:
    """A detector to be registered; its package is kept with the journal."""

    KIND: ClassVar[str] = "register"
    name: str
    alias: str
    tags: Mapping[str, str]
    kept: KeptFiles


What = Start | Points | Texts | Data | Files | End | Reopen | Register
KINDS: Mapping[str, type[What]] = {
    kind.KIND: kind for kind in (Start, Points, Texts, Data, Files, End, Reopen, Register)
}


@dataclass(frozen=True)
class Entry:
    """A record of a journal.

    Args:
        seq: its number in that journal, from 1.
        run: the run's id, or `local-` and its client id.
    """

    seq: int
    run: str
    what: What

    def to_dict(self) -> dict[str, Any]:
        kind = self.what.KIND
        if isinstance(self.what, Points):  # by far the most: kept short
            body: Any = [[p.key, p.value, p.step, p.time_ms] for p in self.what.points]
        else:
            body = asdict(self.what)
        return {"seq": self.seq, "run": self.run, "kind": kind, "what": body}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Entry:
        return cls(record["seq"], record["run"], _read(record["kind"], record["what"]))


def _read(kind: str, body: Any) -> What:
    if kind == Points.KIND:
        return Points(tuple(MetricPoint(*point) for point in body))
    values = dict(body)
    if kind == Start.KIND:
        values["request"] = RunRequest(**values["request"])
        values["launcher"] = LauncherRun(**values["launcher"]) if values["launcher"] else None
    elif kind == Data.KIND:
        values["data"] = DataInput(**values["data"])
    elif kind == End.KIND:
        values["status"] = RunStatus(values["status"])
    elif kind in (Files.KIND, Register.KIND):
        place, files = values["kept"]["place"], values["kept"]["files"]
        values["kept"] = KeptFiles(place, tuple(KeptFile(**each) for each in files))
    return KINDS[kind](**values)
