"""Runs stages side by side on the machines of a Ray cluster.

    submit ──► thread of the stage ──► actor on some machine ──► the stage's process
                     ▲ events, asked for again and again ┘

An actor that vanishes, with its machine or alone, ends its stage as killed, and its run is ended
from here. When this process vanishes, Ray ends its actors, and each stage then ends its run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from guardianflow.contracts.errors import (
    ConfigurationError,
    FailureReason,
    GuardianFlowError,
    Problem,
    StageFailedError,
)
from guardianflow.contracts.run_status import RunStatus

from ...stage.execution.abandoned import end_abandoned
from ...stage.stage import StageRequest
from ...wiring import connect_to_work
from ..port import EndedStage, Needs
from ..queueing import LAP_S, QueuedStage, QueueingPool
from ..shares import THREADS
from .connection import (
    Cluster,
    Node,
    even_share,
    first_line,
    machine_for_times,
    reaches_one_machine_alone,
    too_much,
    usual_places,
)
from .remote import RemoteStage
from .sent_code import code_to_send
from .sent_settings import settings_to_send

NEWS_S = 2.0
"""For which an actor waits for an event before it answers that there is none."""
ORPHAN_S = 15.0
"""For the process of a stage whose actor is gone to end its run itself."""
CALLS = 4
"""At once, of one actor: it works, tells and is asked to stop."""
GONE = "the machine that it waited for has left the cluster"
GONE_S = 60.0
"""Without any machine that could ever have room for a stage that waits: then it has failed."""


@dataclass(frozen=True)
class Seat:
    """What a stage is given: Ray finds the machine that has it."""

    needs: Needs
    cores: float
    node_id: str = ""
    """Of a machine that it has alone; its libraries take as many threads as they do there."""

    @property
    def options(self) -> dict[str, Any]:
        memory_mb = self.needs.memory_mb
        found: dict[str, Any] = {"num_cpus": self.cores, "num_gpus": self.needs.gpus}
        if memory_mb is not None:
            found["memory"] = memory_mb * 1e6
        if self.node_id:
            from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

            found["scheduling_strategy"] = NodeAffinitySchedulingStrategy(self.node_id, soft=False)
        return found

    @property
    def variables(self) -> dict[str, str]:
        return {} if self.node_id else dict.fromkeys(THREADS, str(max(1, int(self.cores))))

    def is_in(self, nodes: list[Node]) -> bool:
        """Whether one of these machines can ever have it free."""
        wanted = replace(self.needs, cores=self.cores)
        own = [each for each in nodes if self.node_id in ("", each.node_id)]
        return any(each.can_ever_give(wanted) for each in own)


class RayPool(QueueingPool[Seat]):
    """Stages on the machines of a cluster.

    Args:
        address: of Cluster.
        places: how many at once; None: one for each GPU, else one for every few cores.
    """

    def __init__(self, address: str = "", places: int | None = None) -> None:
        super().__init__()
        self._cluster = Cluster(address)
        self._ray = self._cluster.ray
        self._places = places or usual_places(self._cluster.nodes())
        self._times_on = ""

    @property
    def places(self) -> int:
        return self._places

    @property
    def gpus(self) -> int:
        return sum(int(each.gpus) for each in self._cluster.nodes())

    def close(self) -> None:
        if not self._closed:
            super().close()
            self._cluster.close()

    def _check(self, request: StageRequest, needs: Needs) -> None:
        nodes = self._cluster.nodes()
        store = reaches_one_machine_alone(request.tracking_uri, nodes)
        problems: list[str | Problem] = [*too_much(needs, nodes), *([store] if store else [])]
        if problems:
            raise ConfigurationError(problems)

    def _take(self, stage: QueuedStage) -> Seat | None:
        if len(self._working) >= self._places:
            return None
        needs, nodes = stage.needs, self._cluster.nodes()
        if stage.takes_times:
            return self._machine_for_times(stage, nodes)
        cores = even_share(nodes, self._places) if needs.cores is None else needs.cores
        return Seat(needs, cores)

    def _machine_for_times(self, stage: QueuedStage, nodes: list[Node]) -> Seat:
        node = machine_for_times(nodes, stage.needs, self._times_on)
        if node is None:
            raise StageFailedError(
                stage.request.title,
                GONE,
                failure_reason=FailureReason.KILLED,
            )
        if self._times_on not in ("", node.node_id):
            text = (
                f"times are taken on {node.host} from here on, because the machine that took the "
                "earlier ones has left the cluster: the two are not to be compared"
            )
            stage.listen({"kind": "notice", "text": text})
        self._times_on = node.node_id
        return Seat(stage.needs, node.cores, node.node_id)

    def _give_back(self, room: Seat) -> None:
        """Ray has it back when the actor is gone."""

    def _carry_out(self, stage: QueuedStage, room: Seat) -> EndedStage:
        try:
            code = code_to_send(stage.request)
        except ConfigurationError as exc:
            return stage.failed(StageFailedError(stage.request.title, str(exc), exit_code=2))
        made = self._ray.remote(RemoteStage).options(
            max_concurrency=CALLS, max_restarts=0, **room.options
        )
        actor = made.remote(settings_to_send())
        followed = _Followed(self._ray, actor, stage)
        try:
            if (ended := followed.until_it_is_there(partial(self._has, room))) is not None:
                return ended
            return followed.to_its_end(code, room.variables)
        finally:
            with suppress(Exception):
                self._ray.kill(actor)

    def _has(self, room: Seat) -> bool:
        return room.is_in(self._cluster.nodes())


class _Followed:
    """One stage as it is seen from here."""

    def __init__(self, ray: Any, actor: Any, stage: QueuedStage) -> None:
        self._ray, self._actor, self._stage = ray, actor, stage
        self._machine, self._run_id, self._log = "", "", ""
        self._told = (False, False)

    def until_it_is_there(self, can_be: Callable[[], bool]) -> EndedStage | None:
        """Wait for a machine with room; None where it has one, else how it has ended before.

        Args:
            can_be: whether the cluster still has a machine that is large enough.
        """
        there, gone_since = self._actor.machine.remote(), 0.0
        try:
            while not self._ray.wait([there], timeout=LAP_S)[0]:
                if self._stage.stop.asked:  # nothing has begun
                    return self._stage.stopped()
                gone_since = 0.0 if can_be() else gone_since or time.monotonic()
                if gone_since and time.monotonic() - gone_since > GONE_S:
                    return self._not_begun(GONE)
            self._machine = self._ray.get(there)
        except (self._ray.exceptions.RayError, ConnectionError) as exc:
            if isinstance(exc, self._ray.exceptions.ActorUnschedulableError):
                return self._not_begun(GONE)
            if self._is_gone(exc):
                return self._not_begun(f"its worker vanished before it began: {first_line(exc)}")
            reason = (
                f"no machine of the cluster could start it: {exc}. Each needs the same Python and "
                "the same packages as this one: pip install 'guardianflow[ray]'"
            )
            return self._not_begun(reason, cause=None)
        return None

    def _is_gone(self, exc: Exception) -> bool:
        """Whether a worker was there, unlike one that can't be made on any machine."""
        is_actor = isinstance(exc, self._ray.exceptions.RayActorError)
        return is_actor and not getattr(exc, "actor_init_failed", False)

    def to_its_end(self, code: object, variables: Mapping[str, str]) -> EndedStage:
        order = self._stage.request.to_json()
        try:
            return self._until(self._actor.run.remote(order, code, variables))
        except self._ray.exceptions.RayTaskError:  # ours: not a worker that vanished
            raise
        except (self._ray.exceptions.RayError, ConnectionError) as exc:
            return self._lost(exc)

    def _until(self, running: Any) -> EndedStage:
        actor = self._actor
        news = actor.news.remote(NEWS_S)
        while True:
            done, _ = self._ray.wait([running, news], num_returns=1, timeout=LAP_S)
            self._pass_on_stop()
            if news in done:
                self._hear(self._ray.get(news))
                news = actor.news.remote(NEWS_S)
            if running in done:
                ended: EndedStage = self._ray.get(running)
                self._hear(self._ray.get(news))
                return self._as_ours(ended)

    def _pass_on_stop(self) -> None:
        stop = self._stage.stop
        asked = (stop.asked, stop.hurry)
        if stop.asked and asked != self._told:
            self._told = asked
            self._actor.stop.remote(stop.reason, hurry=stop.hurry)

    def _hear(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            if event["kind"] == "run":
                self._run_id = event["run_id"]
            elif event["kind"] == "started":
                self._log = event["log"]
                event = {**event, "machine": self._machine}
            self._stage.listen(event)

    def _as_ours(self, ended: EndedStage) -> EndedStage:
        if ended.failure is not None and ended.failure.log:
            ended.failure.log = f"{self._machine}:{ended.failure.log}"
        return replace(ended, ticket=self._stage.ticket)

    def _lost(self, exc: Exception) -> EndedStage:
        """The actor is gone: its process may yet end its run itself, else that is done here."""
        stage, request = self._stage, self._stage.request
        no_memory = isinstance(exc, self._ray.exceptions.OutOfMemoryError)
        cause = FailureReason.HOST_OUT_OF_MEMORY if no_memory else FailureReason.KILLED
        reason = f"its worker on {self._machine} vanished: {first_line(exc)}"
        if self._run_id:
            self._end_run(reason, cause)
        if stage.stop.asked:
            return stage.stopped()
        log = f"{self._machine}:{self._log}" if self._log else None
        return stage.failed(
            StageFailedError(
                request.title, reason, run_id=self._run_id or None, log=log, failure_reason=cause
            )
        )

    def _not_begun(
        self, reason: str, cause: FailureReason | None = FailureReason.KILLED
    ) -> EndedStage:
        stage = self._stage
        if stage.stop.asked:
            return stage.stopped()
        return stage.failed(StageFailedError(stage.request.title, reason, failure_reason=cause))

    def _end_run(self, reason: str, cause: FailureReason) -> None:
        request, deadline = self._stage.request, time.monotonic() + ORPHAN_S
        with suppress(GuardianFlowError):  # end_abandoned says what is wrong with the store
            store = connect_to_work(request.tracking_uri, Path(request.work_dir)).store
            while store.get_run(self._run_id).status == RunStatus.RUNNING:
                if time.monotonic() > deadline or self._stage.stop.hurry:
                    break
                time.sleep(LAP_S)
        status = RunStatus.KILLED if self._stage.stop.asked else RunStatus.FAILED
        end_abandoned(
            request.tracking_uri,
            self._run_id,
            reason,
            Path(self._log),
            status,
            failure=cause,
            work_dir=request.work_dir,
        )
