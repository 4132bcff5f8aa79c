from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardianflow.site_data.labels import label_path_of, parse_labels, to_pixels

LABEL = Path("labels/a.txt")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("0 0.5 0.5 0.5", "5 columns"),
        ("0 0.5 0.5 0.5 0.5 0.9", "a confidence"),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.3", "an outline has a class and pairs"),
        ("0 0.1 0.1 0.2 0.1 0.2 1.2", "0 to 1"),
        ("0 0.1 0.1 0.2 0.1 0.3 0.1", "above 0"),
        ("0 1.011 0.5 0.5 0.5", "0 to 1"),
        ("0 1.005 0.5 0.005 0.5", "outside of the image"),
        ("0 0.5 0.5 0.5 x", "5 numbers"),
        ("0 120 64 30 30", "0 to 1"),
        ("0 -0.5 0.5 0.5 0.5", "0 to 1"),
        ("0 nan 0.5 0.5 0.5", "0 to 1"),
        ("0 0.5 0.5 0 0.5", "above 0"),
        ("2 0.5 0.5 0.5 0.5", "class id 2 is unknown"),
        ("-1 0.5 0.5 0.5 0.5", "class id -1 is unknown"),
        ("0.5 0.5 0.5 0.5 0.5", "whole number"),
        ("inf 0.5 0.5 0.5 0.5", "whole number"),
    ],
)
def test_a_bad_row_is_named_with_its_line_and_the_others_are_read(row: str, said: str) -> None:
    rows = parse_labels(f"0 0.5 0.5 0.2 0.2\n\n{row}\n".encode(), LABEL, class_count=2)
    assert [p.where for p in rows.problems] == [f"{LABEL}:3"]
    assert said in rows.problems[0].message
    assert len(rows.class_ids) == 1


def test_rows_may_end_in_windows_fashion_and_repeat_themselves() -> None:
    content = "\ufeff1.0 0.5 0.5 0.2 0.2\r\n1 0.5 0.5 0.2 0.2\r\n0 1.0005 0.5 0.2 0.2\r\n".encode()
    rows = parse_labels(content, LABEL, class_count=2)
    assert rows.problems == []
    assert rows.class_ids.tolist() == [1, 0]


def test_a_label_file_that_is_not_text_is_a_problem() -> None:
    rows = parse_labels(b"\xff\xfe\x00binary", LABEL, class_count=1)
    assert len(rows.problems) == 1 and "UTF-8" in rows.problems[0].message


def test_no_rows_means_no_boxes() -> None:
    rows = parse_labels(b"\n", LABEL, class_count=1)
    assert rows.boxes_cxcywh.shape == (0, 4)
    assert to_pixels(rows.boxes_cxcywh, 10, 10).shape == (0, 4)


shares = st.floats(0, 1)


@given(
    boxes=st.lists(st.tuples(shares, shares, st.floats(0.01, 1), st.floats(0.01, 1)), min_size=1),
    width=st.integers(1, 4000),
    height=st.integers(1, 4000),
)
def test_pixel_boxes_are_ordered_inside_and_as_large_as_said(
    boxes: list[tuple[float, float, float, float]], width: int, height: int
) -> None:
    given_boxes = np.array(boxes)
    found = to_pixels(given_boxes, width, height)
    assert found.dtype == np.float32
    assert (found[:, :2] <= found[:, 2:]).all() and (found >= 0).all()
    assert (found <= np.array([width, height, width, height], np.float32)).all()
    whole = (given_boxes[:, :2] >= given_boxes[:, 2:] / 2).all(axis=1)
    whole &= (given_boxes[:, :2] + given_boxes[:, 2:] / 2 <= 1).all(axis=1)
    sides = (found[:, 2:] - found[:, :2])[whole]
    np.testing.assert_allclose(
        sides, given_boxes[whole, 2:] * [width, height], rtol=1e-3, atol=1e-2
    )


def test_labels_are_looked_for_where_ultralytics_does() -> None:
    assert label_path_of(Path("/images/x/images/train/a.b.jpg")) == Path(
        "/images/x/labels/train/a.b.txt"
    )
    assert label_path_of(Path("/flat/a.png")) == Path("/flat/a.txt")
