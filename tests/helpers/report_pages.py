"""Reading a report's page as a reader does."""

from __future__ import annotations

from html.parser import HTMLParser

from guardianflow.release.report.content import ReleaseReport
from guardianflow.release.report.page import render_report

VOID = {"meta", "link", "img", "br", "rect", "line", "path", "circle"}


class Reader(HTMLParser):
    """A page's text as a reader sees it, its addresses, and whether its elements are closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open.pop() == tag, f"</{tag}> closes nothing"
        self.text += " " if tag in ("td", "th", "dt", "dd") else ""

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data


def shown(report: ReleaseReport, language: str = "en") -> str:
    """The HTML page's text, blanks joined."""
    return " ".join(Reader(render_report(report, language)).text.split())
