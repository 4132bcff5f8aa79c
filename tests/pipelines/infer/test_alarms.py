"""Infer judges alarms: figures, files, and what another rule or truth does to a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alarm_footage import draw_recordings, seen
from contexts import RememberingSink, context_of, request_of
from machines import let_others_take
from recalling_detector import recalling_detector

from guardianflow.contracts.errors import DatasetError
from guardianflow.contracts.results import StageResult
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset
from pipelines.infer.stage import InferStage
from pipelines.stage.execution.execute import execute
from pipelines.wiring import in_memory
from scenario import build_scenario

pytestmark = pytest.mark.slow

DATA = "demo://ppe?images=14&size=96"
SPANS = {f"cam{n % 2}/day{n}": ((5, 7), (20, 22)) for n in range(5)}
FALSE = (14, 14)


class Desk:
    """A store in memory, a model that sees the incidents and one thing more, and infer stages."""

    def __init__(self, folder: Path, work_dir: Path) -> None:
        self.ports, self.said = in_memory(), list[str]()
        self.folder, self._work_dir, self._count = folder, work_dir, 0
        self.footage = draw_recordings(folder / "footage", SPANS, pictures=30, step_s=10)
        dataset = resolve_dataset(DATA, cache_dir=work_dir / "datasets", base_dir=Path.cwd())
        person = dataset.class_names.index("person")
        spans = {name: (*each, FALSE) for name, each in SPANS.items()}
        images = [*read_labelled_images(dataset, "test"), *seen(self.footage, spans, person)]
        recalling_detector(folder / "model", images, dataset.class_names)

    def infer(self, rule: dict[str, Any] | None = None, **alarms: Any) -> StageResult:
        scenario = build_scenario(
            {
                "name": "gate",
                "site": {"customer": "demo", "region": "seoul"},
                "task": {"type": "ppe"},
                "model": {"architecture": "yolo11n", "input_size": 96},
                "dataset": {"path": DATA},
                "environment": {"device": "cpu"},
                "benchmark": {"batch_sizes": [1], "warmup_runs": 0, "benchmark_runs": 2},
                "alarms": {
                    "recordings": {"path": str(self.footage)},
                    "rules": [{"name": "intruder", "class": "person", **(rule or {})}],
                    **alarms,
                },
            }
        )
        self._count += 1
        scratch = self.folder / f"stage{self._count}"
        scratch.mkdir()
        source = str(self.folder / "model" / "package")
        request = request_of("infer", self.folder, self._work_dir, source=source)
        sink = RememberingSink(self.said)
        context = context_of(request, scenario.as_type("infer"), scratch, self.ports, sink)
        return execute(InferStage(context), context)


@pytest.fixture
def desk(tmp_path: Path, shared_work_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    let_others_take(monkeypatch, 0.0)
    return Desk(tmp_path, shared_work_dir)


def test_alarms_are_measured_kept_and_judged_anew_by_other_rules_without_looking_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = desk.infer()
    metrics = first.metrics
    assert metrics["alarm.incidents"] == metrics["alarm.hits"] == 10
    assert metrics["alarm.missed"] == 0
    assert metrics["alarm.false"] == 5
    assert metrics["alarm.precision"] == pytest.approx(10 / 15)
    assert metrics["alarm.f1"] == pytest.approx(2 * 10 / (2 * 10 + 5))
    assert metrics["alarm.camera_days"] == pytest.approx(5 * 300 / 86400)
    assert metrics["alarm.false_per_camera_day"] == pytest.approx(5 / (5 * 300 / 86400))
    low, high = (metrics[f"alarm.missed_{end}"] for end in ("low", "high"))
    assert low == 0 and 0.2 < high < 1
    assert any("delay_p95_s" in note for note in first.notes)  # ten hits are too few for it
    run = desk.ports.store.get_run(first.run_id)
    assert run.tags["alarm.rules"] == "intruder"
    assert run.params["alarms.intruder.class"] == "person"
    tables = [f"results/{each}" for each in ("alarms.csv", "incidents.csv", "alarms.json")]
    plots = [f"plots/{each}" for each in ("alarms.png", "alarm_misses.jpg", "alarm_curve.png")]
    for file in (*tables, *plots):
        assert desk.ports.store.download(first.run_id, file, desk.folder / "got").is_file()

    assert desk.infer().reused  # nothing has changed

    def looked(*_: object, **__: object) -> None:
        raise AssertionError("a recording is looked at again")

    monkeypatch.setattr("guardianflow.evaluation.alarms.detecting.detect_recording", looked)
    held = desk.infer({"hold": {"frames": 2}})
    assert not held.reused
    assert (held.metrics["alarm.false"], held.metrics["alarm.hits"]) == (0, 10)
    truth = desk.footage / "truth.csv"
    lines = truth.read_text(encoding="utf-8").splitlines()
    truth.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    fewer = desk.infer({"hold": {"frames": 2}})
    assert not fewer.reused
    assert (fewer.metrics["alarm.incidents"], fewer.metrics["alarm.false"]) == (9, 1)


def test_recordings_that_are_wrong_are_refused_before_a_run_is_made(desk: Desk) -> None:
    with (desk.footage / "truth.csv").open("a", encoding="utf-8") as truth:
        truth.write("cam0/day0,intruder,290,400\ncam0/day0,intrudr,1,2\n")
    with pytest.raises(DatasetError) as caught:
        desk.infer()
    assert caught.value.exit_code == 2
    assert "2 problems" in str(caught.value)
    assert desk.ports.store.find_runs(tags={"guardianflow.stage": "infer"}) == []
