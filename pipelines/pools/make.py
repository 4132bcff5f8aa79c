"""The pool that `--executor` and `--parallel` ask for."""

from __future__ import annotations

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.system import gpu_list
from guardianflow.support.suggestions import did_you_mean

from ..stage.executor import LocalExecutor
from .local import LocalPool
from .port import Needs, StagePool

LOCAL, RAY = "local", "ray"
EXECUTORS = (LOCAL, RAY, "ray://HOST:PORT")


def pool_for(executor: str, parallel: int | None, local: LocalExecutor) -> StagePool:
    """The pool for a command.

    Args:
        executor: '' or 'local': processes of this machine; 'ray': the Ray cluster of RAY_ADDRESS,
            else the one last started on this machine, else one of this machine alone;
            'ray://HOST:PORT': that one.
        parallel: how many stages at once; None leaves it to the pool.
        local: runs one stage on this machine.

    Raises:
        ConfigurationError: there is no such executor; `parallel` is below 1; no cluster answers;
            Ray is not installed.
        ClusterError: a cluster could not be started on this machine.
    """
    if parallel is not None and parallel < 1:
        raise ConfigurationError(f"--parallel must be 1 or more but got {parallel}")
    check_executor(executor)
    if is_local(executor):
        return LocalPool(local, parallel)
    from .cluster.pool import RayPool

    return RayPool("" if executor == RAY else executor, parallel)


def is_local(executor: str) -> bool:
    return executor in ("", LOCAL)


def check_executor(executor: str) -> None:
    """Raises ConfigurationError: there is none of that name."""
    if is_local(executor) or executor == RAY or executor.startswith(f"{RAY}://"):
        return
    hint = did_you_mean(executor, EXECUTORS)
    raise ConfigurationError(
        f"--executor must be one of {', '.join(EXECUTORS)} but got '{executor}'{hint}"
    )


def needs_of(device: str, pool: StagePool) -> Needs:
    """What a stage needs whose scenario names this `environment.device`.

    A GPU that is named by its number is the one that is used, by every stage: nothing is divided.
    Several are taken together with all others: their numbers are the machine's.
    """
    if gpu_list(device):
        return Needs(gpus=float(pool.gpus))
    takes_any_gpu = device.strip().lower() in ("auto", "cuda")
    return Needs(gpus=1.0 if takes_any_gpu and pool.gpus else 0.0)
