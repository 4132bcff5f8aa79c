"""Several problems are told at once, each as one item of a list."""

from __future__ import annotations

from guardianflow.contracts.errors import ConfigurationError, Problem, ScenarioError


def test_a_problem_of_several_lines_stays_one_item() -> None:
    inner = ScenarioError([Problem("must be positive", "epochs"), Problem("is unknown", "mosiac")])
    whole = ScenarioError([Problem(str(inner), "trial-001"), Problem("is missing", "data")])
    assert str(whole).splitlines() == [
        "2 problems:",
        "  - trial-001: 2 problems:",
        "      - epochs: must be positive",
        "      - mosiac: is unknown",
        "  - data: is missing",
    ]


def test_what_a_library_quotes_without_end_is_cut_off() -> None:
    """A seqinfo.ini of one line 3,000 times: its reader names each."""
    quoted = "[line 7]: 'n'\n" * 10_000
    alone = str(ConfigurationError(Problem(quoted, "seqinfo.ini")))
    several = str(ConfigurationError([Problem(quoted, "seqinfo.ini"), "the class is unknown"]))
    for text in (alone, several):
        assert "seqinfo.ini: [line 7]" in text
        assert "…" in text
        assert len(text) < 60_000
    assert "the class is unknown" in several
