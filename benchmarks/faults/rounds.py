"""One round: a workplace, a command that is struck, the same command again, and the check."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from apps.cli.upkeep.commands import UPKEEP_COMMANDS
from benchmarks.faults.check import (
    Breach,
    Expected,
    Finding,
    StoreCheck,
    commands_findings,
    local_findings,
    repeated_epochs,
)
from benchmarks.faults.disks import small_disk
from benchmarks.faults.kinds import Fault, Scene
from benchmarks.faults.moments import Pace
from benchmarks.faults.place import Command, Place
from benchmarks.faults.stores import SERVER, SQLITE, Stores
from benchmarks.faults.workloads import PIPELINE, QUICK, YOLO, Workload
from guardianflow.site_data.demo import demo_data_set

YOLO_SHARE, PIPELINE_SHARE, AGAIN_SHARE = 1 / 8, 1 / 8, 1 / 4


@dataclass
class Outcome:
    """What came of a round.

    Args:
        struck: how many faults struck; 0 where the command had ended before.
        repeated: epochs that were trained again.
        story: what happened, for people.
    """

    number: int
    fault: str
    workload: str
    store: str
    struck: int = 0
    repeated: int = 0
    findings: list[Finding] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    seconds: float = 0.0
    kept: Path | None = None


class Campaign:
    """Rounds in one directory, one after the other.

    Args:
        folder: is there, and empty.
        quick: the quick workload alone.
    """

    def __init__(self, folder: Path, stores: Stores, seed: int, *, quick: bool = False) -> None:
        self._folder, self._stores, self._seed, self._quick = folder, stores, seed, quick
        from benchmarks.faults.workloads import REFERENCE

        self._data = demo_data_set(REFERENCE, folder / "datasets").parent
        self._shared = folder / "shared"
        self._shared.mkdir()
        self._expected: dict[str, Expected] = {}
        self._paces: dict[str, Pace] = {}

    def undisturbed(self, workload: Workload) -> None:
        """Run a workload once with no fault: what it leaves is what others are measured by.

        Raises:
            RuntimeError: it does not keep the promises even so.
        """
        root = self._folder / f"undisturbed-{workload.name}"
        root.mkdir()
        place, uri = self._place(root, workload, SQLITE)
        began = time.monotonic()
        command = place.start()
        marks: dict[int, float] = {}
        while not command.ended:
            marks.setdefault(place.epochs_seen(), time.monotonic())
            time.sleep(0.02)
        ended = time.monotonic()
        check = StoreCheck(place, uri, None)
        found = [
            *commands_findings([("the undisturbed command", command)]),
            *check.findings(),
            *local_findings(place, 0),
        ]
        if found:
            raise RuntimeError("; ".join(map(str, found)))
        first, last = marks.get(1, ended), marks.get(workload.epochs, ended)
        epoch_s = (last - first) / max(1, workload.epochs - 1)
        start_s = max(1.0, first - began - epoch_s)
        self._paces[workload.name] = Pace(start_s, epoch_s, max(1.0, ended - last))
        self._expected[workload.name] = check.as_expected()
        shutil.rmtree(root)

    def play(self, number: int, fault: Fault, workload: Workload | None = None) -> Outcome:
        """One round; its directory is kept where something was found.

        Args:
            workload: None: as the seed decides.

        Raises:
            CantError: this machine can't do this kind of fault.
        """
        chance = random.Random(f"{self._seed}/{number}/{fault.name}")
        drawn, store = self._workload(chance, fault), chance.choice(list(fault.stores))
        workload = workload or drawn
        if workload.name not in self._paces:
            self.undisturbed(workload)
        outcome = Outcome(number, fault.name, workload.name, store)
        root = self._folder / f"round-{number:04d}-{fault.name}"
        root.mkdir()
        began = time.monotonic()
        with ExitStack() as stack:
            disk = stack.enter_context(small_disk(root / "disk")) if fault.disk else None
            environment = dict(fault.environment(root))
            place, uri = self._place(root, workload, store, disk, fault.disk)
            place.environment |= environment
            pace = self._paces[workload.name]
            server = self._stores.server if store == SERVER else None
            scene = Scene(place, chance, pace, server, disk)
            try:
                outcome.findings = list(self._acts(scene, fault, uri, outcome))
            finally:
                self._end(place)
            if outcome.findings and disk is not None:
                shutil.copytree(disk, root / "disk-kept", symlinks=True)
        outcome.seconds = time.monotonic() - began
        outcome.story += scene.said
        if outcome.findings:
            outcome.kept = root
        else:
            shutil.rmtree(root)
        return outcome

    # --- inside -------------------------------------------------------------------------------

    def _workload(self, chance: random.Random, fault: Fault) -> Workload:
        drawn = chance.random()
        if self._quick or not fault.built_in:
            return QUICK
        if drawn < YOLO_SHARE:
            return YOLO
        in_pipelines = drawn < YOLO_SHARE + PIPELINE_SHARE
        return PIPELINE if in_pipelines and fault.moment is Fault.moment else QUICK

    def _place(
        self,
        root: Path,
        workload: Workload,
        store: str,
        disk: Path | None = None,
        on_disk: str = "",
    ) -> tuple[Place, str]:
        """A workplace, and the URI of its store with no proxy before it."""
        work_dir = (disk if disk and on_disk == "work" else root) / "work"
        if store == SERVER:
            given, direct = self._stores.server.proxy.url, self._stores.server.server.url
        else:
            given = direct = self._stores.new_sqlite(disk if disk and on_disk == "store" else root)
        return Place(root, workload, self._data, given, self._shared, work_dir), direct

    def _acts(self, scene: Scene, fault: Fault, uri: str, outcome: Outcome) -> Iterator[Finding]:
        place, chance, well = scene.place, scene.chance, []
        for _ in range(chance.randint(1, fault.most_strikes)):
            command = place.start()
            moment = fault.moment(chance, place, scene.pace)
            struck = moment.wait(place, command)
            outcome.story.append(f"{moment}{'' if struck else ' (too late)'}")
            if struck:
                fault.strike(scene, command)
                outcome.struck += 1
            code = command.wait()
            scene.killed = code == -signal.SIGKILL
            outcome.story.append(f"→ {code}")
            # A stage that starts from a model in a store which is away can't begin.
            alone = place.workload.command == "train"
            if not struck or (fault.ends_well and alone):
                well.append((f"the command under {fault.name}", command))
            if struck and fault.away_again and chance.random() < 0.5:
                meanwhile = place.run()
                outcome.story.append(f"again while away → {meanwhile.code}")
                if alone:
                    well.append(("the same command while the server is away", meanwhile))
            fault.after(scene)
        if outcome.store == SERVER:
            # What a killed command has left may be ending its run, and sends its journal itself.
            at_work = place.processes()
            sent = place.run("sync", "--json")
            well += [] if at_work else [("guardianflow sync", sent)]
        again = place.run()
        well.append(("the same command again", again))
        yield from self._check(scene, fault, uri, well, outcome)
        if chance.random() < AGAIN_SHARE and again.code == 0:
            yield from self._nothing_new(place, again)

    def _check(
        self,
        scene: Scene,
        fault: Fault,
        uri: str,
        well: list[tuple[str, Command]],
        outcome: Outcome,
    ) -> Iterator[Finding]:
        place = scene.place
        yield from commands_findings(well)
        repeats = outcome.struck + fault.more_repeats * outcome.struck + scene.without_room
        yield from local_findings(place, repeats)
        outcome.repeated = repeated_epochs(place)
        check = StoreCheck(place, uri, self._expected[place.workload.name])
        yield from check.findings()
        answered = well[-1][1].answer.get("run_id")
        finished = {run.info.run_id for run in check.runs if run.info.status == "FINISHED"}
        if well[-1][1].code == 0 and answered not in finished:
            yield Finding(Breach.LOSS, f"the run {answered} that was answered is not FINISHED")
        if any(command.name == "reap" for command in UPKEEP_COMMANDS):
            reaped = place.run("reap", "--json")
            if reaped.code != 0:
                yield Finding(Breach.COMMAND, f"guardianflow reap: {reaped.last_words}")
            yield from check.half_made()

    def _nothing_new(self, place: Place, again: Command) -> Iterator[Finding]:
        """Once more: all is done, and is found."""
        more = place.run()
        yield from commands_findings([("the same command a third time", more)])
        reused = more.answer.get("run_id") == again.answer.get("run_id")
        if more.code == 0 and not (reused and more.answer.get("reused")):
            yield Finding(Breach.LOSS, "what is done was done again")

    def _end(self, place: Place) -> None:
        place.kill_all()
        self._stores.server.be_well()
