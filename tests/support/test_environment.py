"""Variables that are set for a while."""

from __future__ import annotations

import os

import pytest

from guardianflow.support.environment import environment


def test_the_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GF_A", "GF_C", "GF_D"):
        monkeypatch.setenv(name, "before")
    monkeypatch.delenv("GF_B", raising=False)
    with environment({"GF_A": "now", "GF_B": "now", "GF_D": None}, restored=["GF_C"]):
        assert (os.environ["GF_A"], os.environ["GF_B"]) == ("now", "now")
        assert os.environ["GF_C"] == "before"
        assert "GF_D" not in os.environ
        os.environ["GF_C"] = "changed by a library"
    assert os.environ["GF_A"] == os.environ["GF_C"] == os.environ["GF_D"] == "before"
    assert "GF_B" not in os.environ


def test_it_is_put_back_after_a_failure_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GF_A", "before")
    with pytest.raises(ZeroDivisionError), environment({"GF_A": "now"}):
        1 / 0  # noqa: B018
    assert os.environ["GF_A"] == "before"
