"""Which repositories experiment code may come from, where a machine names some."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from guardianflow.contracts.errors import ExperimentCodeError
from guardianflow.contracts.given import given_url

from .source import PREFIX, GitReference

SETTING = "GUARDIANFLOW_CODE_SOURCES"


def check_allowed(reference: GitReference, allowed: Sequence[str]) -> None:
    """Compare an address with those that are allowed; none means all.

    Args:
        allowed: 'https://git.plant.example/vision', with or without 'git+' before it: that
            repository, or all that lie below it. The user name of ssh does not count.

    Raises:
        ExperimentCodeError: it is none of them.
    """
    if allowed and not any(_lies_below(reference.url, each) for each in allowed):
        raise ExperimentCodeError(
            f"experiment code '{reference.shown}' must come from one of {', '.join(allowed)} "
            f"({SETTING}). Add its address there if you trust what lies at it"
        )


def _lies_below(url: str, allowed: str) -> bool:
    here, there = urlsplit(url), given_url(allowed.removeprefix(PREFIX))
    same_server = (here.scheme, _server(here.netloc)) == (there.scheme, _server(there.netloc))
    parts, wanted = _parts(here.path), _parts(there.path)
    # A server, or git's own library, would walk out of the allowed folder by these.
    leads_out = bool({"..", "."} & {*parts}) or "\\" in unquote(here.path)
    return same_server and not leads_out and parts[: len(wanted)] == wanted


def _server(netloc: str) -> str:
    return netloc.rpartition("@")[2].lower()


def _parts(path: str) -> tuple[str, ...]:
    """The folders of a path; the end '.git' does not count."""
    decoded = unquote(path).strip("/").removesuffix(".git")
    return tuple(part for part in decoded.split("/") if part)
