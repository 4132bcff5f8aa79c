"""A directory and a bucket keep the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from stored_runs import FLEET, row

from guardianflow.contracts.errors import MetricsStoreError
from guardianflow.metrics_store.filters import RowFilter
from guardianflow.metrics_store.places.opened import open_place
from guardianflow.metrics_store.places.port import Place
from guardianflow.metrics_store.store import MetricsStore

DAY = date(2026, 11, 28)
BUCKET = "metrics"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A real S3 server with an empty bucket; the environment leads to it."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_S3_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "word")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket=BUCKET)
        yield BUCKET
    server.stop()


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.slow)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "directory":
        return str(tmp_path / "store")
    return f"s3://{request.getfixturevalue('bucket')}/{tmp_path.name}/부산"


@pytest.fixture
def place(address: str, tmp_path: Path) -> Place:
    return open_place(address, tmp_path / "kept")


def test_what_was_appended_is_read_in_its_order(place: Place) -> None:
    assert place.journals() == []
    for number in range(3):
        place.append(DAY, b"%d\n" % number)
    content = b"".join(place.read(each.name) for each in place.journals())
    assert content == b"0\n1\n2\n"


def test_sealed_files_are_written_no_more(place: Place) -> None:
    for _ in range(2):
        place.append(DAY, b"a\n")
        sealed = place.seal()
    assert all(each.sealed for each in sealed)
    before = {each.name: place.read(each.name) for each in sealed}
    place.append(DAY, b"b\n")
    assert {name: place.read(name) for name in before} == before
    assert sum(each.size for each in place.journals()) == 6


def test_files_are_replaced_read_and_removed(place: Place, tmp_path: Path) -> None:
    place.put("one", b"1")
    place.put("one", b"22")
    assert (place.read("one"), place.read("none")) == (b"22", b"")
    (tmp_path / "large").write_bytes(b"x" * 3_000_000)
    place.upload("rows/month=2026-11/x.parquet", tmp_path / "large")
    assert place.parquet_files() == ["rows/month=2026-11/x.parquet"]
    assert place.local("rows/month=2026-11/x.parquet").stat().st_size == 3_000_000
    place.delete("rows/month=2026-11/x.parquet")
    place.delete("rows/month=2026-11/x.parquet")
    assert place.parquet_files() == []
    with pytest.raises(FileNotFoundError):
        place.local("rows/month=2026-11/x.parquet")


def test_one_compacts_at_a_time(place: Place, address: str, tmp_path: Path) -> None:
    other = open_place(address, tmp_path / "kept2")
    with place.compacting() as still_held:
        with pytest.raises(TimeoutError), other.compacting():
            raise AssertionError("two at once")
        still_held()
    with other.compacting():
        pass


def test_a_store_works_on_both(address: str, tmp_path: Path) -> None:
    store = MetricsStore(address, tmp_path / "kept")
    store.save_metrics(FLEET)
    before = store.query_metrics()
    store.compact()
    store.save_metrics(row("a1", metrics={"det.mAP50": 0.1}))
    elsewhere = MetricsStore(address, tmp_path / "another machine")
    assert [e for e in elsewhere.query_metrics() if e.run_id != "a1"] == [
        e for e in before if e.run_id != "a1"
    ]
    (replaced,) = elsewhere.query_metrics(RowFilter(run_ids=("a1",)))
    assert replaced.metrics == {"det.mAP50": 0.1}
    elsewhere.compact()
    assert len(store.query_metrics()) == len(FLEET)


@pytest.mark.slow
@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MetricsStoreError, match="MLFLOW_S3_ENDPOINT_URL"):
        MetricsStore("s3://nowhere/x", tmp_path).save_metrics(FLEET)
