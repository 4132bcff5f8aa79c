"""axe-core in a page of chromium.Page: what keeps people out of it, https://github.com/dequelabs/axe-core."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from chromium import Page

# Rules of WCAG and good practice; what axe can't decide by itself is no violation.
ASKED = """axe.run(document, {resultTypes: ['violations']}).then(told => told.violations.flatMap(
  rule => rule.nodes.map(node => ({impact: node.impact || rule.impact, rule: rule.id,
    where: node.target.join(' '), why: node.failureSummary}))))"""


@cache
def _axe() -> str:
    """axe-core's source; a package that drives another browser carries it."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def barriers(page: Page) -> list[str]:
    """What axe-core finds in the open page, a line each: 'serious color-contrast: p.soft …'.

    A line begins with how grave it is: minor, moderate, serious or critical.
    """
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(f"{_axe()}; 0")
    return [
        f"{each['impact']} {each['rule']}: {each['where']} ({each['why']})"
        for each in page.evaluate(ASKED)
    ]
