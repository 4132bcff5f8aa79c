"""A file leaves, or is kept, without the secrets that can be taken out of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guardianflow.support.secrets import files as redacted_files
from guardianflow.support.secrets import redaction
from guardianflow.support.secrets.files import redact_in_place, without_secrets, write_private
from guardianflow.support.secrets.redaction import MARK

SECRET = "pl4nted-S3cret"


@pytest.fixture(autouse=True)
def learnt(secrets_forgotten: None) -> None:
    redaction.learn(SECRET)


def test_only_its_owner_reads_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, f'{{"uri": "https://u:pw@h", "said": "{SECRET}"}}')
    assert file.read_text() == f'{{"uri": "https://{MARK}@h", "said": "{MARK}"}}'
    assert file.stat().st_mode & 0o777 == 0o600
    redacted_files.make_private_folder(tmp_path / "a")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


def test_a_clean_directory_goes_as_it_is_and_another_as_a_copy(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/notes.txt").write_text("nothing")
    (tmp_path / "best.pt").write_bytes(b"\0" * 9000 + os.urandom(5000))
    with without_secrets(tmp_path, told.append, lambda _: False) as clean:
        assert clean == tmp_path
    (tmp_path / "deep/log.txt").write_bytes(f"한글 {SECRET}".encode() + b"\xb0\xa1\r\n")
    (tmp_path / "utf16.txt").write_bytes(f"가 {SECRET}".encode("utf-16"))
    (tmp_path / "own.json").write_text(SECRET)
    with without_secrets(tmp_path, told.append, lambda path: path.name == "own.json") as clean:
        assert clean.name == tmp_path.name
        assert (clean / "deep/log.txt").read_bytes() == f"한글 {MARK}".encode() + b"\xb0\xa1\r\n"
        assert (clean / "utf16.txt").read_text("utf-16") == f"가 {MARK}"
        for same in ("deep/notes.txt", "best.pt", "own.json"):
            assert (clean / same).read_bytes() == (tmp_path / same).read_bytes()
    assert SECRET in (tmp_path / "deep/log.txt").read_text(errors="replace")  # the user's own stays
    assert [text.partition(" holds")[0] for text in told] == [str(tmp_path / "own.json")]


def test_a_long_log_is_redacted_across_its_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redacted_files, "BLOCK", 1000)
    text = "".join(f"{number} {SECRET} {'x' * (number % 70)}\n" for number in range(500))
    (tmp_path / "a.log").write_text(text)
    with without_secrets(tmp_path / "a.log", print, lambda _: False) as clean:
        assert clean.read_text() == text.replace(SECRET, MARK)


def test_what_is_no_text_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redacted_files, "BLOCK", 64)
    file = tmp_path / "best.pt"
    for place in range(40, 80):
        told: list[str] = []
        file.write_bytes(b"\0" * place + SECRET.encode() + b"\0" * 99)
        with without_secrets(file, told.append, lambda _: False) as clean:
            assert clean == file
        assert len(told) == 1 and SECRET not in told[0]


def test_what_is_kept_is_cleaned_where_it_lies(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "a").mkdir()
    (tmp_path / "a/stage.log").write_text(f"said {SECRET}\n")
    (tmp_path / "a/stage.log").chmod(0o600)
    (tmp_path / "train.py").write_text("password = input()\nTrainer(api_key=key)\n")
    (tmp_path / "weights.bin").write_bytes(b"\0" + SECRET.encode())
    redact_in_place(tmp_path, told.append)
    assert (tmp_path / "a/stage.log").read_text() == f"said {MARK}\n"
    assert (tmp_path / "a/stage.log").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "train.py").read_text() == "password = input()\nTrainer(api_key=key)\n"
    assert len(told) == 1 and "weights.bin" in told[0]
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "a", "stage.log", "train.py", "weights.bin",
    ]  # fmt: skip
