"""The release report: one self-contained page and its Markdown, in English and in Korean.

    release.html, release.ko.html   no outside request: style inline, pictures as data: addresses
    release.md, release.ko.md       the same without pictures

Texts are in texts_en.py and texts_ko.py, sentences in wording.py, the layout in templates/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ...contracts.errors import EvaluationError
from ...support.text.markdown import Verbatim, markdown_text
from .content import ReleaseReport
from .view import ReportView
from .wording import LANGUAGES, Wording

TEMPLATES = Path(__file__).parent / "templates"
FORMATS = ("html", "md")
HISTORY_COLUMNS = ("when", "who", "action", "from_to", "state", "note")
TERMS = (
    "term.map",
    "term.recall",
    "term.interval",
    "term.undecided",
    "term.percentile",
    "term.champion",
    "term.variant",
)


def report_name(language: str = "en", form: str = "html") -> str:
    """'release.html', 'release.ko.md': the file of a language and a format."""
    return f"release.{form}" if language == "en" else f"release.{language}.{form}"


def write_release_report(content: ReleaseReport, folder: Path) -> None:
    """Write the report in every language and format; all files or an error before the first.

    Args:
        content: what it says.
        folder: made where it is missing.

    Raises:
        EvaluationError: content that contradicts itself, a picture that can't be read or is no
            PNG, a folder that can't be written.
    """
    pages = {
        report_name(language, form): render_report(content, language, form)
        for language in LANGUAGES
        for form in FORMATS
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, page in pages.items():
            (folder / name).write_text(page, encoding="utf-8")
    except OSError as exc:
        raise EvaluationError(f"the release report can't be written to {folder}: {exc}") from exc


def render_report(content: ReleaseReport, language: str = "en", form: str = "html") -> str:
    """The report as text.

    Args:
        content: what it says.
        language: 'en' or 'ko'.
        form: 'html' or 'md'.

    Raises:
        ConfigurationError: another language.
        EvaluationError: as write_release_report.
    """
    wording = Wording(language)
    values: Mapping[str, object] = {
        "view": ReportView(content, wording),
        "t": wording.text,
        "history_columns": HISTORY_COLUMNS,
        "terms": TERMS,
    }
    if form == "html":
        style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
        return _environment("html").get_template("release.html.j2").render(**values, style=style)
    page = _environment("md").get_template("release.md.j2").render(**values, raw=Verbatim)
    return re.sub(r"\n{3,}", "\n\n", page)


@cache
def _environment(form: str) -> Environment:
    return Environment(  # nosec B701 # HTML is escaped, Markdown by markdown_text
        loader=FileSystemLoader(TEMPLATES),
        autoescape=form == "html",
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=markdown_text if form == "md" else None,
    )
