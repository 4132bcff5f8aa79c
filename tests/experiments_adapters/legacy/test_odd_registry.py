"""Whatever a registry of old scripts holds: entries, or a ConfigurationError. Nothing else."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments_adapters.legacy.registry import parse_registry
from experiments_adapters.legacy.registry_schema import check_metric_pattern
from guardianflow.contracts.errors import ConfigurationError

ODD = [
    "[x]", "{}", "{a: b}", "[[1]]", "0x" + "f" * 4300, "9" * 5000, ".nan", "-1", "~", "true", '""',
    '"\\0"', '"a\\0b"', '"\\ud800"', "~no-such-user/x", "a" * 300, "${NOT_SET}", "${", "/", "!x y",
    "&a [*a]", "{[1]: 2}", "2020-99-99", "a/../../b", '"{script"', '"{0}"', "%s",
]  # fmt: skip
ENTRY = {
    "path": "scripts", "site": "{customer: c, region: r}", "task": "{type: ppe}",
    "entry_points": "{train: {script: train.py}}", "env": "{python: python3}", "timeout_s": "5",
    "working_dir": ".",
}  # fmt: skip
KEYS = [*ENTRY, "artifacts", "register", "metrics", "tags"]


def use(text: str) -> None:
    with contextlib.suppress(ConfigurationError):
        for each in parse_registry(text, Path("experiments.yaml")):
            each.todos()
            with contextlib.suppress(ConfigurationError):
                assert each.directory.is_dir() in (True, False)
            with contextlib.suppress(ConfigurationError):
                each.entry_point("train")


@pytest.mark.parametrize("key", KEYS)
def test_odd_values_of_every_key(key: str) -> None:
    for value in ODD:
        lines = "".join(f"    {k}: {v}\n" for k, v in (ENTRY | {key: value}).items())
        use(f"experiments:\n  odd:\n{lines}")
        use(f"experiments:\n  {value}:\n    path: x\n")


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text(text: str) -> None:
    use(text)
    use(f"experiments: {text}")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("(" * 5000, "nested too deep"), ("(?P<mAP50>a{99999999999999})", "too large")],
    ids=["deep", "large"],
)
def test_a_pattern_that_python_can_not_compile_is_told(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_metric_pattern(pattern)
