"""Bytes to code: every encoding, and no bytes that raise."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from experiments_adapters.legacy.scan.classify import Neighbours, classify
from experiments_adapters.legacy.scan.code_facts import read_facts
from experiments_adapters.legacy.scan.options import read_options, template_of
from experiments_adapters.legacy.scan.source import MAX_BYTES, first_side, read_source

PIECES = st.sampled_from(
    [
        *("print 'x'\n", "<<<<<<< HEAD\n", "=======\n", ">>>>>>> b\n", "\t", " ", "\n", "(", ")"),
        *("from ultralytics import YOLO\n", "m = YOLO('a')\n", "m.train(data='b')\n", "\x0c", "\0"),
        *("import argparse\np = argparse.ArgumentParser()\n", "p.add_argument('--x', default="),
        *("# -*- coding: cp949 -*-\n", "# coding: nonsense\n", "학습", "f'{", "}'", "async "),
        *("1)", "lambda:"),
        *("if not exists(a):\n  ", "def f(", "class A:\n  ", "x = x.y\n", "{", "'''", "\\"),
    ]
)  # fmt: skip


def whole(content: bytes, name: str) -> None:
    source = read_source(content, name)
    facts = read_facts(source)
    verdict = classify(name, source, facts, Neighbours(("b.py",), {"m": facts}))
    assert verdict.kind in ("train", "infer", "quant", "other")
    assert 0 < verdict.confidence < 1
    template_of(read_options(source.tree)[0])


@given(st.binary(max_size=300), st.sampled_from(["train.py", "a.ipynb", "x.sh"]))
@example(b"# coding: utf-8-sig\n\xff", "train.py")
@example(b"#coding:rot13\nvzcbeg gbepu", "train.py")
@example(b"(" * 5000, "train.py")
@example(b"-" * 5000 + b"1", "train.py")
@example(b"x" + b".a" * 5000 + b"()", "train.py")
@example(b"[" * 20000, "a.ipynb")
@example(b'{"cells": [1, null, {"cell_type": "code", "source": 3}]}', "a.ipynb")
@settings(max_examples=150, deadline=None)
def test_no_bytes_raise(content: bytes, name: str) -> None:
    whole(content, name)


@given(st.lists(PIECES, max_size=25).map("".join))
@settings(max_examples=150, deadline=None)
def test_no_pieces_of_code_raise(text: str) -> None:
    whole(text.encode(), "학습_v2.py")
    cells = {"cells": [{"cell_type": "code", "source": text.splitlines(keepends=True)}]}
    whole(json.dumps(cells).encode(), "a.ipynb")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "euc-kr"])
def test_korean_comments_in_any_encoding(encoding: str) -> None:
    text = "# 학습 스크립트\nfrom ultralytics import YOLO\n"
    text += "YOLO('가중치.pt').train(data='데이터.yaml')\n"
    source = read_source(text.encode(encoding), "t.py")
    assert source.tree is not None
    assert source.doubt == ""
    facts = read_facts(source)
    assert (facts.data, facts.weights) == (("데이터.yaml",), ("가중치.pt",))


def test_a_coding_line_is_believed() -> None:
    text = "# -*- coding: latin-1 -*-\nname = 'caf\u00e9'\n"
    assert "caf\u00e9" in read_source(text.encode("latin-1"), "t.py").text


def test_what_is_no_source_code_is_not_read() -> None:
    for content in (b"\0\1\2" * 50, b"\xff\xfe\0", bytes(range(256)) * 4):
        assert not read_source(content, "t.py").is_code
    large = read_source(b"#" * (MAX_BYTES + 1), "t.py")
    assert not large.is_code
    assert "too much for a script" in large.doubt


def test_the_first_side_of_a_merge_is_read() -> None:
    text = "a\n<<<<<<< HEAD\nb\n||||||| base\nc\n=======\nd\n>>>>>>> x\ne\n"
    assert first_side(text) == "a\nb\ne\n"


def test_a_notebook_is_its_code_without_magics() -> None:
    cells = [
        {"cell_type": "markdown", "source": "from nowhere import nothing ("},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "!yolo train data=a.yaml\n", "1"]},
        {"cell_type": "code", "source": "%%bash\npython export.py"},
        {"cell_type": "code", "source": "this is broken ("},
    ]  # fmt: skip
    source = read_source(json.dumps({"cells": cells}).encode(), "a.ipynb")
    assert source.tree is not None
    assert source.commands == ("yolo train data=a.yaml", "python export.py")
    assert "1 of its 3 cells are broken" in source.doubt
