from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from guardianflow.contracts.errors import DatasetError
from guardianflow.site_data import dvc
from guardianflow.site_data.datasets import resolve_dataset

MakeDataset = Callable[..., Path]
DIGEST = "3f9a7b0c11d2e3f4a5b6c7d8e9f00112.dir"


def track(path: Path, *, digest: str = DIGEST, extra: str = "") -> Path:
    """A .dvc file beside `path`, as `dvc add` writes it."""
    file = path.with_name(f"{path.name}.dvc")
    file.write_text(f"outs:\n- md5: {digest}\n  hash: md5\n{extra}  path: {path.name}\n")
    return file


@pytest.fixture
def no_dvc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No `dvc` command, whatever this machine has."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "empty" / "python"))


def install_dvc(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """A `dvc` command that writes down its call and then does `body`."""
    folder.mkdir()
    script = folder / "dvc"
    script.write_text(f'#!/bin/sh\necho "$PWD|$*" >> "{folder}/calls"\n{body}\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_the_hash_of_what_holds_the_data_set_is_recorded(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    data_yaml = make_dataset(folder="plant/data")
    track(data_yaml.parent, extra="  size: 99\n  nfiles: 11\n")
    track(tmp_path / "plant" / "other", digest="0" * 32)
    found = resolve_dataset(str(data_yaml), cache_dir=tmp_path / "cache")
    assert found.dvc_hash == DIGEST


def test_folders_tracked_apart_are_all_recorded(make_dataset: MakeDataset, tmp_path: Path) -> None:
    data_yaml = make_dataset()
    track(data_yaml.parent / "images", digest="a" * 32 + ".dir")
    track(data_yaml.parent / "labels", digest="b" * 32 + ".dir")
    track(data_yaml, digest="c" * 32)
    found = resolve_dataset(str(data_yaml), cache_dir=tmp_path / "cache")
    assert found.dvc_hash == f"{'c' * 32},{'a' * 32}.dir,{'b' * 32}.dir"


def test_untracked_data_has_no_hash_and_the_search_ends_at_the_repository(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    data_yaml = make_dataset(folder="repo/data")
    (tmp_path / "repo" / ".git").mkdir()
    track(tmp_path / "repo")
    assert resolve_dataset(str(data_yaml), cache_dir=tmp_path / "cache").dvc_hash is None


def test_wdir_and_checksums_of_other_kinds_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.dvc").write_text("wdir: sub\nouts:\n- etag: e1\n  path: data\n- path: more\n")
    (output,) = dvc.tracking([tmp_path / "sub" / "data" / "data.yaml"])
    assert (output.path, output.digest) == (tmp_path / "sub" / "data", "e1")
    assert dvc.combined_hash(dvc.tracking([tmp_path / "sub" / "more"])) is None


@pytest.mark.parametrize("content", ["outs: [", "- a\n", "outs:\n- md5: x\n", "outs: 5\n"])
def test_a_broken_dvc_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "data.dvc").write_text(content)
    with pytest.raises(DatasetError, match=r"data\.dvc: not a \.dvc file"):
        dvc.tracking([tmp_path / "data"])


@pytest.mark.usefixtures("no_dvc")
def test_without_dvc_the_message_names_what_is_missing_and_what_to_do(
    make_dataset: MakeDataset, tmp_path: Path
) -> None:
    data_yaml = make_dataset()
    file = track(data_yaml.parent, extra="  nfiles: 11\n")
    gone = data_yaml.parent / "images" / "train" / "001.jpg"
    gone.unlink()
    with pytest.raises(DatasetError) as caught:
        resolve_dataset(str(data_yaml), cache_dir=tmp_path / "cache")
    text = str(caught.value)
    assert "001" in text and "guardianflow[dvc]" in text and f"dvc pull {file}" in text


@pytest.mark.usefixtures("no_dvc")
def test_a_directory_that_only_dvc_knows_is_not_called_a_spelling_mistake(tmp_path: Path) -> None:
    track(tmp_path / "data")
    with pytest.raises(DatasetError, match=r"data\.yaml not found; tracked by .*data\.dvc"):
        resolve_dataset(str(tmp_path / "data" / "data.yaml"), cache_dir=tmp_path / "cache")


def test_missing_data_is_pulled_and_the_output_shown(
    make_dataset: MakeDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stored = make_dataset(folder="remote").parent
    track(tmp_path / "data")
    install_dvc(tmp_path / "bin", monkeypatch, f'cp -r "{stored}" data\necho "8 files fetched"')
    found = resolve_dataset(str(tmp_path / "data"), cache_dir=tmp_path / "cache")
    assert found.image_count == 5 and found.dvc_hash == DIGEST
    assert (tmp_path / "bin" / "calls").read_text() == f"{tmp_path}|pull data.dvc\n"
    captured = capsys.readouterr()
    assert "8 files fetched" in captured.err and captured.out == ""


def test_files_fewer_than_tracked_are_pulled_even_when_nothing_else_tells(
    make_dataset: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_yaml = make_dataset()
    root = data_yaml.parent
    track(root, extra="  nfiles: 11\n")
    (root / "labels" / "train.cache").write_bytes(b"Ultralytics' own")
    kept = {name: (root / name / "train" / "001").with_suffix(suffix) for name, suffix in
            (("images", ".jpg"), ("labels", ".txt"))}  # fmt: skip
    for name, path in kept.items():
        path.rename(tmp_path / name)
    body = "\n".join(f'cp "{tmp_path / name}" "{path}"' for name, path in kept.items())
    install_dvc(tmp_path / "bin", monkeypatch, body)
    assert resolve_dataset(str(root), cache_dir=tmp_path / "cache").image_count == 5
    resolve_dataset(str(root), cache_dir=tmp_path / "cache")
    assert len((tmp_path / "bin" / "calls").read_text().splitlines()) == 1


def test_a_failed_pull_tells_what_dvc_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    track(tmp_path / "data")
    install_dvc(tmp_path / "bin", monkeypatch, "echo 'ERROR: no remote' >&2; exit 251")
    with pytest.raises(DatasetError, match=r"ended with code 251: ERROR: no remote"):
        resolve_dataset(str(tmp_path / "data"), cache_dir=tmp_path / "cache")


def test_a_pull_that_brings_nothing_is_not_believed(
    make_dataset: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    track(tmp_path / "data")
    install_dvc(tmp_path / "bin", monkeypatch, "true")
    with pytest.raises(DatasetError, match=r"1 files of .*data are still missing after dvc pull"):
        resolve_dataset(str(tmp_path / "data"), cache_dir=tmp_path / "cache")
    data_yaml = make_dataset()
    with pytest.raises(DatasetError, match="is it in the"):
        track(data_yaml.parent)
        resolve_dataset(str(data_yaml.with_name("x.yaml")), cache_dir=tmp_path / "cache")
    (data_yaml.parent / "images" / "train" / "001.jpg").unlink()
    with pytest.raises(DatasetError, match="has no image"):
        resolve_dataset(str(data_yaml), cache_dir=tmp_path / "cache")


def test_the_command_beside_this_python_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert dvc.executable() is None
    (tmp_path / "dvc").write_text("")
    assert dvc.executable() == str(tmp_path / "dvc")
