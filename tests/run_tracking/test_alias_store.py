"""Every promise of AliasStore, kept by MLflow and by the fake alike."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from guardianflow.contracts.errors import SourceError, TrackingError
from guardianflow.run_tracking.alias_store import MlflowAliasStore
from guardianflow.run_tracking.connection import Connection
from guardianflow.run_tracking.fakes.aliases import InMemoryAliasStore
from guardianflow.support.secrets.redaction import learn

NAME = "donghwa-entec/busan-plant1/용접/ppe"
DOTTED = "donghwa-entec.busan-plant1.용접.ppe"
SOURCE = "s3://nowhere/model"  # a server takes no path of its own disk


class Kept:
    """A store, and what makes and deletes versions behind it."""

    def __init__(self, store: Any, client: Any = None) -> None:
        self.store, self.client = store, client

    def add(self, name: str = DOTTED, **tags: str) -> str:
        if self.client is None:
            return str(self.store.add_version(name, tags))
        if name not in [each.name for each in self.client.search_registered_models()]:
            self.client.create_registered_model(name)
        return str(self.client.create_model_version(name, SOURCE, tags=tags).version)

    def delete(self, version: str) -> None:
        if self.client is None:
            self.store.delete_version(DOTTED, version)
        else:
            self.client.delete_model_version(DOTTED, version)


@pytest.fixture(params=["sqlite", "memory", pytest.param("server", marks=pytest.mark.slow)])
def kept(request: pytest.FixtureRequest) -> Kept:
    if request.param == "memory":
        return Kept(InMemoryAliasStore())
    if request.param == "server":
        uri = request.getfixturevalue("server").url
    else:
        uri = request.getfixturevalue("sqlite_uri")
    return Kept(MlflowAliasStore(uri), Connection(uri).client)


def test_versions_come_in_order_with_tags_and_aliases(kept: Kept) -> None:
    for number in range(11):
        assert kept.add(**{"release.outcome": "pass", "release.champion_version": ""}) == str(
            number + 1
        )
    kept.store.set_alias(NAME, "champion", "2")
    kept.store.set_alias(DOTTED, "field-test", "2")
    found = kept.store.versions(NAME)
    assert [each.version for each in found] == [str(number) for number in range(1, 12)]
    assert found == kept.store.versions(DOTTED)
    assert [each.aliases for each in found][:3] == [(), ("champion", "field-test"), ()]
    assert (found[0].name, found[0].display_name) == (DOTTED, NAME)
    assert found[0].tags["release.outcome"] == "pass"
    assert found[0].tags["release.champion_version"] == ""
    assert found[0].created_ms > 0


def test_an_alias_moves_in_one_write_and_goes(kept: Kept) -> None:
    kept.add()
    kept.add()
    assert kept.store.aliases(NAME) == {}
    kept.store.set_alias(NAME, "champion", "1")
    kept.store.set_alias(DOTTED, "champion", "2")
    kept.store.set_alias(NAME, "rollback", "1")
    assert kept.store.aliases(NAME) == {"champion": "2", "rollback": "1"}
    kept.store.delete_alias(NAME, "rollback")
    kept.store.delete_alias(NAME, "rollback")  # nothing happens
    assert kept.store.aliases(DOTTED) == {"champion": "2"}


def test_an_alias_of_what_is_not_there_is_refused(kept: Kept) -> None:
    kept.add()
    with pytest.raises(SourceError, match="no version 7; it has: 1"):
        kept.store.set_alias(NAME, "champion", "7")
    with pytest.raises(SourceError, match="can't be an alias"):
        kept.store.set_alias(NAME, "v1", "1")
    assert kept.store.aliases(NAME) == {}


def test_tags_are_written_read_and_deleted(kept: Kept) -> None:
    kept.add(own="a version's")
    kept.store.set_model_tag(NAME, "guardianflow.journal.000001", '{"reason": "안전모"}')
    kept.store.set_model_tag(DOTTED, "guardianflow.claim.ab", "1")
    kept.store.set_model_tag(NAME, "guardianflow.claim.ab", "2")
    assert kept.store.model_tags(NAME) == {
        "guardianflow.journal.000001": '{"reason": "안전모"}',
        "guardianflow.claim.ab": "2",
    }
    kept.store.delete_model_tag(NAME, "guardianflow.claim.ab")
    kept.store.delete_model_tag(NAME, "guardianflow.claim.ab")  # nothing happens
    assert list(kept.store.model_tags(DOTTED)) == ["guardianflow.journal.000001"]


def test_a_tag_as_long_as_a_database_holds_and_no_longer(kept: Kept) -> None:
    kept.add()
    kept.store.set_model_tag(NAME, "long", "가" * 5000)
    assert kept.store.model_tags(NAME)["long"] == "가" * 5000
    with pytest.raises(TrackingError, match="at most 5000 characters but got 5001"):
        kept.store.set_model_tag(NAME, "long", "x" * 5001)


def test_a_deleted_version_goes_with_its_aliases_and_its_number_is_not_given_again(
    kept: Kept,
) -> None:
    kept.add()
    kept.add()
    kept.store.set_alias(NAME, "champion", "2")
    kept.delete("2")
    assert kept.store.aliases(NAME) == {}
    assert [each.version for each in kept.store.versions(NAME)] == ["1"]
    assert kept.add() == "3"
    kept.delete("1")
    kept.delete("3")
    assert list(kept.store.versions(NAME)) == []  # the model itself is still there
    assert kept.store.model_tags(NAME) == {}


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("versions", ()),
        ("aliases", ()),
        ("model_tags", ()),
        ("set_alias", ("champion", "1")),
        ("delete_alias", ("champion",)),
        ("set_model_tag", ("key", "value")),
        ("delete_model_tag", ("key",)),
    ],
)
def test_an_unknown_model_is_named_with_the_nearest(
    kept: Kept, call: str, arguments: tuple[str, ...]
) -> None:
    kept.add()
    method = getattr(kept.store, call)
    with pytest.raises(SourceError, match=f"no registered model.*nearest: {NAME}"):
        method(NAME[:-1], *arguments)
    with pytest.raises(SourceError, match="can't name a model"):
        method("a/b.c", *arguments)


def test_a_store_that_went_away_is_a_tracking_error() -> None:
    with pytest.raises(TrackingError, match="can't be reached"):
        MlflowAliasStore("http://127.0.0.1:9")


def test_promotion_needs_neither_torch_nor_for_the_fake_mlflow() -> None:
    code = (
        "import sys, guardianflow.release.promotion.promotion\n"
        "import guardianflow.run_tracking.fakes.aliases\n"
        "heavy = {'mlflow', 'torch', 'numpy', 'onnx', 'cv2'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_secret_is_in_a_models_tags(kept: Kept, secrets_forgotten: None) -> None:
    kept.add()
    learn("pa55-w0rd-of-kim")
    said = '{"token": "8f2c", "reason": "see https://kim:x@host, pa55-w0rd-of-kim"}'
    kept.store.set_model_tag(NAME, "guardianflow.journal.1", said)
    assert kept.store.model_tags(NAME)["guardianflow.journal.1"] == (
        '{"token": "8f2c", "reason": "see https://REDACTED@host, REDACTED"}'
    )
