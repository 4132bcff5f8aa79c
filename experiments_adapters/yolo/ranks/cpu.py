"""Ranks on CPUs, connected by gloo: to try a training of several ranks where there are no GPUs.

Ultralytics trains on a CPU in one process alone; what stands in the way is put aside here. It makes
nothing faster, and no scenario can ask for it.
"""

from __future__ import annotations

import os
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch


@cache
def cpu_trainer() -> type[Any]:
    """Ultralytics' trainer, as one of WORLD_SIZE ranks on the CPU."""
    import torch
    from torch import distributed
    from ultralytics.engine import validator
    from ultralytics.models.yolo.detect import DetectionTrainer

    data_parallel, reduce = torch.nn.parallel.DistributedDataParallel, distributed.reduce
    open_model = validator.AutoBackend

    def without_number(module: Any, **options: Any) -> Any:
        del options["device_ids"]
        return data_parallel(module, **options)

    def mean_by_sum(tensor: Any, dst: int, op: Any = distributed.ReduceOp.SUM) -> None:
        mean = op == distributed.ReduceOp.AVG  # which gloo does not have
        reduce(tensor, dst, distributed.ReduceOp.SUM if mean else op)
        if mean:
            tensor /= distributed.get_world_size()

    def open_on_cpu(*args: Any, **options: Any) -> Any:
        return open_model(*args, **{**options, "device": torch.device("cpu")})

    class CpuTrainer(DetectionTrainer):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.world_size = int(os.environ["WORLD_SIZE"])

        def _setup_ddp(self) -> None:
            distributed.init_process_group("gloo")

        def _do_train(self) -> None:
            no_gpu = SimpleNamespace(current_device=lambda: 0)
            with (
                patch.object(torch.nn.parallel, "DistributedDataParallel", without_number),
                patch.object(distributed, "reduce", mean_by_sum),
                patch.object(validator, "AutoBackend", open_on_cpu),
                patch.object(validator, "get_torch_device_backend", lambda _: no_gpu),
            ):
                super()._do_train()

    return CpuTrainer
