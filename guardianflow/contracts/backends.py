"""The entry that makes an inference backend known to every room: what it can do, as data.

Whoever chooses, checks or explains a backend reads it here. So a new backend is one file, which
implements `contracts.ports.Backend`, and one entry: in guardianflow/backends/catalogue.py, or,
where it has a package of its own, an entry point of the group ENTRY_POINTS. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SOURCE = "pytorch"
"""The backend that runs detectors as they were trained; every other one's files are made of its."""
ORIGINAL = f"{SOURCE}_fp32"
"""The variant that is the trained detector itself."""
DEFAULT = "openvino"
"""The backend that quantisation makes files for where nothing else is said."""
ENTRY_POINTS = "guardianflow.backends"


@dataclass(frozen=True)
class BackendInfo:
    """One backend, described.

    Args:
        name: as in DetectorSpec.backend.
        label: for people.
        library: module that runs the files.
        precisions: precision → int8 methods it can make; () where methods don't apply. 'qat'
            is made by its recipe exporter, not by an export.
        file_kind: suffix of the file it opens.
        module, class_name: where it is implemented: '.onnx.runtime' below guardianflow.backends,
            or an absolute name, of a package that must be installed wherever its files run.
        requirements: distributions needed to run (not to make) its files.
        install: command that installs them.
        aliases: what else people call it.
        distribution: whose version is that of the library; '' where it is called as the library.
        hardware: 'cpu' and 'cuda' (NVIDIA GPUs), as far as it runs on them.
        gpu_precisions: those that run on a GPU alone, though the backend runs on the CPU too.
        is_device: whether `environment.device` may name it, which leaves it the choice.
        recipe_exporter: module and class that make int8 packages by recipes; () for none.
        activations: those of `contracts.quantisation.ACTIVATIONS` that a search tries in place of
            SiLU, the one most like it first; () where its recipes change none.
        presets: those of `contracts.quantisation.PRESETS` that its recipes may have.
        reader: module and function that tell what a file says of itself; () where packages are
            made by its exports alone.
        pickled: whether its files are pickles, which may hold any code.
    """

    name: str
    label: str
    library: str
    precisions: Mapping[str, tuple[str, ...]]
    file_kind: str
    module: str
    class_name: str
    requirements: tuple[str, ...]
    install: str
    aliases: tuple[str, ...] = ()
    distribution: str = ""
    hardware: tuple[str, ...] = ("cpu",)
    gpu_precisions: tuple[str, ...] = ()
    is_device: bool = False
    recipe_exporter: tuple[str, ...] = ()
    activations: tuple[str, ...] = ()
    presets: tuple[str, ...] = ("mixed",)
    reader: tuple[str, ...] = ()
    pickled: bool = False

    def supports(self, precision: str, method: str = "static") -> bool:
        """Whether it can export this precision (and, for int8, by this method)."""
        methods = self.precisions.get(precision)
        return methods is not None and (not methods or method in methods)

    @property
    def trainable(self) -> bool:
        """Whether its quantised networks can be trained on (QAT)."""
        return self.supports("int8", "qat")

    @property
    def searchable(self) -> bool:
        """Whether its int8 recipes can be searched."""
        return bool(self.recipe_exporter)

    @property
    def changes_activations(self) -> bool:
        """Whether its int8 recipes can have other activations than the trained network."""
        return bool(self.activations)

    def needs_gpu(self, precision: str) -> bool:
        """Whether this precision runs on a GPU alone."""
        return "cpu" not in self.hardware or precision in self.gpu_precisions


@dataclass(frozen=True)
class BackendRuntime:
    """The module and requirements that run a backend's files on another machine.

    Args:
        module: as in BackendInfo.
        requirements: what to install there, as pip takes it.
    """

    module: str
    requirements: tuple[str, ...]
