"""A stage's fingerprint changes with what the stage runs, and with nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from contexts import EXPERIMENT
from identified_site import TRAINER, Site

from guardianflow.contracts.results import RunRequest
from pipelines.reuse import identity
from pipelines.stage.stage import UndecidedError


def words(before: str, now: str) -> Callable[[Site], None]:
    return lambda site: site.words.update({before: now})


def timing(more: str) -> Callable[[Site], None]:
    return words("warmup_runs: 2", f"warmup_runs: 2, {more}")


def given(**values: Any) -> Callable[[Site], None]:
    return lambda site: site.given.update(values)


def relabel(site: Site) -> None:
    (site.data / "labels/train/1.txt").write_text("1 0.5 0.5 0.2 0.2\n")


def reorder_classes(site: Site) -> None:
    place = site.data / "data.yaml"
    place.write_text(place.read_text().replace("[helmet, vest]", "[vest, helmet]"))


def another_model(site: Site) -> None:
    site.trained = site.register("second", seed=1)


def edit_trainer(site: Site) -> None:
    (site.root / "code/train.py").write_text(f"{TRAINER}EXTRA = 1\n")


def start_from(content: bytes) -> Callable[[Site], None]:
    def change(site: Site) -> None:
        (site.root / "start.npz").write_bytes(content)
        site.words["input_size: 64"] = "input_size: 64, weights_path: start.npz"

    return change


def machine(name: str, value: Any) -> Callable[[Site], None]:
    return lambda _site: setattr(identity, name, lambda: value)


def version_of(library: str) -> Callable[[Site], None]:
    found = identity.versions_of

    def other(*names: str) -> dict[str, str]:
        return {**found(*names), **({library: "99"} if library in names else {})}

    return lambda _site: setattr(identity, "versions_of", other)


def move_data(site: Site) -> None:
    target = site.root / "elsewhere" / "set"
    target.parent.mkdir()
    shutil.move(site.data, target)
    site.words[str(site.data)] = "elsewhere/set"


def touch_data(site: Site) -> None:
    for path in site.data.rglob("*"):
        os.utime(path)


def comment_on(site: Site) -> None:
    site.comment = "# of the gate\ntags: {ticket: '12'}\n"


def move_work_dir(site: Site) -> None:
    site.work = site.root / "another work"


ALL = frozenset({"train", "quant", "infer"})
TABLE: list[tuple[str, Callable[[Site], None], frozenset[str]]] = [
    # what changes, and the stages that have another fingerprint then
    ("epochs", words("epochs: 3", "epochs: 4"), frozenset({"train"})),
    ("an option", words("mosaic: 0,", "mosaic: 1,"), frozenset({"train"})),
    ("size", words("input_size: 64", "input_size: 96"), frozenset({"train"})),
    ("seed", words("seed: 7", "seed: 8"), frozenset({"train", "quant"})),
    ("precision", words("device: auto", "device: auto, precision: fp16"), frozenset({"train"})),
    ("a label", relabel, ALL),
    ("order of classes", reorder_classes, ALL),
    ("version", words("name: gate", "name: gate\nversion: v2"), ALL),
    ("deployed threshold", timing("iou_threshold: 0.6"), ALL),
    ("measured calls", words("benchmark_runs: 9", "benchmark_runs: 8"), ALL - {"train"}),
    ("batch sizes", words("[1, 4]", "[1, 8]"), frozenset({"infer"})),
    ("cameras", timing("cameras: {fps: 9}"), frozenset({"infer"})),
    ("calibration", words("calibration_size: 8", "calibration_size: 4"), frozenset({"quant"})),
    ("the trained model", another_model, ALL - {"train"}),
    ("registered or not", given(register=False), frozenset({"train", "quant"})),
    ("the start weights", start_from(b"1"), frozenset({"train"})),
    ("the processor", machine("cpu_model", "Xeon 2"), ALL - {"train"}),
    ("the cores", machine("physical_cores", 4), ALL - {"train"}),
    ("a GPU", machine("gpu_names", ("H100",)), ALL - {"train"}),
    ("torch", version_of("torch"), frozenset({"train", "quant"})),
    ("onnxruntime", version_of("onnxruntime"), frozenset({"infer"})),
    ("openvino", version_of("openvino"), frozenset({"quant"})),
    ("opencv", version_of("opencv-python-headless"), ALL),
    # what changes nothing
    ("where the data lie", move_data, frozenset()),
    ("times of files", touch_data, frozenset()),
    ("a comment and a tag", comment_on, frozenset()),
    ("the order of keys", words("mosaic: 0, scale: 0.2", "scale: 0.2, mosaic: 0"), frozenset()),
    ("the order of sizes", words("[1, 4]", "[4, 1]"), frozenset()),
    ("the name", words("name: gate", "name: door"), frozenset()),
    ("what the data set is called", words("path: ", "name: other, path: "), frozenset()),
    ("how many images there are", words("path: ", "image_count: 6, path: "), frozenset()),
    ("the processor by its name", words("device: auto", "device: cpu"), frozenset({"train"})),
    ("a tracker nobody uses", timing("tracker: botsort"), frozenset()),
    ("classes left to the data", words(", classes: [helmet, vest]", ""), frozenset()),
    ("the number of classes", words("size: 64", "size: 64, num_classes: 2"), frozenset()),
    ("the split that is judged anyway", words("path: ", "split: val, path: "), frozenset()),
    ("the work directory", move_work_dir, frozenset()),
    ("the parent run", given(parent_run_id="abc", run_name="other", title="x"), frozenset()),
]  # fmt: skip


@pytest.mark.parametrize(("change", "affected"), [r[1:] for r in TABLE], ids=[r[0] for r in TABLE])
def test_what_changes_a_fingerprint_and_what_does_not(
    site: Site,
    change: Callable[[Site], None],
    affected: frozenset[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("cpu_model", "gpu_names", "physical_cores", "versions_of"):
        monkeypatch.setattr(identity, name, getattr(identity, name))  # put back afterwards
    before = {stage: site.identity(stage).fingerprint for stage in ALL}
    assert before == {stage: site.identity(stage).fingerprint for stage in ALL}
    change(site)
    now = {stage: site.identity(stage).fingerprint for stage in ALL}
    assert {stage for stage in ALL if now[stage] != before[stage]} == affected


def test_the_weights_to_start_from_count_by_content_not_by_place(site: Site) -> None:
    start_from(b"1")(site)
    first = site.identity("train").fingerprint
    (site.root / "start.npz").rename(site.root / "renamed.npz")
    site.words["input_size: 64"] = "input_size: 64, weights_path: renamed.npz"
    assert site.identity("train").fingerprint == first
    (site.root / "renamed.npz").write_bytes(b"2")
    assert site.identity("train").fingerprint != first


def test_an_authors_code_counts_and_is_not_run(site: Site) -> None:
    builtin = site.identity("train").fingerprint
    (site.root / "code/train.py").write_text(f"{TRAINER}raise SystemExit('this was run')\n")
    site.given = {"code_path": str(site.root / "code")}
    first = site.identity("train").fingerprint
    assert first != builtin
    edit_trainer(site)
    assert site.identity("train").fingerprint != first
    shutil.move(site.root / "code", site.root / "moved")
    second = site.given = {"code_path": str(site.root / "moved")}
    edited = site.identity("train").fingerprint
    (site.root / "moved/notes.txt").write_text("no code")
    site.given = second
    assert site.identity("train").fingerprint == edited


@pytest.mark.parametrize(
    "values",
    [
        {"source": "model.onnx"},
        {"source": "runs:/RUN/weights/best.pt"},
        {"code_path": "code"},
    ],
)
def test_what_must_be_opened_or_run_is_left_to_the_stages_process(
    site: Site, values: dict[str, str]
) -> None:
    site.given = {key: value.replace("RUN", site.trained) for key, value in values.items()}
    for stage in ("infer", "quant"):
        with pytest.raises(UndecidedError):
            site.identity(stage)


def test_a_run_that_registered_nothing_must_be_opened(site: Site) -> None:
    site.trained = site.ports.store.start_run(RunRequest(EXPERIMENT, "unregistered"))
    site.ports.store.end_run(site.trained)
    with pytest.raises(UndecidedError):
        site.identity("infer")


def test_a_quant_stage_of_the_registered_name_is_the_same_by_either_reference(site: Site) -> None:
    by_run = site.identity("quant")
    site.given = {"source": f"models:/{EXPERIMENT}/ppe@candidate"}
    assert site.identity("quant") == by_run
