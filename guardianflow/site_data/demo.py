"""Demos drawn on this machine: demo://ppe and demo://cctv, data sets; demo://incidents, recordings.

A directory's name holds the generator's version, a hash of its code and the options, so that a
set is never mistaken for another one; it is written beside its final place and renamed when whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ..contracts.errors import DatasetError
from ..contracts.given import given_url
from ..support.suggestions import did_you_mean
from .drawn.cctv import CctvOptions
from .drawn.incidents import IncidentOptions
from .drawn.options import Drawing, Options, read_options
from .drawn.ppe import PpeOptions
from .once import make_once

SCHEME = "demo://"
DATA_SETS: dict[str, type[Drawing]] = {"ppe": PpeOptions, "cctv": CctvOptions}
RECORDINGS: dict[str, type[Drawing]] = {"incidents": IncidentOptions}


def parse_demo(reference: str) -> tuple[str, Drawing]:
    """'demo://ppe?images=60&seed=7' → name and options of a data set.

    Raises:
        DatasetError: an unknown demo, unknown options or values out of range, all at once.
    """
    return parse_named(reference, DATA_SETS, "data set", RECORDINGS)


def demo_data_set(reference: str, cache_dir: Path) -> Path:
    """Draw a demo set, or find it drawn already.

    Returns:
        Its data.yaml, in a directory under cache_dir / 'demo'.

    Raises:
        DatasetError: as `parse_demo`.
    """
    return _drawn(*parse_demo(reference), cache_dir) / "data.yaml"


def demo_recordings(reference: str, cache_dir: Path) -> Path:
    """Draw recordings with their truth, or find them drawn already.

    Args:
        reference: 'demo://incidents', also with options.

    Returns:
        A directory under cache_dir / 'demo' that holds val/ and test/, each with truth.csv.

    Raises:
        DatasetError: as `parse_demo`.
    """
    return _drawn(*parse_named(reference, RECORDINGS, "recording", DATA_SETS), cache_dir)


def _drawn(name: str, options: Drawing, cache_dir: Path) -> Path:
    home = cache_dir / "demo"
    home /= f"{name}-{options.key(home / f'generator-{name}.json')}"
    make_once(home, options.write)
    return home


def parse_named(
    reference: str,
    demos: Mapping[str, type[Options]],
    what: str,
    others: Mapping[str, type[Options]] | None = None,
) -> tuple[str, Options]:
    """The name and the options of one of some demos.

    Args:
        demos: name → its options.
        what: the demos are, for messages.
        others: demos of another kind, which may have been meant.

    Raises:
        DatasetError: an unknown demo, unknown options or values out of range, all at once.
    """
    others = others or {}
    parts = given_url(reference)
    name = (parts.netloc + parts.path).strip("/")
    problems: list[str] = []
    if name not in demos:
        problems.append(
            f"there is no demo {what} '{name}'; known: "
            f"{', '.join(SCHEME + known for known in demos)}{_hint(name, demos, others)}"
        )
    kind = demos.get(name) or others.get(name) or next(iter(demos.values()))
    options = read_options(kind, parts.query, reference, problems)
    if problems or options is None:
        raise DatasetError(problems)
    return name, options


def _hint(name: str, demos: Iterable[str], others: Collection[str]) -> str:
    if name not in others:
        return did_you_mean(name, demos)
    where = "alarms.recordings.path" if name in RECORDINGS else "dataset.path"
    return f"; {SCHEME}{name} is for {where}"
