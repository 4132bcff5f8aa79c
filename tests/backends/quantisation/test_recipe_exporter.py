"""One suite for every exporter: what `contracts.quantisation.RecipeExporter` promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoints import draw_images

from guardianflow.backends import catalogue, interchange
from guardianflow.backends.onnx import quantisation as onnx_quantisation
from guardianflow.backends.openvino import quantisation as openvino_quantisation
from guardianflow.backends.quantisation import activations, kept_work
from guardianflow.backends.quantisation.output_error import output_error
from guardianflow.contracts.errors import (
    BackendError,
    BackendUnavailableError,
    ConfigurationError,
)
from guardianflow.contracts.quantisation import (
    ActivationChange,
    Distillation,
    Distiller,
    NetworkChange,
    Recipe,
    RecipeExporter,
)
from guardianflow.contracts.results import DetectorPackage, ExportRequest

MakePackage = Callable[..., DetectorPackage]
OpenExporter = Callable[..., RecipeExporter]
BACKENDS = ("onnx", "openvino")
MINMAX = Recipe(calibration_method="minmax")


def outputs(package: DetectorPackage, images: np.ndarray) -> np.ndarray:
    with catalogue.open_session(package, batch_size=len(images)) as session:
        return session.infer(images)


@pytest.fixture(scope="module")
def open_recipe_exporter(
    package: MakePackage, calibration: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> OpenExporter:
    """(backend, architecture) → an exporter; all share one cache, as a search's tries do."""
    cache = tmp_path_factory.mktemp("recipes")

    def opened(backend: str, architecture: str = "yolo11n", images: Any = None) -> RecipeExporter:
        given = calibration if images is None else images
        return catalogue.open_recipe_exporter(backend, package(architecture), given, cache)

    return opened


def no_calibrating(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("calibrated anew")

    monkeypatch.setattr(openvino_quantisation, "quantise", refuse)
    monkeypatch.setattr(onnx_quantisation, "save_ranges", refuse)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_float_but_the_tail_is_what_an_export_makes(
    open_recipe_exporter: OpenExporter,
    package: MakePackage,
    images: np.ndarray,
    tmp_path: Path,
    backend: str,
) -> None:
    with open_recipe_exporter(backend) as exporter:
        made = exporter.make(MINMAX, tmp_path / "made")
    exported = package("yolo11n", backend, "int8", "static", "minmax")
    np.testing.assert_allclose(
        outputs(made, images), outputs(exported, images), rtol=1e-4, atol=1e-3
    )
    assert made.spec.variant == f"{backend}_int8"
    assert abs(made.size_bytes / exported.size_bytes - 1) < 0.02
    assert made.spec.class_names == exported.spec.class_names


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_package_says_how_it_was_made(
    open_recipe_exporter: OpenExporter, tmp_path: Path, backend: str
) -> None:
    with open_recipe_exporter(backend) as exporter:
        recipe = Recipe(("attention", "heads"), calibration_method="minmax")
        lineage = exporter.make(recipe, tmp_path / "made").spec.lineage
    assert lineage["recipe_label"] == "minmax mixed, 2 groups float"
    assert lineage["recipe_digest"] == recipe.digest
    assert lineage["float_groups"] == "attention, heads"
    assert lineage["calibration_method"] == "minmax"
    assert "minmax" in lineage["calibration_method_used"]
    assert lineage["calibration_images"] == "4"
    assert len(lineage["calibration_digest"]) == 64
    assert lineage["bias_correction"] == {"onnx": "none", "openvino": "nncf fast"}[backend]
    assert lineage["recipe"] == "detection-tail-float"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_second_exporter_calibrates_and_traces_nothing(
    open_recipe_exporter: OpenExporter,
    tmp_path: Path,
    backend: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open_recipe_exporter(backend) as exporter:
        first = exporter.make(MINMAX, tmp_path / "first")
        groups = exporter.groups
    no_calibrating(monkeypatch)
    monkeypatch.setattr(interchange, "to_onnx", None)
    with open_recipe_exporter(backend) as exporter:
        assert exporter.groups == groups
        again = exporter.make(MINMAX, tmp_path / "again")
        exporter.make(Recipe((groups[0].name,), calibration_method="minmax"), tmp_path / "other")
    assert again.spec.lineage == first.spec.lineage


@pytest.mark.parametrize("backend", BACKENDS)
def test_other_images_or_another_method_are_another_calibration(
    open_recipe_exporter: OpenExporter,
    calibration: list[np.ndarray],
    tmp_path: Path,
    backend: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open_recipe_exporter(backend) as exporter:
        exporter.make(MINMAX, tmp_path / "first")
    no_calibrating(monkeypatch)
    for number, (images, recipe) in enumerate(
        [(calibration[:3], MINMAX), (calibration, Recipe(calibration_method="percentile"))]
    ):
        with (
            open_recipe_exporter(backend, images=images) as exporter,
            pytest.raises(BackendError, match="calibrated anew"),
        ):
            exporter.make(recipe, tmp_path / str(number))
        assert not (tmp_path / str(number)).exists(), "complete or not at all"


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_another_version_of_ours_kept_is_not_taken(
    open_recipe_exporter: OpenExporter,
    tmp_path: Path,
    backend: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open_recipe_exporter(backend) as exporter:
        exporter.make(MINMAX, tmp_path / "first")
    no_calibrating(monkeypatch)
    monkeypatch.setattr(kept_work, "__version__", "99.0")
    with (
        open_recipe_exporter(backend) as exporter,
        pytest.raises(BackendError, match="calibrated anew"),
    ):
        exporter.make(MINMAX, tmp_path / "again")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_calibration_that_fails_leaves_nothing_in_the_cache(
    package: MakePackage,
    calibration: list[np.ndarray],
    tmp_path: Path,
    backend: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    no_calibrating(monkeypatch)
    cache = tmp_path / "cache"
    with catalogue.open_recipe_exporter(backend, package(), calibration, cache) as exporter:
        with pytest.raises(BackendError, match="calibrated anew"):
            exporter.make(MINMAX, tmp_path / "made")
        assert [path.name.partition("-")[0] for path in cache.iterdir()] == ["graph"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_that_is_unknown_in_a_recipe_is_said_at_once(
    open_recipe_exporter: OpenExporter, tmp_path: Path, backend: str
) -> None:
    recipe = Recipe(("atention", "part 9 of 8"), preset="fast", calibration_method="kl")
    with open_recipe_exporter(backend) as exporter, pytest.raises(ConfigurationError) as caught:
        exporter.make(recipe, tmp_path / "made")
    assert len(caught.value.problems) == 4
    assert "did you mean 'attention'" in str(caught.value)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_recipe_must_leave_something_to_quantise(
    open_recipe_exporter: OpenExporter, tmp_path: Path, backend: str
) -> None:
    with open_recipe_exporter(backend) as exporter:
        names = tuple(group.name for group in exporter.groups)
        with pytest.raises(ConfigurationError, match="export the detector as fp32 or fp16"):
            exporter.make(Recipe(names, calibration_method="minmax"), tmp_path / "made")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "architecture"), [("onnx", "yolo11n"), ("openvino", "yolo26n")]
)
def test_sensitivity_tells_a_share_for_every_group(
    open_recipe_exporter: OpenExporter, backend: str, architecture: str
) -> None:
    told: list[tuple[int, int]] = []
    with open_recipe_exporter(backend, architecture) as exporter:
        shares = exporter.sensitivity(MINMAX, lambda done, total: told.append((done, total)))
        groups = [group.name for group in exporter.groups]
    assert list(shares) == groups
    assert told == [(done, len(groups)) for done in range(1, len(groups) + 1)]
    assert all(share < 1 for share in shares.values())
    assert len(set(shares.values())) > 1, "some groups harm more than others"
    with open_recipe_exporter(backend, architecture) as exporter:
        again = exporter.sensitivity(MINMAX, lambda *_: pytest.fail("measured before"))
    assert again == shares


GROUPS = tuple(f"activations {n} of 8" for n in range(1, 9))
HARDSWISH = ActivationChange.of(GROUPS)
MIXED = ActivationChange(
    tuple((name, "relu" if number % 2 else "hardswish") for number, name in enumerate(GROUPS))
)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("backend", "architecture", "change", "label"),
    [
        ("onnx", "yolo11n", MIXED, "hardswish in 4 groups and relu in 4"),
        ("openvino", "yolo26n", HARDSWISH, "hardswish in 8 groups"),
    ],
)
def test_a_recipe_with_other_activations_is_made_of_the_changed_network(
    open_recipe_exporter: OpenExporter,
    images: np.ndarray,
    tmp_path: Path,
    backend: str,
    architecture: str,
    change: ActivationChange,
    label: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All SiLU gone from the graph, and made once: a second exporter measures nothing."""
    given = list(draw_images(16, seed=2))
    recipe = Recipe(calibration_method="minmax", activations=change)
    with open_recipe_exporter(backend, architecture, given) as exporter:
        made = exporter.make(recipe, tmp_path / "made")
        plain = exporter.make(MINMAX, tmp_path / "plain")
        changed = outputs(exporter.changed_source(change), images)
        kinds = kinds_of(made)
        assert "HardSwish" in kinds or "HSwish" in kinds or "HardSigmoid" in kinds
        assert "Swish" not in kinds
        assert "Relu" not in kinds, "a convolution's rounding does them"
        assert kinds["Sigmoid"] in (1, 3)  # class scores, together or level by level
        assert "HSwish" not in kinds_of(plain)
    assert not np.allclose(outputs(made, images), outputs(plain, images), atol=1e-3)
    if made.spec.output == "grid":  # which boxes an end-to-end head takes is chance, untrained
        errors = [output_error(changed, outputs(each, images), "grid") for each in (made, plain)]
        assert errors[0] < 0.5 * errors[1]
    done = NetworkChange.from_lineage(made.spec.lineage)
    assert done is not None and done.changed == done.in_all and done.images == 16
    assert done.kinds == change.kinds
    assert made.spec.lineage["recipe_digest"] == recipe.digest != MINMAX.digest
    assert made.spec.lineage["source_digest"] == plain.spec.lineage["source_digest"]
    assert made.spec.lineage["recipe_label"] == f"minmax mixed, {label}"
    no_calibrating(monkeypatch)
    monkeypatch.setattr(activations, "change_activations", None)
    with open_recipe_exporter(backend, architecture, given) as exporter:
        again = exporter.make(recipe, tmp_path / "again")
    assert again.spec.lineage == made.spec.lineage
    np.testing.assert_array_equal(outputs(again, images), outputs(made, images))


def kinds_of(package: DetectorPackage) -> Counter[str]:
    """Kinds of operations in a package's graph."""
    if package.spec.backend == "onnx":
        import onnx

        graph = onnx.load(str(package.weights_path)).graph
        return Counter(node.op_type for node in graph.node)
    import openvino

    model = openvino.Core().read_model(str(package.weights_path))
    return Counter(node.get_type_name() for node in model.get_ordered_ops())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_activations_harm_and_save_is_measured_once(
    open_recipe_exporter: OpenExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activations, "PARTS", 2)  # each is made and measured alone
    given = list(draw_images(16, seed=2))
    timed: list[str] = []

    def time(packages: Mapping[str, DetectorPackage]) -> dict[str, float]:
        assert all(package.spec.variant == "onnx_int8" for package in packages.values())
        timed.extend(packages)
        return {name: 10.0 - number for number, name in enumerate(packages)}

    def busy(_: object) -> dict[str, float]:
        raise BackendError("busy")

    with open_recipe_exporter("onnx", "yolo11n", given) as exporter:
        names = [group.name for group in exporter.activation_groups]
        with pytest.raises(BackendError, match="busy"):
            exporter.activation_gain("hardswish", busy, "this machine")
        gain = exporter.activation_gain("hardswish", time, "this machine")
        harm = exporter.activation_harm("hardswish")
    assert len(names) == 2 and timed == ["", *names]
    assert gain == {name: pytest.approx(number / 10) for number, name in enumerate(names, 1)}
    assert list(harm) == names and all(value > 0 for value in harm.values())
    with open_recipe_exporter("onnx", "yolo11n", given) as exporter:
        refuse = lambda *_: pytest.fail("measured before")  # noqa: E731
        assert exporter.activation_gain("hardswish", refuse, "this machine") == gain
        assert exporter.activation_harm("hardswish", refuse) == harm


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_network_that_was_trained_on_is_what_is_made_and_is_trained_once(
    open_recipe_exporter: OpenExporter, images: np.ndarray, tmp_path: Path
) -> None:
    """Of the changed network, beside the original; another set of images trains anew."""
    import torch

    trained: list[np.ndarray] = []

    def distil(network: Any, original: Any, wanted: Distillation) -> tuple[int, dict[str, str]]:
        assert any(isinstance(each, torch.nn.Hardswish) for each in network.modules())
        assert not any(isinstance(each, torch.nn.Hardswish) for each in original.modules())
        norm = next(m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d))
        with torch.no_grad():
            norm.bias += 0.5
            batch = torch.from_numpy(images.transpose(0, 3, 1, 2)).float() / 255
            trained.append(network(batch)[0].numpy())
        return 24, {"distillation_steps": "7"}

    change = replace(HARDSWISH, distillation=Distillation(minutes=3))
    recipe = Recipe(calibration_method="minmax", activations=change)
    plain = Recipe(calibration_method="minmax", activations=HARDSWISH)
    assert recipe.digest != plain.digest and "trained on" in recipe.label
    given = list(draw_images(16, seed=2))
    with open_recipe_exporter("onnx", "yolo11n", given) as exporter:
        with pytest.raises(ConfigurationError, match="need a distiller"):
            exporter.make(recipe, tmp_path / "without")
        source = exporter.changed_source(change, Distiller(distil, "of these"))
        made = exporter.make(recipe, tmp_path / "made", Distiller(distil, "of these"))
        untrained = exporter.make(plain, tmp_path / "untrained")
    assert len(trained) == 1
    # The network in the checkpoint, in a float file for a box, and in the INT8 one. Values go to
    # hundreds of pixels; processors differ in the order they add in.
    np.testing.assert_allclose(outputs(source, images), trained[0], rtol=1e-3, atol=0.1)
    exported = catalogue.get_backend("onnx").export(
        source, ExportRequest("fp32"), tmp_path / "exported"
    )
    np.testing.assert_allclose(outputs(exported, images), trained[0], rtol=1e-3, atol=0.1)
    both = [float(np.abs(outputs(p, images) - trained[0]).mean()) for p in (made, untrained)]
    assert both[0] < both[1]
    change_made = NetworkChange.from_lineage(made.spec.lineage)
    assert change_made is not None and change_made.distilled == 24
    assert made.spec.lineage["distillation_steps"] == "7"
    with open_recipe_exporter("openvino", "yolo11n", given) as exporter:
        again = exporter.changed_source(change, Distiller(distil, "of these"))
    assert len(trained) == 1 and again.files_digest == source.files_digest, "for every backend"
    with open_recipe_exporter("onnx", "yolo11n", given) as exporter:
        exporter.changed_source(change, Distiller(distil, "of others"))
        assert len(trained) == 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_unknown_activations_and_too_few_images_are_refused(
    open_recipe_exporter: OpenExporter, tmp_path: Path, backend: str
) -> None:
    with open_recipe_exporter(backend) as exporter:
        change = ActivationChange.of(("activation 1 of 8",), "hardswsh")
        with pytest.raises(ConfigurationError) as caught:
            exporter.make(Recipe(activations=change), tmp_path / "made")
        assert len(caught.value.problems) == 2
        assert "did you mean 'activations 1 of 8'" in str(caught.value)
        assert "did you mean 'hardswish'" in str(caught.value)
        with pytest.raises(ConfigurationError, match=r"16 train images at least.*there are 4"):
            exporter.make(Recipe(activations=HARDSWISH), tmp_path / "made")
        assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("backend", BACKENDS)
def test_closing_removes_work_files_and_a_exporter_needs_images_and_pytorch(
    package: MakePackage,
    calibration: list[np.ndarray],
    tmp_path: Path,
    backend: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with catalogue.open_recipe_exporter(
        backend, package(), calibration, tmp_path / "cache"
    ) as exporter:
        assert exporter.groups
        assert len(list(tmp_path.iterdir())) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    with pytest.raises(ConfigurationError, match="needs calibration images"):
        catalogue.open_recipe_exporter(backend, package(), [], tmp_path)
    with pytest.raises(ConfigurationError, match="starts from a PyTorch detector"):
        catalogue.open_recipe_exporter(backend, package("yolo11n", "onnx"), calibration, tmp_path)


def test_a_cache_that_can_t_be_written_is_named(
    package: MakePackage, calibration: list[np.ndarray], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        catalogue.open_recipe_exporter(
            "onnx", package(), calibration, tmp_path / "file"
        ) as exporter,
        pytest.raises(ConfigurationError, match=r"the cache must be a directory.*name another"),
    ):
        exporter.make(MINMAX, tmp_path / "made")


@pytest.mark.parametrize("backend", ["pytorch", "native", "tensorrt"])
def test_backends_without_an_exporter_are_refused_and_those_with_one_named(
    package: MakePackage, calibration: list[np.ndarray], tmp_path: Path, backend: str
) -> None:
    with pytest.raises(BackendUnavailableError, match="needs one of onnx, openvino"):
        catalogue.open_recipe_exporter(backend, package(), calibration, tmp_path)
