"""No YAML of others breaks who reads it: values, or one kind of error."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardianflow.support.foreign_yaml import UnreadableYamlError, read_yaml

WORDS = [
    *"a1[]{}|>\"'#~\t\n", "  ", ": ", "- ", "? ", "&x ", "*x", "<<: ", "!!int ", "!x ",
    "0x", "2020-99-01", ".nan", "---\n", "%YAML 9\n",
]  # fmt: skip
YAML_LIKE = st.lists(st.sampled_from(WORDS), max_size=14).map(lambda words: "".join(words).encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.binary(max_size=40)
    | st.lists(st.sampled_from(WORDS), max_size=14).map(lambda w: "".join(w).encode()),
    st.booleans(),
)
def test_every_content_is_values_or_the_one_error(
    tmp_path: Path, content: bytes, with_places: bool
) -> None:
    file = tmp_path / "any.yaml"
    file.write_bytes(content)
    with contextlib.suppress(UnreadableYamlError):
        str(read_yaml(file, with_places=with_places))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a: [" * 5000, "can't be read|not valid"),
        ("a: " + "9" * 5000, "can't be read as YAML: ValueError"),
        ("a: !!int many", "can't be read as YAML: ValueError"),
        ("a: &a [*a]", "aliases stand for more than"),
        ("[1, 2", "not valid YAML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: str, reason: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(UnreadableYamlError, match=reason):
        read_yaml(file)


def test_nine_lines_of_aliases_are_not_a_billion_values(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    file = tmp_path / "laughs.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(UnreadableYamlError, match="more than 1000000 values"):
        read_yaml(file)


def test_a_directory_a_missing_file_and_other_encodings(tmp_path: Path) -> None:
    (tmp_path / "korean.yaml").write_bytes("a: 안전모".encode("cp949"))
    for name, reason in (("", "directory"), ("none.yaml", "No such"), ("korean.yaml", "UTF-8")):
        with pytest.raises(UnreadableYamlError, match=reason):
            read_yaml(tmp_path / name)
