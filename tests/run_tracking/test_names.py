"""What is written under which key, name and value."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name, _validate_param_name, _validate_tag_name

from guardianflow.contracts.errors import SourceError
from guardianflow.run_tracking import names, references
from guardianflow.run_tracking.references import ModelReference, parse_reference


@given(st.text(max_size=300) | st.from_regex(r"[a-z./ ]{1,12}", fullmatch=True))
def test_every_name_becomes_a_key_that_mlflow_takes(name: str) -> None:
    key = names.legal_key(name)
    assert 0 < len(key) <= 250
    _validate_metric_name(key)
    _validate_param_name(key)
    _validate_tag_name(key)
    assert names.legal_key(key) == key


@given(st.lists(st.text(alphabet="a가()[]/. ", max_size=6), min_size=2, max_size=8, unique=True))
def test_two_names_never_meet_in_one_key(given_names: list[str]) -> None:
    assert len({names.legal_key(name) for name in given_names}) == len(given_names)


@pytest.mark.parametrize(
    "name", ["det.mAP50", "det.ap.hard hat/안전모", "bench.bs1.fps", "a:b", "작업자-1"]
)
def test_what_mlflow_takes_stays(name: str) -> None:
    assert names.legal_key(name) == name


def test_a_refused_name_stays_readable_and_its_two_spellings_are_one() -> None:
    assert re.fullmatch(r"ap\.hat _new_-[0-9a-f]{10}", names.legal_key("ap.hat (new)"))
    decomposed = unicodedata.normalize("NFD", "안전모(새)")
    assert names.legal_key(decomposed) == names.legal_key("안전모(새)")


@given(st.text(max_size=400), st.integers(50, 100))
def test_a_text_is_kept_or_cut_with_a_mark(text: str, limit: int) -> None:
    stored = names.stored_text(text, limit)
    assert len(stored) <= limit
    stored.encode("utf-8")
    assert "\x00" not in stored
    if "\x00" not in text and len(text) <= limit:
        assert stored == text
    if len(text) > limit:
        assert re.search(r"… \[cut: \d+ characters\]$", stored)


def test_a_file_name_that_is_no_text_is_escaped() -> None:
    assert names.stored_text(b"a\xff".decode("utf-8", "surrogateescape"), 100) == r"a\udcff"


@pytest.mark.parametrize(
    ("given_name", "registered"),
    [
        ("donghwa-entec/busan-plant1/welding/ppe", "donghwa-entec.busan-plant1.welding.ppe"),
        ("a.b.c.ppe__openvino_int8", "a.b.c.ppe__openvino_int8"),
        ("동화/부산-1공장/용접 구역/ppe", "동화.부산-1공장.용접 구역.ppe"),
        ("ppe", "ppe"),
        (unicodedata.normalize("NFD", "동화/ppe"), "동화.ppe"),
    ],
)
def test_both_forms_name_one_model(given_name: str, registered: str) -> None:
    assert names.registered_name(given_name) == registered
    assert names.registered_name(names.display_name(registered)) == registered


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("a:b", "':'"),
        ("a%b", "'%'"),
        ("a/b@c", "'@'"),
        ("a/b.c", "mixes"),
        ("a//b", "empty"),
        ("", "empty"),
        ("a/ b", "space"),
        ("a\nb", r"'\\n'"),
        ("a" * 251, "250"),
        ("it's", '"\'"'),
    ],
)
def test_a_name_that_mlflow_would_refuse_says_why(wrong: str, why: str) -> None:
    with pytest.raises(SourceError, match=why):
        names.registered_name(wrong)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("models:/a/b/ppe@champion", ModelReference("a.b.ppe", alias="champion")),
        ("models:/a.b.ppe@champion", ModelReference("a.b.ppe", alias="champion")),
        ("models:/a/b/ppe/3", ModelReference("a.b.ppe", version="3")),
        ("models:/a.b.ppe/03", ModelReference("a.b.ppe", version="3")),
        ("models:/a/b/ppe", ModelReference("a.b.ppe")),
        ("models:/a/b/ppe/latest", ModelReference("a.b.ppe")),
        ("models:/ppe", ModelReference("ppe")),
        ("runs:/abc", ModelReference(run_id="abc")),
        ("runs:/abc/", ModelReference(run_id="abc")),
    ],
)
def test_references_are_read(text: str, reference: ModelReference) -> None:
    assert parse_reference(text) == reference


@pytest.mark.parametrize(
    "wrong", ["", "models:/", "runs:/", "best.pt", "model:/a", "models:a", "runs:/abc/weights/b.pt"]
)
def test_what_is_no_reference_says_what_was_expected(wrong: str) -> None:
    with pytest.raises(SourceError, match="Expected"):
        parse_reference(wrong)


@pytest.mark.parametrize("alias", ["candidate", "champion", "rollback", "현장-1"])
def test_aliases_that_mlflow_takes(alias: str) -> None:
    assert references.check_alias(alias) == alias


@pytest.mark.parametrize("alias", ["", "latest", "v1", "V22", "a b", "a.b", "a/b"])
def test_aliases_that_mlflow_refuses(alias: str) -> None:
    with pytest.raises(SourceError, match="can't be an alias"):
        references.check_alias(alias)


@pytest.mark.parametrize(
    ("given_path", "stored"),
    [("a/b.pt", "a/b.pt"), ("/a//b/", "a/b"), ("./a", "a"), ("", ""), ("a\\b", "a/b")],
)
def test_artifact_paths_have_one_form(given_path: str, stored: str) -> None:
    assert names.artifact_path(given_path) == stored
