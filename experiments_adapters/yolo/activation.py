"""A network of another activation, as Ultralytics builds it.

Ultralytics builds every network that it trains anew from a description, also where weights are
given: they are put into it afterwards. So the activation must stand in the description.
"""

from __future__ import annotations

from pathlib import Path

ACTIVATIONS = {
    "silu": "torch.nn.SiLU()",
    "hardswish": "torch.nn.Hardswish()",
    "relu": "torch.nn.ReLU()",
    "relu6": "torch.nn.ReLU6()",
}
"""Our name → as a description says it."""


def described_with(activation: str, source: str, folder: Path) -> str:
    """The source to build from: a description written into `folder`; weights stay what they are.

    Args:
        source: a .yaml, or a .pt, which brings its description along in memory.
        folder: made where it is missing.
    """
    from ultralytics.nn.tasks import yaml_model_load
    from ultralytics.utils import YAML

    if source.endswith(".pt"):
        return source
    description = yaml_model_load(source)
    description["activation"] = ACTIVATIONS[activation]
    folder.mkdir(parents=True, exist_ok=True)
    # The size of the network is read off the file's name.
    file = folder / Path(source).name
    YAML.save(file, description)
    return str(file)
