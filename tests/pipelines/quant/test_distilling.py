"""Training-on in a quant stage: on train pictures alone; what is judged is what is delivered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import pytest
from checkpoints import NAMES, TINY_SIDE, build_checkpoint, draw_images
from contexts import QuantDesk

from experiments_adapters.yolo import distil as training
from experiments_adapters.yolo.finetune import NoTimeToTrainError
from guardianflow.backends.quantisation import activations, confirmation
from guardianflow.backends.quantisation.recipe_exporter import BaseRecipeExporter
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.quantisation import Distillation, NetworkChange
from guardianflow.contracts.recordings.groups import GroupSource, ImageGroups, ImageOrigin
from guardianflow.contracts.results import DetectorPackage, LocalDataset
from pipelines.quant import stage
from pipelines.quant.distilling import distillation_of, distiller_of
from pipelines.quant.qat import VariantInput
from pipelines.quant.search_order import RecipeSearch, SearchResult
from pipelines.stage.stage import StageContext
from scenario import QuantizationParams


def write_images(folder: Path, train: int = 40) -> Path:
    """Pictures; those of train have no labels."""
    for split, count, seed in (("train", train, 5), ("val", 4, 6)):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for index, image in enumerate(draw_images(count, side=TINY_SIDE, seed=seed)):
            cv2.imwrite(str(folder / "images" / split / f"{index}.png"), image)
            if split == "val":
                (folder / "labels" / split / f"{index}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    file = folder / "data.yaml"
    file.write_text(f"train: images/train\nval: images/val\nnames: [{', '.join(NAMES)}]\n")
    return file


@pytest.fixture
def desk(tmp_path: Path) -> QuantDesk:
    file = build_checkpoint("yolo11n", tmp_path / "best.pt")
    return QuantDesk(
        tmp_path,
        package_from_weights(file, tmp_path / "source", input_size=TINY_SIDE),
        write_images(tmp_path / "data"),
        calibration_size=16,
        benchmark={"warmup_runs": 1, "benchmark_runs": 10},
    )


def note_judged(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    judged: list[Any] = []
    really = stage.evaluate_split

    def noting(context: StageContext, detector: Any, *rest: Any) -> Any:
        judged.append(detector.spec)
        return really(context, detector, *rest)

    monkeypatch.setattr(stage, "evaluate_split", noting)
    return judged


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_float_format_with_other_activations_is_trained_on_judged_and_delivered(
    desk: QuantDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The network is untrained, so that chance decides whether a gain is more than its spread.
    monkeypatch.setattr(confirmation, "SURE", -1e9)
    judged = note_judged(monkeypatch)
    result = desk.run(backend="onnx", precision="fp32", activation="hardswish", distil_minutes=60)
    run = desk.store.get_run(result.run_id)
    assert (run.tags["quant.activations"], run.tags["quant.activations_distilled"]) == (
        "hardswish",
        "32",
    )
    assert run.metrics["train.held_out"] > 0
    (model,) = result.models
    delivered = desk.registry.fetch(model.uri, tmp_path / "fetched")
    change = NetworkChange.from_lineage(delivered.spec.lineage)
    assert change is not None and change.changed == change.in_all and change.distilled == 32
    lineage = delivered.spec.lineage
    assert float(lineage["distillation_loss_after"]) < float(lineage["distillation_loss_before"])
    # The file that a box runs is, byte for byte, the one that was judged.
    assert judged[-1].files == delivered.spec.files
    assert judged[-1].variant == "onnx_fp32" != judged[0].variant
    assert "HardSwish" in kinds(delivered) or "HardSigmoid" in kinds(delivered)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_where_training_is_not_confirmed_a_float_format_goes_on_without_it(
    desk: QuantDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirmation, "SURE", 1e9)
    told: list[str] = []
    monkeypatch.setattr(desk.events, "message", told.append)
    result = desk.run(backend="onnx", precision="fp32", activation="hardswish", distil_minutes=60)
    tags = desk.store.get_run(result.run_id).tags
    assert (tags["quant.activations"], tags["quant.activations_distilled"]) == ("hardswish", "0")
    assert any("changed without training on" in each and "held-out" in each for each in told)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_try_is_trained_on_in_its_own_run_and_the_result_is_that_network(
    desk: QuantDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One try of all activations; the search that comes to it is told of in test_search_order."""

    def one_try(search: RecipeSearch) -> SearchResult:
        assert search.order_activations is not None and search.distillation is not None
        search.activation_order = order = search.order_activations()
        change = order.change_of(order.steps, search.distillation)
        trial = search.attempt(replace(search.base, activations=change))
        return SearchResult((trial,), trial if trial.accepted else None, "one try", "latency_p50")

    monkeypatch.setattr(RecipeSearch, "run", one_try)
    # Which layers suffer most in 8 bits has no say in it, and takes as long as all the rest.
    monkeypatch.setattr(BaseRecipeExporter, "sensitivity", lambda *_: {})
    monkeypatch.setattr(activations, "PARTS", 2)  # each is made and measured alone
    # The network is untrained, so that chance decides whether a gain is more than its spread.
    monkeypatch.setattr(confirmation, "SURE", -1e9)
    judged = note_judged(monkeypatch)
    result = desk.run(
        backend="onnx",
        calibration_method="minmax",
        search={
            "allow_activations": True,
            "allow_qat": True,
            "budget_minutes": 200,
            "max_drop_mAP50_95": 1.0,
            "max_drop_mAP50": 1.0,
        },
    )
    (child,) = desk.store.find_runs(tags={"guardianflow.stage": "quant-try"})
    assert child.metrics["train.held_out"] > 0
    assert "train.held_out" not in desk.store.get_run(result.run_id).metrics  # not trained twice
    assert "trained on" in child.tags["quant.recipe"]
    (model,) = result.models
    delivered = desk.registry.fetch(model.uri, tmp_path / "fetched")
    change = NetworkChange.from_lineage(delivered.spec.lineage)
    assert change is not None and (change.changed, change.distilled) == (change.in_all, 32)
    assert judged[-1].files == delivered.spec.files


def kinds(package: DetectorPackage) -> set[str]:
    import onnx

    return {node.op_type for node in onnx.load(str(package.weights_path)).graph.node}


# --- who trains, on what --------------------------------------------------------------------------


def given_with(dataset: LocalDataset) -> VariantInput:
    source = cast(DetectorPackage, SimpleNamespace(spec=SimpleNamespace(input_size=TINY_SIDE)))
    return VariantInput(source, dataset, QuantizationParams(), None)


def of_paths(count: int, **more: Any) -> LocalDataset:
    paths = tuple(Path(f"/data/{number}.jpg") for number in range(count))
    return LocalDataset("d", Path("/data/d.yaml"), ("person",), {"train": paths}, "f1", **more)


def asked_of_the_trainer(
    dataset: LocalDataset, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Path], list[str]]:
    seen: list[Any] = []

    def train_on(_: Any, __: Any, images: Any, groups: Any, *more: Any) -> dict[str, str]:
        seen.append((list(images.paths), list(groups)))
        return {"distillation_images": "3"}

    monkeypatch.setattr(training, "distil", train_on)
    context = SimpleNamespace(scenario=SimpleNamespace(environment=SimpleNamespace(device="cpu")))
    distiller = distiller_of(cast(StageContext, context), given_with(dataset), "r1")
    assert distiller.distil(None, None, Distillation())[0] == 3
    (found,) = seen
    return found


def test_pictures_that_judge_are_not_trained_on_and_recordings_stay_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset = of_paths(6)
    first, *others = dataset.splits["train"]
    judging = replace(dataset, judged_pictures=frozenset([first]))
    images, groups = asked_of_the_trainer(judging, monkeypatch)
    assert images == others and groups == [str(path) for path in others]
    origins = {
        path: ImageOrigin("gate", f"gate {i // 3}") for i, path in enumerate((first, *others))
    }
    known = replace(dataset, groups=ImageGroups(GroupSource.FILE, origins, "g1"))
    _, groups = asked_of_the_trainer(known, monkeypatch)
    assert groups == ["gate 0"] * 3 + ["gate 1"] * 3


def test_other_images_or_other_recordings_are_another_training() -> None:
    context = cast(StageContext, None)
    origins = {path: ImageOrigin("gate", "a") for path in of_paths(3).splits["train"]}
    grouped = of_paths(3, groups=ImageGroups(GroupSource.FILE, origins, "g1"))
    again = replace(grouped, groups=ImageGroups(GroupSource.FILE, origins, "g2"))
    sets = [of_paths(3), replace(of_paths(3), fingerprint="f2"), grouped, again]
    assert len({distiller_of(context, given_with(each), "r").data for each in sets}) == 4


def test_a_search_trains_within_a_share_of_its_budget_and_not_with_less_left() -> None:
    wanted = distillation_of(30, seed=7)
    assert (wanted.minutes, wanted.seed) == (pytest.approx(9), 7)
    late = distiller_of(cast(StageContext, None), given_with(of_paths(30)), "r", seconds=60)
    with pytest.raises(NoTimeToTrainError, match=r"may take 9\.0 minutes, but 1\.0 are left"):
        late.distil(None, None, wanted)
