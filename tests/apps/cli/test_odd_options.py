"""Whatever is typed behind an option: it works, or exit code 1 or 2 with a message."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from apps.cli.main import cli

ODD = [
    "~no-such-user/x", "/nope.yaml", "here", "empty", "binary", "circle", "circle/x", "empty/x",
    "a" * 300, "a/" * 3000, "\udcff", "a\x1b[31mb", "git+https://[::1", "git+https://[", "git+",
    "git+file:///nope", "s3://[", "demo://[", "models:/[", "models:/x@champion", "models:/a/²",
    "models:/a/" + "9" * 5000, "runs:/[", "runs:/../..", "0" * 32, "[/red]", "%s", "{x}", "a@b@c",
    "@champion", "\u202e", "１", "-", "x.pt", "s.yaml",
]  # fmt: skip
SCENARIO = """\
name: odd
site: {customer: c, region: r}
task: {type: ppe}
model: {architecture: yolo11n}
dataset: {path: demo://ppe}
"""
COMMANDS = {
    "scenario": ["train", "?", "--dry-run"],
    "code": ["train", "s.yaml", "--dry-run", "--code-path", "?"],
    "data": ["train", "--data", "?", "--dry-run"],
    "model": ["infer", "s.yaml", "-m", "?", "--dry-run"],
    "source": ["quant", "s.yaml", "-s", "?", "--dry-run"],
    "variants": ["compare", "s.yaml", "-s", "0" * 32, "--quant-variants", "?", "--dry-run"],
    "override": ["train", "s.yaml", "--dry-run", "-p", "?"],
    "truth": ["mot", "--gt", "?", "--results", "here"],
    "results": ["mot", "--gt", "here", "--results", "?"],
    "check": ["pull", "--check", "?"],
    "scan": ["scan", "?"],
    "registry": ["run", "x", "--experiments", "?"],
    "status": ["status", "--experiments", "?"],
    "migrate": ["migrate", "x", "--experiments", "?"],
    "uri": ["uri", "?"],
    "promote": ["promote", "?"],
    "report": ["report", "?"],
    "pull": ["pull", "?", "--to", "box"],
    "target": ["pull", "a@champion", "--to", "?"],
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDIANFLOW_WORK_DIR", str(tmp_path / "work"))
    monkeypatch.setenv("GUARDIANFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/store.db")
    Path("s.yaml").write_text(SCENARIO, encoding="utf-8")
    Path("empty").touch()
    Path("here").mkdir()
    Path("binary").write_bytes(bytes(range(256)) * 9)
    Path("circle").symlink_to("circle")


@pytest.mark.slow
@pytest.mark.parametrize("option", COMMANDS)
def test_odd_values_end_in_a_message(option: str, place: None) -> None:
    for value in ODD:
        words = [value if word == "?" else word for word in COMMANDS[option]]
        done = CliRunner().invoke(cli, words)
        raised = done.exception
        assert raised is None or isinstance(raised, SystemExit), (words, repr(raised))
        assert done.exit_code in (0, 1, 2), words
        assert "\x1b" not in done.output and "\u202e" not in done.output
