"""What differs from the last finished run that did the same: why a stage would run, or would not.

Nothing is run and nothing is written to the store.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from guardianflow.contracts.errors import SourceError
from guardianflow.contracts.results import RunRecord, StageResult
from guardianflow.contracts.run_status import RunStatus
from guardianflow.site_data.memory.manifests import DataChanges, changes_between
from guardianflow.support.secrets.redaction import redact_value

from ..settings import Settings
from ..stage.stage import (
    FINGERPRINT_TAG,
    StageIdentity,
    StageRequest,
    UndecidedError,
    make_stage,
)
from ..wiring import Ports
from .lookup import HeldEvents, ReuseLookup

PENDING = "runs:/<"
"""Before the title of a stage: its run does not exist yet."""


class State(StrEnum):
    """What would become of a stage."""

    REUSED = "reused"
    CHANGED = "changed"
    """Something that it depends on is another than in the last finished run."""
    FIRST = "first"
    """There is no finished run of it to compare with."""
    FORCED = "forced"
    FOLLOWS = "follows"
    """A stage that it starts from runs."""
    UNKNOWN = "unknown"
    """It can't be told without opening a model or running somebody's code."""
    UNUSABLE = "unusable"
    """Nothing differs, but the finished run has lost its model, or lacks times."""


@dataclass(frozen=True)
class Difference:
    """One value of an identity.

    Args:
        path: 'training.epochs'.
        before, now: JSON values; None where it was not there, or is not.
        data: of 'data', where the files of both sets are known.
    """

    path: str
    before: Any
    now: Any
    data: DataChanges | None = None


@dataclass(frozen=True)
class StageExplanation:
    """Why a stage would run, or would not.

    Args:
        title: what people see: 'quant openvino_int8'.
        run_id: that would be reused, or that it is compared with; '' for none.
        reason: why it is unknown; the stage that it follows.
    """

    title: str
    state: State
    run_id: str = ""
    differences: tuple[Difference, ...] = ()
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "stage": self.title,
            "state": str(self.state),
            "run_id": self.run_id,
            "reason": self.reason,
            "differences": [asdict(each) for each in self.differences],
        }


class Explainer:
    """Stands in for what carries out stages; `told` says of each what would become of it."""

    def __init__(self, ports: Ports, settings: Settings) -> None:
        # Nobody waits for a quiet machine to hear whether there are times to be taken.
        quick = settings.model_copy(update={"quiet_wait_s": 0.0})
        self._lookup = ReuseLookup(ports, quick, lambda _title, _event: None)
        self._ports, self._settings = ports, settings
        self.told: list[StageExplanation] = []

    def __call__(self, request: StageRequest) -> StageResult:
        """The finished run of a stage, or one that only has a name."""
        told, found = self._explain(request)
        self.told.append(told)
        return found or request.result(f"<{request.title}>", RunStatus.CHECKED)

    def _explain(self, request: StageRequest) -> tuple[StageExplanation, StageResult | None]:
        title = request.title
        if request.force:
            return StageExplanation(title, State.FORCED), None
        if request.source.startswith(PENDING):
            after = request.source.removeprefix(PENDING).removesuffix(">")
            return StageExplanation(title, State.FOLLOWS, reason=after), None
        if (found := self._lookup.find(request)) is not None:
            return StageExplanation(title, State.REUSED, found.run_id), found
        with self._lookup.looking(request, HeldEvents()) as context:
            try:
                identity = make_stage(context).identify()
            except UndecidedError as exc:
                return StageExplanation(title, State.UNKNOWN, reason=str(exc)), None
        return self._compare(request, identity), None

    def _compare(self, request: StageRequest, identity: StageIdentity) -> StageExplanation:
        runs = self._ports.store.find_runs(
            experiment_name=request.experiment_name,
            tags=identity.alike,
            status=RunStatus.FINISHED,
            limit=1,
        )
        if not runs:
            return StageExplanation(request.title, State.FIRST)
        (last,) = runs
        if last.tags.get(FINGERPRINT_TAG) == identity.fingerprint:
            return StageExplanation(request.title, State.UNUSABLE, last.run_id)
        now = json.loads(json.dumps(redact_value("", dict(identity.values)), default=str))
        found = tuple(self._differences(self._identity_of(last), now))
        return StageExplanation(request.title, State.CHANGED, last.run_id, found)

    def _identity_of(self, run: RunRecord) -> Mapping[str, Any]:
        """What a run kept of what it depended on; {} where it kept nothing."""
        with tempfile.TemporaryDirectory(prefix="guardianflow-look-") as folder:
            try:
                place = self._ports.store.download(run.run_id, "config/resolved.json", Path(folder))
                return dict(json.loads(place.read_text(encoding="utf-8"))["identity"])
            except (SourceError, OSError, ValueError, KeyError, TypeError):
                return {}

    def _differences(
        self, before: Mapping[str, Any], now: Mapping[str, Any]
    ) -> Iterator[Difference]:
        was, there = dict(_leaves(before)), dict(_leaves(now))
        for path in sorted(was.keys() | there.keys()):
            one, other = was.get(path), there.get(path)
            if one == other:
                continue
            data = None
            if path == "data" and one and other:
                data = changes_between(self._settings.datasets_dir, one, other)
            yield Difference(path, one, other, data)


def _leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no mapping, by its dotted path."""
    for key, value in values.items():
        inner = f"{path}.{key}" if path else key
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, inner)
        else:
            yield inner, value


# --- words ----------------------------------------------------------------------------------------

HASHES = {
    "source": "the model that it starts from is another one",
    "code": "the experiment's code is another one",
    "own_code": "GuardianFlow's own code is another one",
    "weights": "the weights that it starts from are others",
    "data": "images or labels of the data set are others",
}
"""Values that say nothing to people."""


def in_words(told: StageExplanation) -> list[str]:
    """Lines for people: what would become of the stage, then why."""
    head = {
        State.REUSED: f"reused: nothing has changed since run {told.run_id}",
        State.CHANGED: f"runs: not as in run {told.run_id}",
        State.FIRST: "runs: there is no finished run of it",
        State.FORCED: "runs: it is forced",
        State.FOLLOWS: f"runs: {told.reason} runs before it",
        State.UNKNOWN: f"may run: {told.reason}",
        State.UNUSABLE: f"runs: run {told.run_id} has lost its model, or lacks times",
    }[told.state]
    lines = [f"{told.title}  {head}"]
    lines += [f"    {difference_in_words(each)}" for each in told.differences]
    if told.state is State.CHANGED and not told.differences:
        lines.append("    what differs is not kept with a run: a secret among its values")
    return lines


def difference_in_words(each: Difference) -> str:
    """'training.epochs: 50 → 60'."""
    if each.data is not None:
        return f"data: {_data_in_words(each.data)}"
    if each.path in HASHES:
        return f"{each.path}: {HASHES[each.path]}"
    return f"{each.path}: {_shown(each.before)} → {_shown(each.now)}"


def _data_in_words(data: DataChanges) -> str:
    counted = {
        "changed": data.images,
        "with another label": data.labels,
        "new": data.new,
        "gone": data.gone,
    }
    said = [f"{number} images {what}" for what, number in counted.items() if number]
    said += ["class names are others"] * data.classes
    return ", ".join(said) or "read otherwise than before"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
