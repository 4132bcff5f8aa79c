"""An experiment's directory arrives as it is, and is used in place where it is there already."""

from __future__ import annotations

import io
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from guardianflow.contracts.errors import ConfigurationError, ExperimentCodeError
from pipelines.pools.cluster import sent_code
from pipelines.pools.cluster.sent_code import SentCode, code_to_send, packed, with_code
from pipelines.settings import BUILTIN_EXPERIMENT
from pipelines.stage.stage import StageRequest


@pytest.fixture
def request_with_code(tmp_path: Path) -> StageRequest:
    """Its code_path is relative to the scenario's directory."""
    folder = tmp_path / "given/experiment"
    (folder / "parts").mkdir(parents=True)
    (folder / "train.py").write_text("import parts.one", encoding="utf-8")
    (folder / "parts/one.py").write_text("시작 = 1", encoding="utf-8")
    for left_out in ("runs", "__pycache__", ".git", "environment"):
        (folder / left_out).mkdir()
        (folder / left_out / "large").write_text("of no use", encoding="utf-8")
    (folder / "environment/pyvenv.cfg").touch()
    (folder / "parts/again").symlink_to(folder)  # followed, it would have no end
    request = StageRequest("train", "train", "x", "e", "", str(tmp_path / "given"), "", "")
    return replace(request, code_path="experiment")


def test_a_machine_without_the_directory_unpacks_what_is_code_in_it(
    request_with_code: StageRequest, tmp_path: Path
) -> None:
    code = code_to_send(request_with_code)
    (tmp_path / "given").rename(tmp_path / "elsewhere")
    here = Path(with_code(request_with_code, code, tmp_path / "unpacked").code_path)
    assert here == tmp_path / "unpacked"
    files = sorted(str(each.relative_to(here)) for each in here.rglob("*") if each.is_file())
    assert files == ["parts/one.py", "train.py"]
    assert (here / "parts/one.py").read_text(encoding="utf-8") == "시작 = 1"


def test_a_file_that_was_named_is_named_again_with_what_lies_beside_it(
    request_with_code: StageRequest, tmp_path: Path
) -> None:
    request = replace(request_with_code, code_path="experiment/train.py")
    code = code_to_send(request)
    (tmp_path / "given").rename(tmp_path / "elsewhere")
    here = with_code(request, code, tmp_path / "unpacked").code_path
    assert here == str(tmp_path / "unpacked/train.py")
    assert (tmp_path / "unpacked/parts/one.py").is_file()


def test_the_same_directory_is_worked_in_and_a_changed_one_is_not(
    request_with_code: StageRequest, tmp_path: Path
) -> None:
    code, folder = code_to_send(request_with_code), tmp_path / "given/experiment"
    os.utime(folder / "train.py", (1, 1))
    assert with_code(request_with_code, code, tmp_path / "a").code_path == str(folder)
    (folder / "train.py").write_text("changed meanwhile", encoding="utf-8")
    here = with_code(request_with_code, code, tmp_path / "b").code_path
    assert (Path(here) / "train.py").read_text(encoding="utf-8") == "import parts.one"


@pytest.mark.parametrize("reference", [BUILTIN_EXPERIMENT, "git+https://host/x.git@v1"])
def test_what_every_machine_has_or_can_fetch_is_not_sent(
    request_with_code: StageRequest, tmp_path: Path, reference: str
) -> None:
    request = replace(request_with_code, code_path=reference)
    assert code_to_send(request) is None
    assert with_code(request, None, tmp_path) == request


def test_what_is_not_there_or_too_large_is_told(
    request_with_code: StageRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ExperimentCodeError, match="experimen"):
        code_to_send(replace(request_with_code, code_path="experimnt"))
    monkeypatch.setattr(sent_code, "LARGEST_BYTES", 20)
    with pytest.raises(ConfigurationError, match=r"git\+ URL"):
        packed(tmp_path / "given/experiment")


def test_an_entry_that_leads_out_stays_in_the_folder(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("../../out.py", "x")
        archive.writestr("/tmp/out.py", "x")
        archive.writestr("train.py", "x")
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    SentCode(str(tmp_path / "none"), content.getvalue()).unpacked(inside)
    found = [*tmp_path.rglob("*.py")]
    assert found and all(path.is_relative_to(inside) for path in found)
