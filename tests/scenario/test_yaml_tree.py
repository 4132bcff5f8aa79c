"""YAML text → values with places; whatever is wrong with the text is told with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenario.yaml_tree import MAX_VALUES, read_document, read_value


def told(text: str) -> list[str]:
    return [str(problem) for problem in read_document(text, "s.yaml").problems]


def test_values_and_places() -> None:
    document = read_document("a:\n  b: [1, x]\n  c: 1e-3\nd:\n", "s.yaml")
    assert document.problems == []
    assert document.values == {"a": {"b": [1, "x"], "c": 0.001}, "d": None}
    assert document.places["a", "b", 1].value == (2, 10)
    assert document.places["a", "c"].value == (3, 6)
    assert document.places["a", "c"].key == (3, 3)
    assert document.places["d",].value == (4, 1), "nothing written: look at the key"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-0x1F", -31),
        ("1_000", 1000),
        ("0.5", 0.5),
        (".inf", float("inf")),
        ("true", True),
        ("yes", "yes"),
        ("no", "no"),
        ("null", None),
        ("~", None),
        ("", None),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("2026-11-21", "2026-11-21"),
        ("[1, [a, {b: 2}]]", [1, ["a", {"b": 2}]]),
        ("동화엔텍", "동화엔텍"),
        ("demo://ppe", "demo://ppe"),
        ("C:\\data\\x", "C:\\data\\x"),
        ("{1: a, true: b}", {"1": "a", "true": "b"}),
    ],
)
def test_one_value(text: str, value: object) -> None:
    assert read_value(text) == value


@pytest.mark.parametrize("text", ["012", "1.10", "12e45678", "0o17", "1_000"])
def test_numbers_keep_the_text_they_were_written_as(text: str) -> None:
    assert getattr(read_value(text), "source_text", None) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: b: c\n", "s.yaml:1:5: not valid YAML: mapping values are not allowed here; "
         "the line reads: a: b: c"),
        ("a:\n\tb: 1\n", "s.yaml:2:1: not valid YAML: a tab indents this line; YAML takes spaces"),
        ("a: [1, 2\n", "s.yaml:2:1: not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\nb 2\nc: 3\n", "s.yaml:3:1: not valid YAML: could not find expected ':'"),
        ("a: @x\n", "s.yaml:1:4: not valid YAML: found character '@'"),
        ("a: *x\n", "s.yaml:1:4: not valid YAML: found undefined alias 'x'"),
        ("a: 1\n---\nb: 2\n", "s.yaml:2:1: not valid YAML: but found another document"),
        ("a: 1\nb: \x01\n", "s.yaml:2:4: the character U+0001 is not allowed in YAML; remove it"),
        ("", "s.yaml: the file is empty; a scenario has at least name, site, task, model and"),
        ("# only a comment\n", "s.yaml: the file is empty"),
        ("- 1\n- 2\n", "s.yaml:1:1: a scenario must be a mapping like 'name: …' at its top but is "
         "a list"),
        ("hello\n", "s.yaml:1:1: a scenario must be a mapping like 'name: …' at its top but is a "
         "single value"),
        ("a: 1\nb: 2\na: 3\n", "s.yaml:3:1: key 'a' is given twice; first on line 1"),
        ("a: !!python/object/apply:os.system [ls]\n", "s.yaml:1:4: the tag "
         "tag:yaml.org,2002:python/object/apply:os.system is not allowed; write a plain value"),
        ("a: !mine x\n", "s.yaml:1:4: the tag !mine is not allowed"),
        ("a: !!int many\n", "s.yaml:1:4: 'many' can't be read as int"),
        ("a: !!bool maybe\n", "s.yaml:1:4: 'maybe' can't be read as bool"),
        (f"a: {'9' * 5000}\n", "a number of 5000 characters"),
        ("a: &x [*x]\n", "s.yaml:1:4: this alias names the value that it is part of"),
        ("a: &x {<<: *x}\n", "this alias names the value that it is part of"),
        ("&r\nb: {<<: [{<<: *r}]}\n", "this alias names the value that it is part of"),
        ("a: {<<: 5}\n", "s.yaml:1:9: '<<' takes a mapping or a list of mappings"),
        ("? [a, b]\n: 1\n", "s.yaml:1:3: a key must be text"),
        (": 1\n", "s.yaml:1:1: a key is missing before this ':'"),
        ("[" * 1_000, "s.yaml: it is nested too deep to be read"),
        ("a: " + "[" * 60 + "]" * 60, "s.yaml:1:54: it is nested more than 50 deep"),
        ("%YAML 9.9\n---\na: 1\n", "s.yaml:1:1: not valid YAML: found incompatible YAML document"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(text: str, said: str) -> None:
    (problem,) = told(text)
    assert said in problem
    assert len(problem) < 400


def test_every_duplicate_key_is_told() -> None:
    assert len(told("a: {x: 1, x: 2}\nb: {y: 1, y: 2, y: 3}\n")) == 3


def test_a_long_line_is_shown_in_part() -> None:
    (problem,) = told("a: b: " + "c" * 10_000)
    assert len(problem) < 300


def test_anchors_and_merges() -> None:
    text = (
        "base: &b {x: 1, y: 2}\nother: &o {y: 5, z: 6}\nuse:\n  <<: [*b, *o]\n  x: 9\nagain: *b\n"
    )
    document = read_document(text, "s.yaml")
    assert document.problems == []
    assert document.values["use"] == {"x": 9, "y": 2, "z": 6}
    assert document.values["again"] == {"x": 1, "y": 2}
    assert document.values["again"] is not document.values["base"], "an override changes one alone"
    assert document.places["use", "y"].value == (1, 20)
    nested = "a: &a {x: 1, y: 1}\nb: &b {<<: *a, x: 2}\nc: {<<: *b}\n"
    assert read_document(nested, "s.yaml").values["c"] == {"x": 2, "y": 1}


def test_a_name_of_an_anchor_may_be_used_again() -> None:
    document = read_document("a: &x 1\nb: &x 2\nc: *x\n", "s.yaml")
    assert document.values == {"a": 1, "b": 2, "c": 2}


@pytest.mark.parametrize(
    "line", ["{name}: &{name} [{before}]\n", "{name}: &{name} {{<<: [{before}]}}\n"]
)
def test_text_that_grows_without_end_is_stopped(line: str) -> None:
    text = "a0: &a0 {k: 1}\n" if "<<" in line else "a0: &a0 [1]\n"
    for i in range(1, 12):
        before = ", ".join([f"*a{i - 1}"] * 9)
        text += line.format(name=f"a{i}", before=before)
    found = told(text)
    assert len(found) <= 1
    assert all(f"more than {MAX_VALUES} values" in problem for problem in found)


@given(st.text(max_size=60))
def test_any_text_is_read_or_told_never_a_foreign_error(text: str) -> None:
    document = read_document(text, "s.yaml")
    assert document.problems or isinstance(document.values, dict)
    try:
        read_value(text)
    except ValueError as error:
        assert str(error)
