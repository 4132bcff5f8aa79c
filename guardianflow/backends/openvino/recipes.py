"""INT8 for OpenVINO by recipes: calibrated once, then groups of layers are put back to float.

    float.xml ── NNCF calibrates ──→ calibrated.xml ── per recipe ──→ model.xml
                 (minutes, cached)   float weights      groups put back to float,
                                     behind quantisers  weights compressed (seconds)

Putting an operation back takes away the quantisers of its inputs. A quantised tensor that others
read too, and one that is concatenated or added to it, must go with it: they share one scale. So a
group floats at least its own layers and often some neighbours; NNCF finds which, and the lineage
counts the convolutions that are float in the end.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ...contracts.errors import BackendError
from ...contracts.quantisation import LayerGroup, Recipe, Train
from ...contracts.results import DetectorPackage
from .. import exporting
from ..quantisation import detection_tail as recipes
from ..quantisation.layer_groups import layer_groups, operations_of
from ..quantisation.recipe_exporter import BaseRecipeExporter
from . import quantisation as openvino_quantisation
from . import runtime as openvino_runtime

if TYPE_CHECKING:
    from ...contracts.ports import ImageArray

CALIBRATED, TRAINED, FACTS = "calibrated.xml", "trained.xml", "facts.json"
# Between a convolution and its weights' quantiser: a group convolution's weights are reshaped.
WEIGHT_PATH = recipes.REARRANGEMENTS


class OpenvinoRecipeExporter(BaseRecipeExporter):
    """Makes OpenVINO packages by recipes; see `contracts.quantisation.RecipeExporter`."""

    backend = "openvino"
    float_weights = "float.xml"
    weights = openvino_runtime.WEIGHTS
    libraries = ("openvino", "nncf")

    def __init__(
        self, source: DetectorPackage, calibration: Sequence[ImageArray], cache_dir: Path
    ) -> None:
        super().__init__(source, calibration, cache_dir)
        self._openvino = openvino_runtime.library()
        self._nncf = openvino_quantisation.require_nncf()
        self._core = self._openvino.Core()
        self._calibrated: dict[str, CalibratedNetwork] = {}

    @cached_property
    def groups(self) -> tuple[LayerGroup, ...]:
        return layer_groups(recipes.graph_of_openvino(self._float))

    def close(self) -> None:
        """Remove work files and let go of the networks; calibrations in the cache stay."""
        self._calibrated.clear()
        self.__dict__.pop("_float", None)
        super().close()

    @cached_property
    def _float(self) -> Any:
        with exporting.foreign_errors("reading the float network with OpenVINO"):
            return self._core.read_model(str(self._float_weights()))

    def _prepare(self, graph: Path, target: Path) -> None:
        from nncf.openvino.graph.model_utils import remove_friendly_name_duplicates

        with exporting.foreign_errors("OpenVINO conversion"):
            model = openvino_runtime.convert(self._openvino, graph)
            # NNCF would rename what shares a name only when it quantises: groups go by names.
            model = remove_friendly_name_duplicates(model)
            self._openvino.save_model(model, str(target), compress_to_fp16=False)

    def calibrated(self, recipe: Recipe) -> CalibratedNetwork:
        """The network with every group quantised, by the recipe's ranges; from the cache if there.

        Raises:
            BackendError: calibrating failed.
        """
        key = recipe.calibration_key
        if key not in self._calibrated:
            fill = partial(self._calibrate, recipe)
            folder = self.cached("calibration", fill, key)
            with exporting.foreign_errors(
                f"reading {folder} (remove that directory to calibrate anew)"
            ):
                model = self._core.read_model(str(folder / CALIBRATED))
                done = json.loads((folder / FACTS).read_text(encoding="utf-8"))
                self._calibrated[key] = CalibratedNetwork.read(model, self._float, done)
        return self._calibrated[key]

    def _calibrate(self, recipe: Recipe, folder: Path) -> None:
        with exporting.foreign_errors(f"calibrating by {recipe.calibration_key}"):
            model, done = openvino_quantisation.quantise(
                self._nncf,
                self._float,
                self._images,
                recipe.calibration_method,
                preset=recipe.preset,
                bias_correction=recipe.bias_correction,
                compress_weights=False,
            )
            self._openvino.save_model(model, str(folder / CALIBRATED), compress_to_fp16=False)
            (folder / FACTS).write_text(json.dumps(done), encoding="utf-8")

    def _make(self, recipe: Recipe, destination: Path) -> DetectorPackage:
        calibrated = self.calibrated(recipe)
        with exporting.foreign_errors(f"making OpenVINO int8 '{recipe.label}'"):
            model = calibrated.with_float(operations_of(self.groups, recipe.float_groups))
        return self._packed(recipe, model, destination)

    def _make_trained(
        self, recipe: Recipe, destination: Path, train: Train, data: str
    ) -> DetectorPackage:
        def fill(folder: Path) -> None:
            model, facts = self._train(recipe, train)
            self._openvino.save_model(model, str(folder / TRAINED), compress_to_fp16=False)
            (folder / FACTS).write_text(json.dumps(dict(facts)), encoding="utf-8")

        folder = self.cached("training", fill, json.dumps([recipe.digest, data]))
        with exporting.foreign_errors(f"reading {folder} (remove that directory to train anew)"):
            model = self._core.read_model(str(folder / TRAINED))
            facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        return self._packed(recipe, model, destination, facts)

    def _train(self, recipe: Recipe, train: Train) -> tuple[Any, Mapping[str, str]]:
        # PyTorch is loaded for training alone: whoever only runs or calibrates does without.
        from .trainable_network import TrainableNetwork

        calibrated = self.calibrated(recipe)
        with exporting.foreign_errors(f"preparing '{recipe.label}' for training"):
            model = calibrated.with_float(operations_of(self.groups, recipe.float_groups))
            network = TrainableNetwork(model)
        facts = train(network)
        with exporting.foreign_errors(f"reading back what was trained by '{recipe.label}'"):
            return network.to_openvino(), facts

    def _packed(
        self,
        recipe: Recipe,
        model: Any,
        destination: Path,
        facts: Mapping[str, str] = MappingProxyType({}),
    ) -> DetectorPackage:
        """The package of a network whose weights are still float behind their quantisers."""
        from openvino._offline_transformations import compress_quantize_weights_transformation

        def write(target: Path) -> tuple[Mapping[str, str], Mapping[str, str]]:
            with exporting.foreign_errors(f"making OpenVINO int8 '{recipe.label}'"):
                quantised, every = quantised_convolutions(model), convolutions(model)
                if not quantised:
                    raise BackendError(
                        f"'{recipe.label}' leaves no convolution quantised, as neighbours of float "
                        "groups go with them; leave fewer groups float, or export as fp32 or fp16"
                    )
                compress_quantize_weights_transformation(model)
                openvino_runtime.save(self._openvino, model, self._source.spec, target, "int8")
            more = {
                "bias_correction": "nncf fast" if recipe.bias_correction else "none",
                "float_convolutions": f"{len(every) - len(quantised)} of {len(every)}",
            }
            return self.calibrated(recipe).done, more | dict(facts)

        return self._package(recipe, destination, write)


@dataclass(frozen=True, eq=False)
class CalibratedNetwork:
    """A quantised network whose weights are still float, and what can be put back to float in it.

    Args:
        model: openvino.Model; never changed.
        graph: NNCF's view of it; its nodes carry the float network's biases.
        cuts: quantisers that only go together, each with the operations that are float then.
        done: what calibrating did, for the lineage.
    """

    model: Any
    graph: Any
    cuts: tuple[Any, ...]
    done: dict[str, str]

    @classmethod
    def read(cls, model: Any, float_model: Any, done: dict[str, str]) -> CalibratedNetwork:
        from nncf.common.factory import build_graph
        from nncf.quantization.algorithms.accuracy_control.openvino_backend import (
            OVAccuracyControlAlgoBackend as Details,
        )
        from nncf.quantization.algorithms.accuracy_control.ranker import Ranker

        graph, float_graph = build_graph(model), build_graph(float_model)
        for node in float_graph.get_all_nodes():
            # Correction changed the biases; weights are as they were, so they need no keeping.
            if Details.is_node_with_bias(node, float_graph):
                bias = Details.get_bias_value(node, float_graph, float_model)
                graph.get_node_by_name(node.node_name).attributes["original_bias"] = bias
        # The rest of the ranker, which runs networks, is not used.
        ranker = Ranker(1, None, Details(), None)
        return cls(model, graph, tuple(ranker.find_groups_of_quantizers_to_rank(graph)), done)

    def with_float(self, operations: Collection[str]) -> Any:
        """A new openvino.Model in which at least these operations compute in float."""
        from nncf.common.quantization.quantizer_removal import (
            revert_operations_to_floating_point_precision,
        )
        from nncf.quantization.advanced_parameters import RestoreMode
        from nncf.quantization.algorithms.accuracy_control.openvino_backend import (
            OVAccuracyControlAlgoBackend as Details,
        )

        cuts = [
            cut for cut in self.cuts if any(node.node_name in operations for node in cut.operations)
        ]
        if not cuts:
            return self.model.clone()
        with exporting.loggers_to_log("nncf"), exporting.prints_to_log():
            return revert_operations_to_floating_point_precision(
                _each_once(node for cut in cuts for node in cut.operations),
                _each_once(node for cut in cuts for node in cut.quantizers),
                self.model,
                self.graph,
                RestoreMode.ACTIVATIONS_AND_WEIGHTS,
                Details.get_op_with_weights_metatypes(),
                Details.is_node_with_weight,
                Details.get_weight_tensor_port_ids,
            )


def convolutions(model: Any) -> list[str]:
    """Names of a network's convolutions, those of its detection tail left out."""
    graph = recipes.graph_of_openvino(model)
    tail = set(recipes.detection_tail(graph))
    return [n for n in recipes.operations_of_kind(graph, recipes.CONVOLUTIONS) if n not in tail]


def quantised_convolutions(model: Any) -> list[str]:
    """Names of the convolutions whose weights are quantised, in a network not yet compressed."""
    return [
        node.get_friendly_name()
        for node in model.get_ordered_ops()
        if node.get_type_name() in recipes.CONVOLUTIONS and _reads_quantiser(node)
    ]


def _reads_quantiser(convolution: Any) -> bool:
    node = convolution.input_value(1).get_node()
    while node.get_type_name() in WEIGHT_PATH:
        node = node.input_value(0).get_node()
    kind: str = node.get_type_name()
    return kind == "FakeQuantize"


def _each_once(nodes: Any) -> list[Any]:
    return list({node.node_name: node for node in nodes}.values())
