"""'Did you mean …?'"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """'; did you mean X?' when something known is close to what was given, else ''."""
    by_fold = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(given.casefold(), by_fold, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(by_fold[n] for n in near)}?" if near else ""
