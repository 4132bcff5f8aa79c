"""A store in a bucket, through pyarrow's own S3 client.

A bucket can't append: each write to the journal is an object of its own, never changed. Parquet
files are never changed either, so each is fetched once and kept on this machine.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from ...contracts.errors import MetricsStoreError
from ...support.files import whole_file
from .port import JOURNAL, ROWS, JournalFile

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, S3FileSystem

CLAIMS = "claims"
CLAIM_S = 1800.0
"""A claim that is older belongs to a process that was killed."""


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, TimeoutError):
        raise
    except OSError as exc:
        raise MetricsStoreError(
            f"the metrics store's bucket can't be used: {str(exc)[:300]}. Look at "
            "MLFLOW_S3_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ) from exc


class S3Place:
    """Place in a bucket.

    Args:
        bucket, prefix: of 's3://BUCKET/PREFIX'; the bucket must be there.
        kept: a directory of this machine for what was fetched.
    """

    def __init__(self, bucket: str, prefix: str, kept: Path) -> None:
        self._root = f"{bucket}/{prefix.strip('/')}".rstrip("/")
        self._kept = kept
        self._files: S3FileSystem | None = None

    @property
    def address(self) -> str:
        return f"s3://{self._root}"

    def append(self, day: date, lines: bytes) -> None:
        # The order of names is that of writing, as far as the writers' clocks agree.
        moment = datetime.now(UTC).strftime("%H%M%S%f")
        self.put(f"{JOURNAL}/{day.isoformat()}.{moment}-{token_hex(6)}.jsonl", lines)

    @_translated()
    def journals(self) -> list[JournalFile]:
        found = self._listed(JOURNAL)
        return sorted(JournalFile(self._name(each), each.size, sealed=True) for each in found)

    def seal(self) -> list[JournalFile]:
        return self.journals()

    @_translated()
    def read(self, name: str, start: int = 0) -> bytes:
        try:
            with self._s3.open_input_stream(f"{self._root}/{name}") as stream:
                return bytes(stream.read())[start:]
        except FileNotFoundError:
            return b""

    @_translated()
    def put(self, name: str, content: bytes) -> None:
        with self._s3.open_output_stream(f"{self._root}/{name}") as stream:
            stream.write(content)

    @_translated()
    def upload(self, name: str, source: Path) -> None:
        with (
            source.open("rb") as given,
            self._s3.open_output_stream(f"{self._root}/{name}") as stream,
        ):
            while block := given.read(1 << 20):
                stream.write(block)

    @_translated()
    def local(self, name: str) -> Path:
        path = self._kept / name
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with (
                self._s3.open_input_stream(f"{self._root}/{name}") as stream,
                whole_file(path) as unfinished,
                unfinished.open("wb") as written,
            ):
                while block := stream.read(1 << 20):
                    written.write(block)
        return path

    @_translated()
    def parquet_files(self) -> list[str]:
        return sorted(
            name for each in self._listed(ROWS) if (name := self._name(each)).endswith(".parquet")
        )

    @_translated()
    def delete(self, name: str) -> None:
        (self._kept / name).unlink(missing_ok=True)
        try:
            self._s3.delete_file(f"{self._root}/{name}")
        except FileNotFoundError:
            return

    @contextmanager
    def compacting(self) -> Iterator[Callable[[], None]]:
        """A claim is written before the others are looked at, so that of two at least one sees
        the other; both then give way. Ages are told by the bucket's clock alone.
        """
        mine = f"{CLAIMS}/{token_hex(8)}"
        self.put(mine, str(os.getpid()).encode())
        try:
            ages = self._claims()
            newest = max(ages.values())
            if any(newest - at < CLAIM_S for name, at in ages.items() if name != mine):
                raise TimeoutError(f"another process is compacting {self.address}")
            until = time.monotonic() + CLAIM_S / 2

            def still_held() -> None:
                if time.monotonic() > until:
                    raise MetricsStoreError(
                        f"compacting {self.address} took over {CLAIM_S / 2:.0f} s: given up"
                    )

            yield still_held
        finally:
            self.delete(mine)

    @_translated()
    def _claims(self) -> dict[str, float]:
        return {self._name(each): each.mtime.timestamp() for each in self._listed(CLAIMS)}

    def _listed(self, folder: str) -> list[FileInfo]:
        from pyarrow.fs import FileSelector, FileType

        selector = FileSelector(f"{self._root}/{folder}", recursive=True, allow_not_found=True)
        return [each for each in self._s3.get_file_info(selector) if each.type == FileType.File]

    def _name(self, info: FileInfo) -> str:
        return str(info.path).removeprefix(f"{self._root}/")

    @property
    def _s3(self) -> S3FileSystem:
        """Opened at first use: an address is no reason to wait for a network."""
        if self._files is None:
            from pyarrow.fs import S3FileSystem

            endpoint = os.environ.get("MLFLOW_S3_ENDPOINT_URL") or os.environ.get(
                "AWS_ENDPOINT_URL_S3", os.environ.get("AWS_ENDPOINT_URL")
            )
            self._files = S3FileSystem(
                endpoint_override=endpoint,
                region=os.environ.get("AWS_REGION", os.environ.get("AWS_DEFAULT_REGION")),
                connect_timeout=5,
                request_timeout=30,
            )
        return self._files
