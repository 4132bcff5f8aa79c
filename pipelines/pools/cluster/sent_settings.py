"""The settings and credentials of whoever gave the command, as another machine gets them.

They are those of the environment and of `.env`, which lies in a directory that is not there. A path
that is written as seen from that directory would lead elsewhere, so it is made absolute.
"""

from __future__ import annotations

import os

from guardianflow.contracts.given import given_path

from ...metrics.place import OFF
from ...settings import EXPORTED_PREFIXES, PREFIX, read_dotenv

SENT_PREFIXES = (*EXPORTED_PREFIXES, PREFIX)
WORK_DIR, TRUSTED = f"{PREFIX}WORK_DIR", f"{PREFIX}TRUSTED_WEIGHTS"
METRICS_STORE = f"{PREFIX}METRICS_STORE"


def settings_to_send() -> dict[str, str]:
    """Name → value.

    Raises:
        ConfigurationError: `.env` can't be read, or no file can have a path that is given.
    """
    told = {name: value for name, value in read_dotenv().items() if value is not None}
    sent = {n: v for n, v in {**told, **os.environ}.items() if n.startswith(SENT_PREFIXES)}
    for name in (WORK_DIR, METRICS_STORE, TRUSTED):
        if given := sent.get(name, "").strip():
            parts = given.split(os.pathsep) if name == TRUSTED else [given]
            sent[name] = os.pathsep.join(map(_absolute, parts))
    return sent


def _absolute(given: str) -> str:
    is_path = given.strip() and given != OFF and "://" not in given
    return str(given_path(given).absolute()) if is_path else given
