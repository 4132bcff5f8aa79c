"""Is anything lost when something breaks?

    python -m benchmarks.fault_campaign --faults 200 --seed 1

Each round starts a real command on real stores, lets a fault strike at a random moment, gives the
same command again and looks at what stands in the store, on the disk and among the processes. The
seed decides kinds, moments and stores; the machine decides the rest. A round that finds something
keeps its directory and prints how to do it again.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.faults.check import Breach
from benchmarks.faults.disks import CantError
from benchmarks.faults.kinds import BY_NAME, FAULTS, Fault
from benchmarks.faults.rounds import Campaign, Outcome
from benchmarks.faults.stores import open_stores
from benchmarks.faults.workloads import QUICK, WORKLOADS
from benchmarks.verdict import machine

FAULTS_WANTED, QUICK_FAULTS = 200, 12
MOST_TOO_LATE = 3
"""Rounds whose moment came after the command's end, for each fault that is to strike."""


@dataclass
class Tally:
    """What came of all rounds so far."""

    outcomes: list[Outcome] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def struck(self) -> int:
        return sum(each.struck for each in self.outcomes)

    def count(self, *breaches: Breach) -> int:
        return sum(
            finding.breach in breaches for each in self.outcomes for finding in each.findings
        )

    @property
    def failing(self) -> list[Outcome]:
        return [each for each in self.outcomes if each.findings]


def schedule(seed: int, faults: Sequence[Fault]) -> Iterator[Fault]:
    """Every kind once, in random order, again and again."""
    chance = random.Random(seed)
    while True:
        yield from chance.sample(list(faults), len(faults))


def verdict(tally: Tally, seed: int) -> dict[str, Any]:
    """The last line's object."""
    by_kind = Counter[str]()
    for each in tally.outcomes:
        by_kind[each.fault] += each.struck
    wrong, faults = len(tally.failing), tally.struck
    return {
        "name": "fault_campaign",
        "ratio": round(wrong / max(1, len(tally.outcomes)), 4),
        "goal": "<= 0",
        "holds": not wrong and faults > 0,
        "interval": [round(x, 4) for x in interval(wrong, len(tally.outcomes))],
        "seed": seed,
        "faults": faults,
        "rounds": len(tally.outcomes),
        "by_kind": dict(sorted(by_kind.items())),
        "by_workload": dict(Counter(each.workload for each in tally.outcomes)),
        "by_store": dict(Counter(each.store for each in tally.outcomes)),
        "losses": tally.count(Breach.LOSS),
        "doubled_points": tally.count(Breach.DOUBLED),
        "repeated_epochs": sum(each.repeated for each in tally.outcomes),
        "repeated_too_often": tally.count(Breach.REPEATED),
        "zombies": tally.count(Breach.ZOMBIE),
        "commands_that_failed": tally.count(Breach.COMMAND),
        "registered_wrongly": tally.count(Breach.REGISTRATION),
        "changed_files": tally.count(Breach.CHANGED),
        "too_late": sum(not each.struck for each in tally.outcomes),
        "skipped": tally.skipped,
        "conditions": machine(),
    }


def interval(wrong: int, rounds: int) -> tuple[float, float]:
    """95% interval of the share of failing rounds (Wilson 1927)."""
    if not rounds:
        return 0.0, 1.0
    z, share = 1.96, wrong / rounds
    middle = (share + z * z / (2 * rounds)) / (1 + z * z / rounds)
    half = z / (1 + z * z / rounds)
    half *= (share * (1 - share) / rounds + z * z / (4 * rounds * rounds)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def show(outcome: Outcome, tally: Tally, seed: int) -> None:
    story = "; ".join(outcome.story)
    print(
        f"{outcome.number:4} {outcome.fault:20} {outcome.workload:9}{outcome.store:7}"
        f"{outcome.seconds:6.0f}s {tally.struck:4} faults  {story}",
        flush=True,
    )
    for finding in outcome.findings:
        print(f"       {finding}", flush=True)
    if outcome.findings:
        print(
            f"       kept in {outcome.kept}; again: python -m benchmarks.fault_campaign "
            f"--seed {seed} --only {outcome.fault} --round {outcome.number} "
            f"--workload {outcome.workload}",
            flush=True,
        )


def campaign(tally: Tally, folder: Path, given: argparse.Namespace) -> None:
    """Play rounds until so many faults have struck."""
    workload = WORKLOADS[given.workload] if given.workload else None
    wanted = [
        fault
        for fault in FAULTS
        if (not given.only or fault.name in given.only)
        and (fault.built_in or workload in (None, QUICK))
    ]
    faults = schedule(given.seed, wanted)
    with open_stores(folder / "stores") as stores:
        rounds = Campaign(folder, stores, given.seed, quick=given.quick)
        first = given.round if given.round is not None else 0
        last = first if given.round is not None else given.faults * MOST_TOO_LATE
        for number in range(first, last + 1):
            fault = next(faults)
            if tally.struck >= given.faults or len(tally.skipped) == len(wanted):
                return
            if fault.name in tally.skipped:
                continue
            try:
                outcome = rounds.play(number, fault, workload)
            except CantError as exc:
                tally.skipped[fault.name] = str(exc)
                continue
            tally.outcomes.append(outcome)
            show(outcome, tally, given.seed)


def heed_signals() -> None:
    """A shell's background job ignores Ctrl-C, one under nohup SIGHUP, and so would its children.

    Those begin with the default of what has a handler here.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)


def main() -> int:
    """Exit code 0: nothing was lost; 1: something was; 2: nothing could be tried here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, help="that are to strike, in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="few, of the quick training alone")
    parser.add_argument("--only", choices=list(BY_NAME), action="append", metavar="KIND")
    parser.add_argument("--workload", choices=list(WORKLOADS), help="this one alone")
    parser.add_argument("--round", type=int, help="this round alone, of the kind in --only")
    parser.add_argument("--folder", type=Path, help="for all that is written; a new directory")
    given = parser.parse_args()
    given.faults = given.faults or (QUICK_FAULTS if given.quick else FAULTS_WANTED)
    heed_signals()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="fault-campaign-"))
    folder.mkdir(parents=True, exist_ok=True)
    tally = Tally()
    try:
        campaign(tally, folder, given)
    except KeyboardInterrupt:
        print("interrupted: what follows is of the rounds until now", flush=True)
    if not tally.failing:
        shutil.rmtree(folder, ignore_errors=True)
    if not tally.outcomes:
        print(json.dumps(verdict(tally, given.seed) | {"holds": False}))
        return 2
    result = verdict(tally, given.seed)
    print(json.dumps(result))
    return 0 if result["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
