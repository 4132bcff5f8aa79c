"""Ultralytics without its side channels: no second tracker, no installs, no usage reports.

By default Ultralytics starts MLflow runs of its own wherever mlflow can be imported, talks to
other trackers it finds, installs packages by itself, and sends usage events. Its switches stand
in a settings file of the user, which is not ours to write. So they are turned in memory, for the
time of one training, and turned back.

It also writes images anew, in place, that it takes for damaged JPEGs (some cameras pad theirs at
the end): what is trained on would no longer be what was judged. Here they are left as they are.

It trains on an array that lies beside an image in place of the image: see image_arrays.

And it runs code that data brings along: pickled caches beside a data set's labels, and Python text
in a network's description, which a checkpoint carries too. Neither is run here.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from guardianflow.contracts.errors import GuardianFlowError
from guardianflow.support.foreign_libraries import environment

from .failures.translated import translated, words_of
from .image_arrays import arrays_elsewhere
from .label_caches import load_label_cache

_INTEGRATIONS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")
_OFF = {**dict.fromkeys((*_INTEGRATIONS, "sync"), False), "api_key": ""}
_TOUCHED = (
    *("utils", "utils.checks", "utils.events", "utils.downloads", "utils.torch_utils"),
    *("nn.tasks", "data.base", "data.utils", "data.dataset"),
)
"""The modules of Ultralytics whose switches are turned; the last two read caches."""


@contextmanager
def ultralytics_isolated(*, offline: bool = False, threads: int | None = None) -> Iterator[None]:
    """Keep Ultralytics to training while the block runs; reentrant.

    Settings that code changes meanwhile hold until the end of the block and are not written to
    the user's file. Where Ultralytics is not installed, nothing is done.

    Args:
        offline: also refuse its downloads (weights, fonts) at once, instead of after a timeout.
        threads: that torch works with on a CPU; None leaves it at Ultralytics' cores − 1.
    """
    with ExitStack() as stack:
        variables = {"YOLO_OFFLINE": "true"} if offline else {}
        stack.enter_context(
            environment(YOLO_AUTOINSTALL="false", ULTRALYTICS_API_KEY=None, **variables)
        )
        os.environ.pop("ULTRALYTICS_API_KEY", None)
        try:
            utils, checks, events, downloads, devices, tasks, base, *readers = (
                importlib.import_module(f"ultralytics.{name}") for name in _TOUCHED
            )
        except ModuleNotFoundError:
            # Not installed, or an author's own copy of another age; their import will tell.
            yield
            return
        stack.enter_context(_settings(utils))
        stack.enter_context(_attribute(checks, "AUTOINSTALL", False))
        stack.enter_context(_attribute(getattr(events, "events", None), "enabled", False))
        for module in readers:
            stack.enter_context(_attribute(module, "load_dataset_cache_file", load_label_cache))
            stack.enter_context(_attribute(module, "_replace_image", _leave_image))
        stack.enter_context(arrays_elsewhere(base))
        # Networks are built without evaluating text: Ultralytics' own switch for foreign weights.
        guard = getattr(tasks, "_SafeLoad", None)
        stack.enter_context(_attribute(guard, "restricted", lambda: True))
        if threads is not None:  # set whenever Ultralytics chooses a device
            stack.enter_context(_attribute(devices, "NUM_THREADS", threads))
        if offline:
            stack.enter_context(_attribute(checks, "ONLINE", False))
            stack.enter_context(_attribute(downloads, "is_url", _is_local_url(downloads)))
            stack.enter_context(_attribute(downloads, "safe_download", _refuse_download))
        yield


@contextmanager
def ultralytics_at_work(what: str, *, threads: int | None = None) -> Iterator[None]:
    """Ultralytics isolated and offline; what it raises becomes a TrainerError with its words.

    It is of the class of its cause where that is known.

    Args:
        what: the work that stops then: 'Ultralytics', 'quantisation-aware training'.
        threads: as in ultralytics_isolated.
    """
    try:
        with ultralytics_isolated(offline=True, threads=threads):
            yield
    except GuardianFlowError:
        raise
    except Exception as exc:
        said = f"{what} stopped with {type(exc).__name__}: {words_of(exc)}"
        raise translated(exc, said) from exc


@contextmanager
def _settings(utils: ModuleType) -> Iterator[None]:
    settings: Any = getattr(utils, "SETTINGS", None)
    if not isinstance(settings, dict):
        yield
        return
    before = dict(settings)
    # dict's own update: the class's would write the user's file.
    dict.update(settings, {name: value for name, value in _OFF.items() if name in settings})
    try:
        with _attribute(settings, "file_path", Path(os.devnull)):
            yield
    finally:
        dict.clear(settings)
        dict.update(settings, before)


@contextmanager
def _attribute(owner: object, name: str, value: object) -> Iterator[None]:
    """Set an attribute for a while; one that this version does not have is left alone."""
    if owner is None or not hasattr(owner, name):
        yield
        return
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _leave_image(*_: object) -> None:
    """In the place of what writes an image anew."""


def _is_local_url(downloads: ModuleType) -> Any:
    """`is_url` that never asks the network: what would have to be looked up is not there."""
    original = downloads.is_url

    def is_url(url: str | Path, check: bool = False) -> bool:
        return bool(original(url)) and not check

    return is_url


def _refuse_download(url: str | Path = "", *_: object, **__: object) -> None:
    # The class Ultralytics itself raises offline, and handles where it can do without.
    raise ConnectionError(f"downloading {url} is off: give a local file")
