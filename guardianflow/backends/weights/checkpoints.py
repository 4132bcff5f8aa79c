"""A checkpoint's pickle is looked at before it is opened, and opened from the bytes looked at.

    look(file)          what it would import and call beyond what detectors need
    require_known()     refuses that, except for the names that somebody vouches for
    load()              PyTorch's `weights_only` with the very names found; an ordinary load only
                        where foreign names are vouched for

Who vouches: the user (`--trust-weights`), or the lineage of a registered package, whose identity
was checked before: a training's own result holds the classes of the experiment's code.
"""

from __future__ import annotations

import importlib
import io
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...contracts.errors import SourceError
from ...contracts.results import DetectorSpec
from . import detector_names
from .pickle_archives import ZIP_START, UnreadablePickleError, pickles_of_archive
from .pickled_names import Use, uses_in_file

ANYTHING = "*"
"""Among accepted names: the file is opened whatever it holds, readable or not."""
LINEAGE = "pickle_names"
"""Where a package's lineage records what was accepted beyond detectors' names, by spaces."""
SHOWN = 5
_LOADING = threading.Lock()  # PyTorch keeps the names that may be loaded for the whole process


@dataclass(frozen=True)
class Look:
    """The finding of a look at a file.

    Args:
        content: the bytes that were looked at.
        uses: every name and what is done with it.
        foreign: name that no detector needs → where it stands.
        unreadable: why the file can't be looked into; '' where it can.
    """

    weights: Path
    content: bytes
    uses: tuple[Use, ...] = ()
    foreign: Mapping[str, str] = field(default_factory=dict)
    unreadable: str = ""
    torchscript: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names to be vouched for: foreign ones, ANYTHING for an unreadable file."""
        return (ANYTHING,) if self.unreadable else tuple(sorted(self.foreign))

    def unknown(self, accepted: Collection[str] = ()) -> tuple[str, ...]:
        """Those of `names` that nobody vouches for."""
        return () if ANYTHING in accepted else tuple(n for n in self.names if n not in accepted)


def look(weights: Path) -> Look:
    """Read a file and find what it would import and call; nothing is imported or called.

    Raises:
        SourceError: no file, or one that can't be read.
    """
    if not weights.is_file():
        raise SourceError(f"{weights} must be a file of weights but is none")
    try:
        content = weights.read_bytes()
    except OSError as exc:
        raise SourceError(f"{weights} can't be read: {exc.strerror}") from exc
    try:
        uses = tuple(uses_in_file(content))
    except UnreadablePickleError as exc:
        return Look(weights, content, unreadable=str(exc), torchscript=exc.torchscript)
    return Look(weights, content, uses, detector_names.foreign(uses))


def require_known(weights: Path, accepted: Collection[str] = ()) -> Look:
    """Look at a file and refuse what no detector needs.

    Args:
        accepted: names that somebody vouches for; ANYTHING for all.

    Raises:
        SourceError: names what was found and where, and the flag that opens it all the same.
    """
    seen = look(weights)
    if seen.unknown(accepted):
        raise SourceError(refusal(seen, accepted))
    return seen


def refusal(seen: Look, accepted: Collection[str] = ()) -> str:
    """Says why the file is not opened, and what to do."""
    cure = "--trust-weights opens it all the same, if you know who made it"
    if seen.unreadable:
        return (
            f"{seen.weights} is not known to be harmless to open: {seen.unreadable}. Save it anew "
            f"with torch.save; {cure}"
        )
    unknown = seen.unknown(accepted)
    shown = ", ".join(f"{_words(name)} ({seen.foreign[name]})" for name in unknown[:SHOWN])
    more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
    return (
        f"{seen.weights} would run {shown}{more} when it is opened, which no detector needs; {cure}"
    )


def _words(name: str) -> str:
    how, colon, known = name.partition(":")
    if colon and how == "called":
        return f"the constructor of '{known}'"
    if colon and how == "kept":
        return f"later '{known}', which it puts into the model"
    return f"'{name}'"


def accepted_by(spec: DetectorSpec) -> tuple[str, ...]:
    """The names that a package's lineage vouches for."""
    return tuple(spec.lineage.get(LINEAGE, "").split())


def vouched(names: Collection[str]) -> dict[str, str]:
    """The lineage entry that vouches for these names; none for none."""
    return {LINEAGE: " ".join(sorted(names))} if names else {}


def load(seen: Look) -> Any:
    """Unpickle what was looked at, onto the CPU.

    Only with foreign names does PyTorch's ordinary load run, which imports whatever it meets:
    `require_known` has made sure that somebody vouches for them.

    Raises:
        Whatever PyTorch raises for a file that is damaged or holds something else.
    """
    import torch

    stream = io.BytesIO(seen.content)
    if seen.names:
        return torch.load(stream, map_location="cpu", weights_only=False)  # nosec B614
    _check_same_program(seen)
    with _LOADING, torch.serialization.safe_globals(_objects(seen.uses)):
        return torch.load(stream, map_location="cpu", weights_only=True)


def _objects(uses: Collection[Use]) -> list[Any]:
    """The objects that the names mean here, as PyTorch wants to be told what may be loaded."""
    found: list[Any] = []
    names = {use.name for use in uses}
    for name in sorted(names & (detector_names.CLASSES | detector_names.FUNCTIONS)):
        module, _, attribute = name.rpartition(".")
        found.append((getattr(importlib.import_module(module), attribute), name))
    if "numpy.dtype" in names:
        import numpy as np

        kinds = (np.bool_, np.int32, np.int64, np.float16, np.float32, np.float64, np.str_)
        found += [type(np.dtype(kind)) for kind in kinds]
    return found


def _check_same_program(seen: Look) -> None:
    """PyTorch's own reader of archives must find the program that was looked at."""
    if not seen.content.startswith(ZIP_START):
        return
    import torch

    read = torch._C.PyTorchFileReader(io.BytesIO(seen.content)).get_record("data.pkl")
    (program,) = (
        program
        for name, program in pickles_of_archive(seen.content).items()
        if name.endswith("/data.pkl")
    )
    if read != program:
        raise SourceError(f"{seen.weights} is two archives in one; save it anew with torch.save")
