"""INT8 for ONNX Runtime by recipes: ranges are measured once, and nodes are left out by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ...contracts.errors import BackendUnavailableError
from ...contracts.quantisation import LayerGroup, Recipe
from ...contracts.results import DetectorPackage
from .. import exporting
from ..quantisation import detection_tail as recipes
from ..quantisation.calibration import how_done
from ..quantisation.layer_groups import layer_groups, operations_of
from ..quantisation.recipe_exporter import BaseRecipeExporter
from . import quantisation as onnx_quantisation
from .kept_float import always_float, structure_of
from .runtime import WEIGHTS

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray

RANGES = "ranges.json"


class OnnxRecipeExporter(BaseRecipeExporter):
    """Makes ONNX packages by recipes; see `contracts.quantisation.RecipeExporter`.

    Activations are asymmetric uint8 in every recipe: its kernels are slow at symmetric int8 (67
    against 21 ms, see onnx_quantisation), so preset 'performance' is refused. ONNX Runtime
    corrects no biases; recipes with and without it give the same model, and the lineage says
    'none'.
    """

    backend = "onnx"
    float_weights = "prepared.onnx"
    weights = WEIGHTS
    libraries = ("onnxruntime",)

    def __init__(
        self, source: DetectorPackage, calibration: Sequence[ImageArray], cache_dir: Path
    ) -> None:
        super().__init__(source, calibration, cache_dir)
        exporting.require(
            "onnxruntime.quantization", "int8 for ONNX Runtime", onnx_quantisation.INSTALL
        )

    @cached_property
    def groups(self) -> tuple[LayerGroup, ...]:
        return layer_groups(self._graph)

    @cached_property
    def _graph(self) -> recipes.Graph:
        with exporting.foreign_errors("reading the float network"):
            return structure_of(self._float_weights())

    def check(self, recipe: Recipe) -> None:
        super().check(recipe)
        if recipe.preset != "mixed":
            raise BackendUnavailableError(
                f"ONNX Runtime makes recipes of preset 'mixed' but got '{recipe.preset}': its CPU "
                "kernels are three times slower with symmetric int8 activations; use 'mixed', or "
                "the openvino backend"
            )

    def _prepare(self, graph: Path, target: Path) -> None:
        with exporting.foreign_errors("preparing the ONNX graph for int8"):
            onnx_quantisation.prepare(graph, target)

    def _ranges(self, recipe: Recipe) -> Path:
        """The file of ranges by the recipe's method; preset and bias correction don't matter."""

        def measure(folder: Path) -> None:
            with exporting.foreign_errors(f"calibrating by {recipe.calibration_method}"):
                onnx_quantisation.save_ranges(
                    self._float_weights(),
                    folder / RANGES,
                    recipe.calibration_method,
                    self._images,
                    self.work_dir(),
                )

        used = onnx_quantisation.calibration_used(recipe.calibration_method)
        return self.cached("calibration", measure, used) / RANGES

    def _make(self, recipe: Recipe, destination: Path) -> DetectorPackage:
        chosen, method = operations_of(self.groups, recipe.float_groups), recipe.calibration_method

        def write(target: Path) -> tuple[Mapping[str, str], Mapping[str, str]]:
            ranges = self._ranges(recipe)
            with exporting.foreign_errors(f"making ONNX int8 '{recipe.label}'"):
                kept = onnx_quantisation.quantise_prepared(
                    self._float_weights(), target, ranges, method, chosen
                )
            facts = {
                "bias_correction": "none",
                "float_convolutions": self._float_convolutions(chosen),
            }
            return how_done(onnx_quantisation.calibration_used(method), kept), facts

        return self._package(recipe, destination, write)

    def _float_convolutions(self, chosen: frozenset[str]) -> str:
        """'14 of 87', those of the detection tail not counted."""
        every = set(recipes.operations_of_kind(self._graph, recipes.CONVOLUTIONS))
        every -= set(recipes.detection_tail(self._graph))
        kept = every & (chosen | set(always_float(self._float_weights())))
        return f"{len(kept)} of {len(every)}"
