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
        ("a: [" * 5000, "nested more than 50 deep"),
        ("a: " + "[" * 51 + "]" * 51, "nested more than 50 deep"),
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


@pytest.mark.parametrize("with_places", [False, True])
def test_an_anchor_given_again_counts_from_there(tmp_path: Path, with_places: bool) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: &x 1\nb: *x\nc: &x 2\nd: *x\n")
    assert read_yaml(file, with_places=with_places) == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_nine_lines_of_aliases_are_not_a_billion_values(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    file = tmp_path / "laughs.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(UnreadableYamlError, match="more than 1000000 values"):
        read_yaml(file)


@pytest.mark.parametrize("with_places", [False, True])
def test_eight_lines_of_merges_are_not_a_hundred_million_keys(
    tmp_path: Path, with_places: bool
) -> None:
    """'<<' is copied while a file is read: 582 bytes took three minutes."""
    lines = [f"a0: &a0 {{{', '.join(f'k{i}: 1' for i in range(10))}}}"]
    lines += [
        f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}], x{i}: 1}}" for i in range(1, 8)
    ]
    file = tmp_path / "merges.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(UnreadableYamlError, match="'<<' stand for more than 1000000 values"):
        read_yaml(file, with_places=with_places)
    file.write_text("a: &a {<<: *a}", encoding="utf-8")
    with pytest.raises(UnreadableYamlError, match="'<<' stand for"):
        read_yaml(file, with_places=with_places)
    file.write_text("\n".join(lines[:3]), encoding="utf-8")
    assert read_yaml(file, with_places=with_places)["a2"]["k3"] == 1


def test_a_long_time_of_day_is_not_worked_through(tmp_path: Path) -> None:
    file = tmp_path / "time.yaml"
    file.write_text("%YAML 1.1\n---\na: " + ":".join(["59"] * 200_000), encoding="utf-8")
    with pytest.raises(UnreadableYamlError, match="more than 1,000 digits"):
        read_yaml(file)


def test_a_directory_a_missing_file_and_other_encodings(tmp_path: Path) -> None:
    (tmp_path / "korean.yaml").write_bytes("a: 안전모".encode("cp949"))
    for name, reason in (("", "directory"), ("none.yaml", "No such"), ("korean.yaml", "UTF-8")):
        with pytest.raises(UnreadableYamlError, match=reason):
            read_yaml(tmp_path / name)
