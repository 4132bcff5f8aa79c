"""Parameters and operations: what Ultralytics counts, and what an export still knows."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from guardianflow.backends.weights import model_figures, ultralytics_models
from guardianflow.backends.weights.model_figures import figures_from_lineage
from guardianflow.backends.weights.packages import package_from_weights
from guardianflow.contracts.errors import BackendError
from guardianflow.contracts.results import DetectorPackage

MakePackage = Callable[..., DetectorPackage]
MakeWeights = Callable[[str], Path]


@pytest.mark.parametrize(
    ("architecture", "parameters_m", "flops_g"),
    # As Ultralytics publishes them for 80 classes at 640 pixels.
    [("yolo11n", 2.6, 6.5), ("yolo11s", 9.4, 21.5), ("yolo26n", 2.4, 5.4)],
)
def test_the_figures_are_the_published_ones(
    tmp_path: Path, architecture: str, parameters_m: float, flops_g: float
) -> None:
    ultralytics_models.import_ultralytics()
    import torch
    from ultralytics.nn.tasks import DetectionModel

    model = DetectionModel(f"{architecture}.yaml", nc=80, verbose=False)
    model.names = {i: f"thing {i}" for i in range(80)}
    file = tmp_path / "model.pt"
    torch.save({"model": model.half(), "train_args": {}}, file)
    figures = figures_from_lineage(
        package_from_weights(file, tmp_path / "made", input_size=640).spec
    )
    assert figures["sys.model_params_m"] == pytest.approx(parameters_m, abs=0.05)
    assert figures["sys.model_flops_g"] == pytest.approx(flops_g, abs=0.1)


@pytest.mark.parametrize("architecture", ["yolo11n", "yolo12n", "yolo26n", "yolov10n"])
def test_the_figures_are_those_of_the_model_as_it_runs(
    package: MakePackage, architecture: str
) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    made = package(architecture)
    model = ultralytics_models.load_detector(made.weights_path)
    model = ultralytics_models.prepare(model, made.spec.output, made.spec.input_size)
    counter = FlopCounterMode(display=False)
    import torch

    with counter:
        model(torch.zeros(1, 3, made.spec.input_size, made.spec.input_size))
    assert figures_from_lineage(made.spec, "sys.original.") == {
        "sys.original.model_params_m": sum(p.numel() for p in model.parameters()) / 1e6,
        "sys.original.model_flops_g": counter.get_total_flops() / 1e9,
    }


def test_flops_grow_with_the_image_and_parameters_don_t(
    weights: MakeWeights, tmp_path: Path
) -> None:
    small, large = (
        figures_from_lineage(
            package_from_weights(weights("yolov8n"), tmp_path / str(side), input_size=side).spec
        )
        for side in (160, 320)
    )
    assert large["sys.model_params_m"] == small["sys.model_params_m"]
    assert large["sys.model_flops_g"] == pytest.approx(4 * small["sys.model_flops_g"], rel=0.01)


@pytest.mark.parametrize(("backend", "precision"), [("onnx", "fp32"), ("openvino", "fp32")])
def test_an_export_has_the_figures_of_its_source(
    package: MakePackage, backend: str, precision: str
) -> None:
    exported = package("yolo11n", backend, precision)
    figures = figures_from_lineage(exported.spec)
    assert figures.keys() == {"sys.model_params_m", "sys.model_flops_g"}
    assert figures == figures_from_lineage(package("yolo11n").spec)


def test_a_file_of_another_kind_has_no_figures(package: MakePackage, tmp_path: Path) -> None:
    given = package("yolo11n", "onnx", "fp32").weights_path
    made = package_from_weights(given, tmp_path / "made", input_size=160)
    assert figures_from_lineage(made.spec) == {}


def test_a_model_that_can_t_be_counted_is_a_detector_all_the_same(
    weights: MakeWeights,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_: object) -> dict[str, int]:
        raise BackendError("an operator without a shape")

    monkeypatch.setattr(model_figures, "_count", refuse)
    with caplog.at_level(logging.WARNING):
        made = package_from_weights(weights("yolo11n"), tmp_path / "made", input_size=160)
    assert figures_from_lineage(made.spec) == {}
    assert "an operator without a shape" in caplog.text


def test_counting_imports_no_compiler(weights: MakeWeights, tmp_path: Path) -> None:
    """torch._dynamo takes seconds to import, and whoever infers never needs it."""
    code = (
        "import sys; from pathlib import Path\n"
        "from guardianflow.backends.weights.packages import package_from_weights\n"
        f"made = package_from_weights(Path({str(weights('yolo11n'))!r}), "
        f"Path({str(tmp_path / 'made')!r}), input_size=160)\n"
        "assert 'flops' in made.spec.lineage\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_products_of_a_form_not_known_are_counted_by_pytorch(package: MakePackage) -> None:
    """A layer of somebody's own: an einsum, and a convolution with its padding in words."""
    import torch
    from torch import nn
    from torch.utils.flop_counter import FlopCounterMode

    class Mixing(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner, self.same = inner, nn.Conv2d(3, 3, 3, padding="same")
            self.i, self.f, self.type = inner.i, inner.f, inner.type

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(torch.einsum("nchw,cd->ndhw", self.same(x), torch.eye(3).to(x)))

    model = ultralytics_models.load_detector(package("yolo11n").weights_path)
    model.model[0] = Mixing(model.model[0])
    figures = model_figures.lineage_figures(model, "mixed.pt", "grid", 160)
    model = ultralytics_models.load_detector(package("yolo11n").weights_path)
    model.model[0] = Mixing(model.model[0])
    model = ultralytics_models.prepare(model, "grid", 160)
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, 160, 160))
    assert figures["flops"] == str(counter.get_total_flops())
