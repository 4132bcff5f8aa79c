"""`guardianflow bundle-wheels`: what it collects installs where no index is."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from workplace import Workplace, last_json

WHEEL = {
    "tiny_tool.py": "ANSWER = 42\n",
    "tiny_tool-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny-tool\nVersion: 1.0\n",
    "tiny_tool-1.0.dist-info/WHEEL": (
        "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    ),
    "tiny_tool-1.0.dist-info/RECORD": "",
}


@pytest.fixture
def place(tmp_path: Path, repository: Path) -> Workplace:
    """pip knows no index here, only a directory with one wheel."""
    links = tmp_path / "links"
    links.mkdir()
    with zipfile.ZipFile(links / "tiny_tool-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in WHEEL.items():
            wheel.writestr(name, text)
    alone = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links), "PIP_CONFIG_FILE": os.devnull}
    return Workplace(tmp_path, tmp_path / "work", repository, alone)


@pytest.mark.slow
def test_what_is_collected_installs_without_an_index(place: Workplace) -> None:
    (place.root / "needed.txt").write_text("tiny-tool==1.0\n")
    words = ("bundle-wheels", "--to", "usb/wheels", "--requirements", "needed.txt")
    done = place.guardianflow(*words, "--json")
    assert done.returncode == 0, done.stderr
    assert last_json(done.stdout)["wheels"] == 2
    wheels = place.root / "usb/wheels"
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=wheels, check=True)

    site = place.root / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
               "--find-links", str(wheels), "--target", str(site)]  # fmt: skip
    done = place.run(*install, "guardianflow", "tiny-tool")
    assert done.returncode == 0, done.stderr
    # Our own wheel is whole: its command answers from there, templates of reports are in it.
    done = subprocess.run(
        [sys.executable, "-m", "apps.cli.main", "--version"],
        cwd=place.root,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert "guardianflow" in done.stdout, done.stderr
    assert list((site / "guardianflow/release/report/templates").iterdir())


def test_what_can_t_be_collected_leaves_nothing(place: Workplace) -> None:
    (place.root / "needed.txt").write_text("no-such-thing==1.0\n")
    done = place.guardianflow(
        *("bundle-wheels", "--to", "wheels", "--requirements", "needed.txt"), "--json"
    )
    assert done.returncode == 1
    assert "no-such-thing" in done.stderr
    assert not (place.root / "wheels").exists()


def test_bad_input_is_told_at_once(place: Workplace) -> None:
    (place.root / "wheels").mkdir()
    done = place.guardianflow("bundle-wheels", "--to", "wheels", "--requirements", "none.txt")
    assert done.returncode == 2
    assert "there is no file" in done.stderr
    assert "must be a new directory" in done.stderr
