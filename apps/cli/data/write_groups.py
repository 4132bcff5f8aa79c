"""Writes a proposal of groups: a table, or a line in a scenario. Nothing is written over."""

from __future__ import annotations

import os
import re
from pathlib import Path

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.given import given_path
from guardianflow.contracts.recordings.groups import GroupRule, GroupSource
from guardianflow.site_data.recordings.proposals.propose import Proposal
from guardianflow.site_data.recordings.table import write_table
from guardianflow.support.files import whole_file
from guardianflow.support.text.spelling import nfc
from scenario import load_scenario, parse_scenario

TABLE = ".csv"
SCENARIO = (".yaml", ".yml")
_SECTION = re.compile(r"^dataset:[ \t]*(?:#.*)?\r?\n(?P<indent>[ \t]+)(?=\S)", re.MULTILINE)


def check_target(text: str) -> None:
    """Raises ConfigurationError: nothing could be written there."""
    place = given_path(text)
    if place.suffix.lower() == TABLE:
        if os.path.lexists(place):
            raise ConfigurationError(f"{text} is there already, and nothing is written over")
        if not place.absolute().parent.is_dir():
            raise ConfigurationError(f"there is no directory {place.absolute().parent}")
    elif place.suffix.lower() in SCENARIO:
        if load_scenario(place).dataset.groups is not None:
            raise ConfigurationError(f"{text} says dataset.groups already; remove it first")
    else:
        raise ConfigurationError(
            f"--write must be a new .csv, or a scenario's .yaml, but got '{text}'"
        )


def write_rule(text: str, proposal: Proposal, root: Path) -> Path:
    """Write a proposal; the file.

    Args:
        text: a new .csv, or a scenario.
        root: of the data set.

    Raises:
        ConfigurationError: the scenario can't hold it; the file can't be written.
    """
    place = given_path(text).absolute()
    try:
        if place.suffix.lower() == TABLE:
            _write_table(place, proposal, root)
        else:
            _write_line(place, proposal.rule)
    except OSError as exc:
        raise ConfigurationError(f"{place} can't be written: {exc.strerror}") from exc
    return place


def yaml_line(rule: GroupRule) -> str:
    """`groups: …` as it stands in a scenario."""
    if rule.source is GroupSource.FOLDER:
        return f"groups: {rule.source}"
    quoted = rule.text.replace("'", "''")
    return f"groups: {{{rule.source}: '{quoted}'}}"


def _write_table(place: Path, proposal: Proposal, root: Path) -> None:
    names = {
        nfc(path.relative_to(root).as_posix()) if path.is_relative_to(root) else str(path): origin
        for path, origin in proposal.origins.items()
    }
    unfinished = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        write_table(unfinished, names)
        os.link(unfinished, place)  # unlike a rename, never over a file
    finally:
        unfinished.unlink(missing_ok=True)


def _write_line(place: Path, rule: GroupRule | None) -> None:
    if rule is None:
        raise ConfigurationError(
            "no pattern says what this proposal says; --write a .csv, and name it in the scenario"
        )
    line = yaml_line(rule)
    before = place.read_bytes().decode("utf-8-sig")
    section = _SECTION.search(before)
    after = before
    if section:
        start = section.start("indent")
        newline = "\r\n" if "\r\n" in section[0] else "\n"
        after = f"{before[:start]}{section['indent']}{line}{newline}{before[start:]}"
    scenario = parse_scenario(after, str(place), source_path=place)
    if not section or scenario.dataset.group_rule != rule:
        raise ConfigurationError(
            f"{place}: its dataset section is not written as lines below 'dataset:'; add there: "
            f"{line}"
        )
    with whole_file(place) as unfinished:
        unfinished.write_bytes(after.encode())
