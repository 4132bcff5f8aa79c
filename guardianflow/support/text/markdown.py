"""Text of others in Markdown of ours: shown as it is, never markup, a link or HTML.

MLflow shows `.md` artifacts as pages in its own site, so a name that holds `<img onerror=…>` would
run there with the rights of whoever looks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


class Verbatim(str):
    """Text that goes into Markdown as it is: what stands in a code block, or is markup of ours."""


def markdown_text(value: object) -> object:
    """A value as text of one line that Markdown shows as it is, in a table too.

    Characters that begin markup or HTML get a backslash or become an entity. Underscores within
    a word are none.
    """
    if not isinstance(value, str) or isinstance(value, Verbatim):
        return value
    line = " ".join(value.split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*\[\]|~])", r"\\\1", line)
    at_an_end = r"(?<![^\W_])(?<!_)_+|_+(?!_)(?![^\W_])"
    return re.sub(at_an_end, lambda found: found[0].replace("_", "\\_"), line)


def table_row(cells: Iterable[object]) -> str:
    """One row of a table."""
    return f"| {' | '.join(str(markdown_text(cell)) for cell in cells)} |"


def table_head(cells: Iterable[object]) -> list[str]:
    """The row of headings and the line under it."""
    texts = list(cells)
    return [table_row(texts), f"|{'---|' * len(texts)}"]
