"""The kinds of faults: how each strikes a command at work, and what is brought back afterwards."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults import damage
from benchmarks.faults.disks import CantError, fill_up, make_room
from benchmarks.faults.moments import Moment, Pace, in_training, random_moment
from benchmarks.faults.place import LONGEST_COMMAND_S, PROJECT, Command, Place
from benchmarks.faults.stores import SERVER, SQLITE, ServerStore

FAKETIME_PLACES = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/local/lib/faketime")
AWAY_MODES = ("down", "hang", "fail", "cut", "drop")
LONGEST_OUTAGE_S = 20.0


@dataclass
class Scene:
    """A round in which a fault is about to strike.

    Args:
        store: the server's; None where the store is a SQLite file.
        disk: the small file system; None where there is none.

    Attributes:
        killed: the command that was struck was ended by a SIGKILL.
        without_room: epochs that were trained while the disk was full. Where it is full before
            there are two checkpoints, no older one makes room for theirs.
    """

    place: Place
    chance: random.Random
    pace: Pace
    store: ServerStore | None = None
    disk: Path | None = None
    said: list[str] = field(default_factory=list)
    killed: bool = False
    without_room: int = 0

    @property
    def server(self) -> ServerStore:
        assert self.store is not None
        return self.store


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Args:
        strike: does it; what is lasting is done by `after`.
        after: once the command has ended: brings back, or damages what is left.
        moment: when to strike.
        stores: that it may strike runs in.
        ends_well: the command that is struck must end well nevertheless.
        most_strikes: in one round, at one attempt after the other.
        more_repeats: epochs that may be trained again beside the one in flight.
        built_in: it may strike the built-in training and pipelines too.
        environment: more of it for every command of the round, or says what this machine lacks.
        away_again: the next command may find the store as the strike has left it.
    """

    name: str
    strike: Callable[[Scene, Command], None]
    after: Callable[[Scene], None] = lambda _scene: None
    moment: Callable[[random.Random, Place, Pace], Moment] = random_moment
    stores: Sequence[str] = (SQLITE, SERVER)
    ends_well: bool = False
    most_strikes: int = 1
    more_repeats: int = 0
    built_in: bool = True
    disk: str = ""
    environment: Callable[[Path], Mapping[str, str]] = lambda _root: {}
    away_again: bool = False


# --- signals ------------------------------------------------------------------------------------


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _worker(scene: Scene, command: Command) -> int:
    """A worker of the command, or the command where there is none yet."""
    below = scene.place.processes()
    below.pop(command.process.pid, None)
    named = [pid for pid, line in below.items() if "pipelines.worker" in line]
    return scene.chance.choice(sorted(named) or sorted(below) or [command.process.pid])


def kill_command(_scene: Scene, command: Command) -> None:
    _send(command.process.pid, signal.SIGKILL)


def kill_worker(scene: Scene, command: Command) -> None:
    _send(_worker(scene, command), signal.SIGKILL)


def kill_any(scene: Scene, command: Command) -> None:
    there = sorted(scene.place.processes()) or [command.process.pid]
    _send(scene.chance.choice(there), signal.SIGKILL)


def kill_all(scene: Scene, _command: Command) -> None:
    scene.place.kill_all()


def sigterm(scene: Scene, command: Command) -> None:
    at_worker = scene.chance.random() < 0.3
    _send(_worker(scene, command) if at_worker else command.process.pid, signal.SIGTERM)


def sighup(_scene: Scene, command: Command) -> None:
    _send(command.process.pid, signal.SIGHUP)


def ctrl_c(scene: Scene, command: Command) -> None:
    for _ in range(scene.chance.choice((1, 1, 2))):
        _send(command.process.pid, signal.SIGINT)
        time.sleep(scene.chance.uniform(0, 1))


# --- the server ---------------------------------------------------------------------------------


def _last(scene: Scene, command: Command, longest_s: float = LONGEST_OUTAGE_S) -> None:
    """Some seconds, or to the command's end."""
    to_the_end = scene.chance.random() < 0.5
    seconds = scene.chance.uniform(0.5, longest_s)
    _wait(command, None if to_the_end else seconds)


def _wait(command: Command, seconds: float | None) -> None:
    """Wait so long, or for the command's end; None waits for that alone."""
    until = time.monotonic() + (seconds if seconds is not None else LONGEST_COMMAND_S)
    while not command.ended and time.monotonic() < until:
        time.sleep(0.05)


def outage(mode: str) -> Callable[[Scene, Command], None]:
    """The server behaves so for a while, at all requests or at half of them."""

    def strike(scene: Scene, command: Command) -> None:
        scene.server.be(mode, scene.chance, scene.chance.choice((1.0, 1.0, 0.5)))
        _last(scene, command)
        scene.server.be_well()

    return strike


def stop_server(scene: Scene, command: Command) -> None:
    scene.server.server.stop(scene.chance.choice((signal.SIGKILL, signal.SIGTERM)))
    _last(scene, command)
    scene.server.be_well()


def kill_all_while_away(scene: Scene, command: Command) -> None:
    mode = scene.chance.choice(AWAY_MODES)
    scene.said.append(mode)
    scene.server.be(mode, scene.chance)
    _wait(command, scene.chance.uniform(0.3, 5))
    scene.place.kill_all()


def bring_back(scene: Scene) -> None:
    scene.server.be_well()


# --- disk, files, clock -------------------------------------------------------------------------


def fill_disk(scene: Scene, command: Command) -> None:
    assert scene.disk is not None
    before = scene.place.epochs_seen()
    fill_up(scene.disk, scene.chance.choice((0, 4096, 1 << 16)))
    _last(scene, command, longest_s=8)
    scene.without_room += scene.place.epochs_seen() - before
    make_room(scene.disk)


def damaging(harm: Callable[[Place, random.Random], str]) -> Callable[[Scene], None]:
    def after(scene: Scene) -> None:
        if scene.killed:
            scene.said.append(harm(scene.place, scene.chance) or "nothing there to damage")

    return after


def cut_spool(scene: Scene) -> None:
    if scene.killed:  # one that has ended has brought all to the medium
        scene.said.append(damage.cut_journal(scene.place, scene.chance) or "no journal")
    scene.server.be_well()


def faketime(root: Path) -> dict[str, str]:
    """A clock that the file `clock` sets.

    Raises:
        CantError: libfaketime is not installed.
    """
    for place in (os.environ.get("FAKETIME_FOLDER", ""), *FAKETIME_PLACES):
        if not place:
            continue
        for library in sorted(Path("/").glob(f"{place.lstrip('/')}/libfaketimeMT.so.1")):
            (root / "clock").write_text("+0\n")
            return {
                "LD_PRELOAD": str(library),
                "FAKETIME_TIMESTAMP_FILE": str(root / "clock"),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # no clock that is set moves this one
                "NO_FAKE_STAT": "1",
                "PYTHONPATH": f"{PROJECT / 'benchmarks/faults/clock'}{os.pathsep}{PROJECT}",
            }
    raise CantError("libfaketime is not installed (apt-get install libfaketime)")


def set_clock_back(scene: Scene, command: Command) -> None:
    """Minutes or days back; half of the time the machine then goes down."""
    back = scene.chance.choice(("-90s", "-2h", "-3d", "-400d"))
    (scene.place.root / "clock").write_text(f"{back}\n")
    scene.said.append(back)
    _wait(command, scene.chance.uniform(0.5, 3))
    if scene.chance.random() < 0.5:
        scene.place.kill_all()


def _late(chance: random.Random, _place: Place, pace: Pace) -> Moment:
    return in_training(chance, pace, at_least=2)


def _early(chance: random.Random, _place: Place, pace: Pace) -> Moment:
    return in_training(chance, pace)


FAULTS = (
    Fault("kill_command", kill_command, most_strikes=2),
    Fault("kill_worker", kill_worker, most_strikes=2),
    Fault("kill_any", kill_any, most_strikes=2),
    Fault("kill_all", kill_all, most_strikes=3),
    Fault("sigterm", sigterm, most_strikes=2),
    Fault("sighup", sighup, most_strikes=2),
    Fault("ctrl_c", ctrl_c, most_strikes=2),
    Fault("server_stopped", stop_server, stores=(SERVER,), ends_well=True),
    *(
        Fault(f"server_{mode}", outage(mode), stores=(SERVER,), ends_well=True)
        for mode in AWAY_MODES
    ),
    Fault(
        "kill_all_while_away",
        kill_all_while_away,
        after=bring_back,
        stores=(SERVER,),
        away_again=True,
    ),
    Fault("full_work_dir", fill_disk, disk="work", built_in=False),
    Fault("full_store", fill_disk, disk="store", stores=(SQLITE,), built_in=False),
    Fault(
        "cut_spool",
        kill_all_while_away,
        after=cut_spool,
        moment=_early,
        stores=(SERVER,),
        built_in=False,
    ),
    Fault("cut_epochs", kill_all, after=damaging(damage.cut_epochs), moment=_late),
    Fault(
        "damaged_checkpoint",
        kill_all,
        after=damaging(damage.damage_checkpoint),
        moment=_late,
        more_repeats=1,
    ),
    Fault(
        "clock_back",
        set_clock_back,
        moment=_early,
        # Under libfaketime threads hand the interpreter over a hundred times more slowly, and with
        # a server there is one more thread.
        stores=(SQLITE,),
        environment=faketime,
        built_in=False,
    ),
)
BY_NAME = {fault.name: fault for fault in FAULTS}
