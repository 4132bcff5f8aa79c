"""The part that sessions share: check what goes in and comes out, run calls side by side."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

import numpy as np

from ..contracts.errors import EvaluationError
from ..contracts.results import DetectorSpec, SessionInfo

if TYPE_CHECKING:
    from ..contracts.ports import ImageArray, RawOutput


class CheckedSession(ABC):
    """A session that keeps the promises of `contracts.ports.Session`; backends fill in `_run`.

    Args:
        side_by_side: runs calls for throughput; None where the session was opened for latency.
    """

    def __init__(
        self, spec: DetectorSpec, info: SessionInfo, side_by_side: SideBySide | None = None
    ) -> None:
        self._spec = spec
        self._info = info
        self._side_by_side = side_by_side
        self._closed = False

    @property
    def info(self) -> SessionInfo:
        return self._info

    def infer(self, images: ImageArray) -> RawOutput:
        """Run the network; see `contracts.ports.Session.infer`."""
        self._check_ready(images)
        if self._side_by_side is not None:
            return self._side_by_side.submit(images).result()
        return self._checked_run(images)

    def submit(self, images: ImageArray) -> Future[RawOutput]:
        """Run the network beside other calls; see `contracts.ports.Session.submit`."""
        if self._side_by_side is None:
            raise EvaluationError(
                "this session was opened for latency and runs one call at a time; open it with "
                "mode='throughput'"
            )
        self._check_ready(images)
        return self._side_by_side.submit(images)

    def close(self) -> None:
        """Give the memory back; a second call does nothing."""
        if not self._closed:
            self._closed = True
            if self._side_by_side is not None:
                self._side_by_side.close()
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def _run(self, images: ImageArray) -> RawOutput:
        """The network's output for images that were checked."""

    def _checked_run(self, images: ImageArray) -> RawOutput:
        return self.checked(self._run(images), len(images))

    @abstractmethod
    def _release(self) -> None:
        """Give the memory back."""

    def _check_ready(self, images: ImageArray) -> None:
        if self._closed:
            raise EvaluationError("this session is closed; open the package again")
        side, limit = self._info.input_size, self._info.batch_size
        shape = getattr(images, "shape", ())
        if getattr(images, "dtype", None) != np.uint8 or shape[1:] != (side, side, 3):
            raise EvaluationError(
                f"images must be uint8, N×{side}×{side}×3 but got "
                f"{getattr(images, 'dtype', type(images).__name__)}, {'×'.join(map(str, shape))}; "
                "letterbox them to the detector's input_size first"
            )
        if not 1 <= len(images) <= limit:
            raise EvaluationError(
                f"this session takes 1 to {limit} images a call but got {len(images)}; "
                "open it with a larger batch_size"
            )

    def checked(self, output: RawOutput, count: int) -> RawOutput:
        """The output itself; raises EvaluationError when its shape is not the promised one."""
        classes = len(self._spec.class_names)
        fits = output.ndim == 3 and output.shape[0] == count and output.dtype == np.float32
        if self._spec.output == "grid":
            fits, promised = fits and output.shape[1] == 4 + classes, f"{count}×{4 + classes}×N"
        else:
            fits, promised = fits and output.shape[2] == 6, f"{count}×N×6"
        if not fits:
            raise EvaluationError(
                f"the model's output must be float32, {promised} but came as {output.dtype}, "
                f"{'×'.join(map(str, output.shape))}; the package's spec does not fit its files"
            )
        return output


class SideBySide:
    """Threads that each run one call at a time, for libraries that have no queue of their own.

    Args:
        run: the call; safe to be made from several threads at once.
        streams: threads.
        requests: calls accepted before `submit` waits.
        prepare_thread: called once in each thread, before its first call.
    """

    def __init__(
        self,
        run: Callable[[ImageArray], RawOutput],
        streams: int,
        requests: int,
        prepare_thread: Callable[[], None] = lambda: None,
    ) -> None:
        self._run = run
        self._free = threading.Semaphore(requests)
        self._threads = ThreadPoolExecutor(
            streams, thread_name_prefix="inference", initializer=prepare_thread
        )

    def submit(self, images: ImageArray) -> Future[RawOutput]:
        """Begin a call; waits while as many as `requests` are under way."""
        self._free.acquire()
        try:
            future = self._threads.submit(self._run, images)
        except BaseException:
            self._free.release()
            raise
        future.add_done_callback(lambda _: self._free.release())
        return future

    def close(self) -> None:
        """Wait for calls under way and end the threads."""
        self._threads.shutdown()


def in_steps(run: Callable[[ImageArray], RawOutput], images: ImageArray, step: int) -> RawOutput:
    """The output of a network that takes `step` images a call; black ones fill up the last call."""
    outputs = []
    for start in range(0, len(images), step):
        part = np.ascontiguousarray(images[start : start + step])
        if missing := step - len(part):
            part = np.concatenate([part, np.zeros((missing, *part.shape[1:]), np.uint8)])
        outputs.append(run(part))
    whole = outputs[0] if len(outputs) == 1 else np.concatenate(outputs)
    return whole[: len(images)]
