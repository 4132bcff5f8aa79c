"""Whatever a data.yaml holds: a layout with its problems, or a DatasetError. Nothing else."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardianflow.contracts.errors import ConfigurationError, DatasetError
from guardianflow.site_data.data_yaml import read_layout
from guardianflow.site_data.datasets import resolve_dataset

GOOD = {"path": ".", "train": "images/train", "val": "images/val", "names": "[a, b]", "nc": "2"}
ODD = [
    "[train]", "{}", "{a: b}", "[[1]]", "0x" + "f" * 4300, "9" * 5000, "1000000000000", "-1", "1.5",
    ".nan", "²", "true", "~", "!!int x", "!x y", "&a [*a]", '"\\0"', '"a\\0b"', '"\\ud800"',
    "~no-such-user/x", "~", "a" * 300, "[" + "a, " * 5 + "{}]", "{1: a, 0: b}", "{x: a}",
    "{0: a, 2: b}", "{[1]: a}", "{0: [a], 1: b}", "[1, null, true]", "../../../etc", "/", "s3://[",
    "{<<: {0: a}}",
]  # fmt: skip


def written(**values: str) -> str:
    return "".join(f"{key}: {value}\n" for key, value in (GOOD | values).items())


@pytest.mark.parametrize("key", [key for key in GOOD if key != "path"])
def test_odd_values_of_every_key(tmp_path: Path, key: str) -> None:
    file = tmp_path / "data.yaml"
    for value in ODD:
        file.write_text(written(**{key: value}), encoding="utf-8")
        with contextlib.suppress(DatasetError):
            assert all(str(problem) for problem in read_layout(file).problems)


@pytest.mark.parametrize("key", ["train", "val", "test"])
def test_no_disk_is_read_for_images(tmp_path: Path, key: str) -> None:
    file = tmp_path / "data.yaml"
    for value in ("/", "../" * 40, "//"):
        file.write_text(written(**{key: value}), encoding="utf-8")
        told = [str(problem) for problem in read_layout(file).problems]
        assert any(f"'{key}' is /" in each and "the whole disk" in each for each in told)


@pytest.mark.parametrize("value", ODD)
def test_odd_roots(tmp_path: Path, value: str) -> None:
    file = tmp_path / "data.yaml"
    file.write_text(written(path=value), encoding="utf-8")
    with contextlib.suppress(DatasetError):
        read_layout(file)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "ignore"))
)
def test_any_content(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.yaml").write_bytes(content)
    with contextlib.suppress(DatasetError):
        read_layout(tmp_path / "data.yaml")


def test_a_billion_names_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    (tmp_path / "data.yaml").write_text("\n".join([*lines, "names: *a8"]), encoding="utf-8")
    with pytest.raises(DatasetError, match="aliases stand for more than"):
        read_layout(tmp_path / "data.yaml")


@pytest.mark.parametrize(
    "listing", [b"\xff\xfe", b"a\0b\n", b"a" * 5000, "사진.jpg".encode("cp949")]
)
def test_a_listing_that_is_no_list_of_paths(tmp_path: Path, listing: bytes) -> None:
    (tmp_path / "list.txt").write_bytes(listing)
    file = tmp_path / "data.yaml"
    file.write_text(written(train="list.txt"), encoding="utf-8")
    assert any("list.txt" in str(problem) for problem in read_layout(file).problems)


@pytest.mark.parametrize(
    "reference",
    ["s3://[", "demo://[", "demo://ppe?images=" + "9" * 5000, "demo://ppe?seed=²",
     "~no-such-user/x", "a" * 300, "a\0b", "\udcff"],
)  # fmt: skip
def test_a_reference_that_leads_nowhere(tmp_path: Path, reference: str) -> None:
    with pytest.raises(ConfigurationError):
        resolve_dataset(reference, cache_dir=tmp_path)
