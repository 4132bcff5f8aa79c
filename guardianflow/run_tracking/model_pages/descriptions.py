"""Descriptions of registered models and versions, made of the version's tags.

What a person has written above our mark stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...contracts.releases import COMPARED_TAG, EVIDENCE_TAG, OUTCOME_TAG
from ..names import display_name

MARK = "<!-- GuardianFlow writes what follows; your own words stand above -->"
LIMIT = 5000
REPORT_PATH = "report/release.html"


def of_version(tags: Mapping[str, str], report_page: str = "") -> str:
    """What a version is and what a release said of it; Markdown.

    Args:
        tags: the version's own.
        report_page: where the page of the release's run is, relative to the server.
    """
    what = [tags.get("architecture", ""), tags.get("backend", ""), tags.get("precision", "")]
    size, task = tags.get("input_size", ""), tags.get("task", "")
    what += [f"{size} px" if size else "", f"task {task}" if task else ""]
    lines = [", ".join(filter(None, what))]
    if source := tags.get("source_run_id", ""):
        lines.append(f"Weights from run `{source}`.")
    if outcome := tags.get(OUTCOME_TAG, ""):
        rival = tags.get(COMPARED_TAG, "")
        beside = f"against version {rival}" if rival else "there was no champion"
        run_id = tags.get(EVIDENCE_TAG, "")
        link = f"[Release report]({report_page}/artifacts/{REPORT_PATH}); " if report_page else ""
        way = f"{link}`guardianflow report {run_id}`" if run_id else ""
        lines.append(f"Release: **{outcome}**, {beside}. {way}".rstrip())
    return "\n\n".join(filter(None, lines))


def of_model(name: str, version: str = "", version_text: str = "") -> str:
    """What a registered model is, and its version that was judged last."""
    lines = [f"Detector {display_name(name)}. At the site is the version with the alias champion."]
    if version_text:
        lines.append(f"Judged last, version {version}: {version_text}")
    return "\n\n".join(lines)


def with_ours(before: str | None, ours: str) -> str:
    """A description with our part replaced; '' where a person's own leaves no room for it."""
    theirs = of_people(before)
    whole = f"{theirs}\n\n{MARK}\n{ours}" if theirs else f"{MARK}\n{ours}"
    return whole if len(whole) <= LIMIT else ""


def of_people(description: str | None) -> str:
    """What of a description is not ours."""
    return (description or "").partition(MARK)[0].rstrip()
