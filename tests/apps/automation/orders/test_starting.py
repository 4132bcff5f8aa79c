"""kill -9 at the worst moments, for real: at most one launch of what was decided, and none lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from automated_sites import Site

from apps.automation.ledger.records import Ended, Outcome
from apps.automation.orders.starting import Starter, release_order
from apps.automation.rounds import Automation
from guardianflow.contracts.errors import ConfigurationError

pytestmark = pytest.mark.slow  # processes that import all of it
HELPERS = Path(__file__).resolve().parents[3] / "helpers"
RULES = """
rules:
  - name: accuracy
    metric: mAP50
    comparison: below
    threshold: 0.75
    action: sweep
    sweep: {parameters: {learning_rate: [0.1, 0.2]}}
"""
WORKER = """
import sys, time
from pathlib import Path
from apps.automation.ledger.ledger import Ledger
from apps.automation.orders.starting import claim

folder, order = Path(sys.argv[1]), sys.argv[2]
if claim(Ledger(folder), order):
    with (folder / "launches").open("a") as file:
        file.write(order + "\\n")
    time.sleep(float((folder / "seconds").read_text()))
"""
OPTIMIZER = """
import os, signal, sys
from pathlib import Path
from automated_sites import Site
from apps.automation.orders.starting import Starter
from apps.automation.rounds import Automation

site = Site(Path(sys.argv[1]), Path(sys.argv[2]).read_text())
moment, worker = sys.argv[3], sys.argv[4]

class Killed(Starter):
    def start(self, order_id):
        if moment == "before the launch":
            os.kill(os.getpid(), signal.SIGKILL)
        super().start(order_id)
        if moment == "after the launch":
            os.kill(os.getpid(), signal.SIGKILL)

starter = Killed(site.ledger, detached=True, command=(sys.executable, worker))
Automation(site.board, site.automation.plan_of, starter).start()
"""


class Scene:
    """A site whose accuracy is too low, and programs that look after it."""

    def __init__(self, folder: Path, worker_s: float = 0.0) -> None:
        self.folder = folder
        self.site = Site(folder, RULES)
        self.site.run(0, **{"det.mAP50": 0.5})
        self.ledger = self.site.ledger
        (folder / "rules").write_text(RULES)
        for name, text in (("worker.py", WORKER), ("optimizer.py", OPTIMIZER)):
            (folder / name).write_text(text)
        self.ledger.folder.mkdir()
        (self.ledger.folder / "seconds").write_text(str(worker_s))
        self.environment = dict(os.environ)
        paths = [str(HELPERS), str(HELPERS.parents[1])]
        self.environment["PYTHONPATH"] = os.pathsep.join(paths)

    def optimizer(self, moment: str = "never") -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, str(self.folder / "optimizer.py"), str(self.folder),
             str(self.folder / "rules"), moment, str(self.folder / "worker.py")],
            env=self.environment,
        )  # fmt: skip

    @property
    def launches(self) -> list[str]:
        file = self.ledger.folder / "launches"
        return file.read_text().split() if file.exists() else []

    def wait_for_launch(self) -> str:
        deadline = time.monotonic() + 60
        while not self.launches:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return self.launches[0]

    def automation(self) -> Automation:
        command = (sys.executable, str(self.folder / "worker.py"))
        starter = Starter(self.ledger, detached=False, command=command)
        return Automation(self.site.board, self.site.automation.plan_of, starter)


@pytest.mark.parametrize("moment", ["before the launch", "after the launch"])
def test_a_killed_optimizer_s_decision_is_launched_once(tmp_path: Path, moment: str) -> None:
    scene = Scene(tmp_path)
    assert scene.optimizer(moment).wait() == -signal.SIGKILL
    (order,) = scene.ledger.read().orders.values()
    assert order.ended is None
    others = [scene.optimizer() for _ in range(2)]  # restarted, and somebody's cron line beside it
    assert [each.wait() for each in others] == [0, 0]
    assert scene.wait_for_launch() == order.decided.order_id
    time.sleep(1.0)
    assert Counter(scene.launches) == {order.decided.order_id: 1}
    assert len(scene.ledger.read().orders) == 1


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="tells the dead by /proc")
def test_a_killed_worker_is_a_failure_and_after_two_a_person_must_say_so(tmp_path: Path) -> None:
    scene = Scene(tmp_path, worker_s=60.0)
    for number in range(2):
        automation = scene.automation()
        (order_id,) = automation.start()
        scene.wait_for_launch()
        worker = automation.starter.workers.pop(order_id)
        worker.kill()
        worker.wait()
        (scene.ledger.folder / "launches").unlink()
        scene.site.clock.hours += 30
        assert scene.automation().outcomes([order_id]) == {order_id: Outcome.LOST}
        alert_id = scene.ledger.read().orders[order_id].decided.alert_id
        assert scene.ledger.read().paused(alert_id) == (number == 1)
    assert scene.automation().start() == []


def test_a_worker_that_ends_without_a_word_has_failed(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    (tmp_path / "worker.py").write_text("raise SystemExit(7)")
    automation = scene.automation()
    (order_id,) = automation.start()
    automation.starter.workers[order_id].wait()
    assert automation.outcomes([order_id]) == {order_id: Outcome.FAILED}
    ended = scene.ledger.read().orders[order_id].ended
    assert ended is not None
    assert "its process ended with 7" in ended.reason


def test_what_nobody_took_in_time_expires_and_counts_for_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    assert scene.optimizer("before the launch").wait() == -signal.SIGKILL
    scene.site.clock.hours = 2
    automation = scene.automation()
    (again,) = automation.start()
    assert automation.starter.workers[again].wait() == 0
    first, second = scene.ledger.read().orders.values()
    assert first.ended is not None
    assert first.ended.outcome is Outcome.EXPIRED
    assert second.decided.order_id == again
    assert scene.launches == [again]


def test_a_living_worker_is_not_given_up_by_a_person_s_word(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.site.automation.start()  # taken by this very process
    (order,) = scene.ledger.read().in_flight()
    with (
        scene.ledger.changing() as change,
        pytest.raises(ConfigurationError, match="is at work in process"),
    ):
        release_order(change, order)
    scene.ledger.append(
        Ended(at=scene.site.clock(), order_id=order.decided.order_id, outcome=Outcome.DONE)
    )
