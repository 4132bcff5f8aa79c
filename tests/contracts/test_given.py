"""What no file or server can be called ends in one kind of error, with exit code 2."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardianflow.contracts.errors import ConfigurationError
from guardianflow.contracts.given import given_path, given_url

ANY_TEXT = st.text(st.characters(), max_size=40)  # half characters too
PIECES = st.lists(
    st.sampled_from(
        ["/", "//", "~", "..", "[", "]", ":", "@", "a" * 300, "\0", "\udcff", "%", "é"]
    ),
    max_size=8,
).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANY_TEXT | PIECES)
def test_a_path_can_be_looked_up_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    with contextlib.suppress(ConfigurationError):
        path = given_path(text)
        base = tmp_path_factory.getbasetemp()
        for place in (path, base / path):
            assert place.exists() >= place.is_file()
            assert place.absolute().is_absolute()
        str(path).encode()


@given(ANY_TEXT | PIECES, st.sampled_from(["", "https://", "git+ssh://u:p@", "s3://", "demo://"]))
def test_a_url_has_parts_or_is_refused(text: str, start: str) -> None:
    with contextlib.suppress(ConfigurationError):
        parts = given_url(start + text)
        assert parts.netloc is not None and (parts.port is None or parts.port >= 0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("~no-such-user-here/x", "no home directory for ~no-such-user-here"),
        ("a\0b", "null character"),
        ("x" * 300, "File name too long"),
        ("a/" * 3000, "it has 6000 bytes"),
        ("\udcff.yaml", "not UTF-8"),
    ],
)
def test_why_a_path_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        given_path(text)
    assert len(str(caught.value)) < 250


def test_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(ConfigurationError, match="symbolic links"):
        given_path(tmp_path / "circle")


def test_a_tilde_is_a_letter_where_no_home_is_meant() -> None:
    assert given_path("~1.jpg", home=False) == Path("~1.jpg")
    assert given_path("~") == Path.home()


@pytest.mark.parametrize("text", ["https://[::1", "git+https://[", "https://h:port/", "s3://["])
def test_a_url_that_can_t_be_split_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a URL") as caught:
        given_url(text.replace("://", "://user:secret@"))
    assert "secret" not in str(caught.value)
