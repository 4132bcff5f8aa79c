"""The bill of materials names all that the lock does, and who needs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools.sbom import bill_of, main, read_lock

LOCK = """# compiled by uv
alpha==1.2
    # via -r requirements.in
beta-x==3.0+cpu ; sys_platform == 'linux'
    # via
    #   alpha
    #   -r requirements.in
"""


def test_each_line_is_a_component_with_who_needs_it() -> None:
    bill = bill_of(read_lock(LOCK), "1.0")
    assert [each["purl"] for each in bill["components"]] == [
        "pkg:pypi/alpha@1.2",
        "pkg:pypi/beta-x@3.0%2Bcpu",
    ]
    marker = {"name": "python:marker", "value": "sys_platform == 'linux'"}
    assert bill["components"][1]["properties"] == [marker]
    needs = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}
    beta = "pkg:pypi/beta-x@3.0%2Bcpu"
    assert needs["pkg:generic/guardianflow@1.0"] == ["pkg:pypi/alpha@1.2", beta]
    assert needs["pkg:pypi/alpha@1.2"] == [beta]
    assert bill_of(read_lock(LOCK), "1.0") == bill


def test_the_project_s_own_lock_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    bill = json.loads(capsys.readouterr().out)
    lock = Path("requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = [Requirement(each) for each in lock if each and each[0] not in "# "]
    assert len(bill["components"]) == len(pinned) > 50
    assert {each["name"] for each in bill["components"]} == {each.name for each in pinned}
    refs = {each["bom-ref"] for each in bill["components"]}
    assert all({*each["dependsOn"]} <= refs for each in bill["dependencies"])
    reached, left = set(), ["pkg:generic/guardianflow@" + bill["metadata"]["component"]["version"]]
    needs = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}
    while left:
        if (ref := left.pop()) not in reached:
            reached.add(ref)
            left += needs[ref]
    assert refs <= reached  # nothing is in the lock that nobody needs


def test_a_line_that_is_not_pinned_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("alpha>=1\n", encoding="utf-8")
    assert main([str(lock)]) == 1
    assert main([str(tmp_path / "none")]) == 1
