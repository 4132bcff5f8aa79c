"""The order of work: `create_runner(scenario).run()`, or `python -m pipelines.train` and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .registered_models.registry import ModelRegistry
    from .runner import create_runner

__all__ = ["ModelRegistry", "create_runner"]


def __getattr__(name: str) -> Any:
    """Import on first use: a worker of one stage needs none of the runners."""
    if name == "create_runner":
        from .runner import create_runner

        return create_runner
    if name == "ModelRegistry":
        from .registered_models.registry import ModelRegistry

        return ModelRegistry
    raise AttributeError(f"module 'pipelines' has no attribute '{name}'")
