"""A note of a switch that is not as we write it stops no pull and moves no link."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_bundles import made_bundle

from guardianflow.release.bundle.build import Bundle
from guardianflow.release.bundle.check import CURRENT, PREVIOUS, check_directory, linked_name
from guardianflow.release.bundle.install import NOTE, BundleDirectory


def pull(target: Path, bundle: Bundle) -> str:
    with BundleDirectory.opened(target) as directory:
        return directory.install(bundle).name


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """Two bundles, the second current."""
    target = tmp_path / "box"
    for version in (1, 2):
        pull(target, made_bundle(tmp_path, version))
    return target


def links(box: Path) -> tuple[str | None, str | None]:
    return linked_name(box, CURRENT), linked_name(box, PREVIOUS)


def text(content: str | bytes) -> Callable[[Path], None]:
    return lambda note: note.write_bytes(content.encode() if isinstance(content, str) else content)


def planned(**values: object) -> Callable[[Path], None]:
    def write(note: Path) -> None:
        current = linked_name(note.parent, CURRENT)
        note.write_text(json.dumps({"current": current, "previous": None} | values))

    return write


def a_directory(note: Path) -> None:
    (note / "inside").mkdir(parents=True)


def a_link(note: Path) -> None:
    elsewhere = note.parent.parent / "elsewhere.json"
    planned(previous=None)(note)
    note.rename(elsewhere)
    note.symlink_to(elsewhere)


def a_pipe(note: Path) -> None:
    note.symlink_to("/dev/zero")  # read, it would never end


DAMAGED = {
    "empty": text(""),
    "cut": text('{"current": "x", "prev'),
    "a list": text("[1, 2]"),
    "a number": text("7"),
    "no keys": text("{}"),
    "one key": text('{"current": "x"}'),
    "not utf-8": text(b"\xff\xfe\x00"),
    "deep": text("[" * 100_000),
    "previous elsewhere": planned(previous="../../../etc"),
    "previous absolute": planned(previous="/etc"),
    "previous above": planned(previous=".."),
    "previous that is not there": planned(previous="no-such-bundle"),
    "previous a number": planned(previous=3),
    "previous a list": planned(previous=["x"]),
    "previous with a null": planned(previous="a\0b"),
    "previous empty": planned(previous=""),
    "current a list": planned(current=[]),
    "current elsewhere": planned(current="../box"),
    "a directory": a_directory,
    "a link": a_link,
    "an endless link": a_pipe,
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_note_leaves_the_links_and_the_next_pull_works(
    kind: str, box: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = links(box)
    DAMAGED[kind](box / NOTE)
    with BundleDirectory.opened(box):
        assert links(box) == before
    assert not os.path.lexists(box / NOTE)
    assert f"{box / NOTE} could not be read and was removed" in caplog.text
    name = pull(box, made_bundle(tmp_path, 3))
    assert links(box) == (name, before[0])
    assert check_directory(box).intact


def test_a_link_in_the_notes_place_is_removed_and_not_what_it_names(box: Path) -> None:
    a_link(box / NOTE)
    elsewhere = (box / NOTE).readlink()
    with BundleDirectory.opened(box):
        pass
    assert elsewhere.is_file() and not os.path.lexists(box / NOTE)


def test_a_sound_note_is_still_carried_out(box: Path, caplog: pytest.LogCaptureFixture) -> None:
    planned(previous=None)(box / NOTE)
    with BundleDirectory.opened(box):
        pass
    assert linked_name(box, PREVIOUS) is None
    assert caplog.text == ""


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=60),
        st.text(max_size=60).map(lambda each: each.encode("utf-8", "surrogatepass")),
    )
)
def test_no_content_of_a_note_stops_a_pull(box: Path, content: bytes) -> None:
    before = links(box)
    (box / NOTE).write_bytes(content)
    with BundleDirectory.opened(box):
        assert links(box) == before
    assert not os.path.lexists(box / NOTE)
