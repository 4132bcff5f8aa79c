"""Text of another encoding is named, with the command that converts it; nothing is guessed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from guardianflow.support.text.encodings import NotUtf8Error, decode_utf8

TEXT = "train: images/학습\nnames: [안전모, head]\n"
NAME = "data set's.yaml"


def test_utf8_is_read_and_its_mark_left_out() -> None:
    assert decode_utf8(TEXT.encode(), NAME) == TEXT
    assert decode_utf8(TEXT.encode("utf-8-sig"), NAME) == TEXT
    assert decode_utf8(b"a\0b", NAME) == "a\0b"  # a zero byte alone is no sign of another encoding


@pytest.mark.parametrize(
    ("encoding", "named", "line"),
    [
        ("cp949", "CP949 (EUC-KR)", 1),
        ("utf-16", "UTF-16", 1),
        ("utf-16-le", "UTF-16LE", 1),
        ("utf-16-be", "UTF-16BE", 1),
        ("utf-32", "UTF-32", 1),
    ],
)
def test_the_command_of_the_message_makes_it_readable(
    tmp_path: Path, encoding: str, named: str, line: int
) -> None:
    file = tmp_path / NAME
    file.write_bytes(TEXT.encode(encoding))
    with pytest.raises(NotUtf8Error) as caught:
        decode_utf8(file.read_bytes(), NAME)
    assert f"is not UTF-8 (line {line}) but looks like {named}; convert it with: " in str(
        caught.value
    )
    command = str(caught.value).partition("convert it with: ")[2]
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    assert decode_utf8(file.read_bytes(), NAME) == TEXT


def test_bytes_that_are_no_text_of_a_known_encoding_name_their_line() -> None:
    with pytest.raises(NotUtf8Error, match=r"is not UTF-8 text \(line 2\): save it as UTF-8"):
        decode_utf8(b"fine\n\xff\x00\x81\xff odd\n", NAME)
