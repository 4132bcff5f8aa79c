"""Which runs stand in which Parquet file, told by 8 bytes a run: asked whenever a run has ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from .columns import literal

if TYPE_CHECKING:
    import duckdb
    import numpy.typing as npt
    import pyarrow as pa


class KnownRuns:
    """Remembers the hashes of each file's runs; a file is never changed."""

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self._database = database
        self._of_file: dict[str, npt.NDArray[np.uint64]] = {}

    def among(self, paths: Iterable[str], newer: pa.Table) -> dict[str, list[str]]:
        """File → the runs of a table that probably stand in it; files without one are left out."""
        cursor = self._database.cursor()
        cursor.register("newer_rows", newer)
        asked = cursor.execute("SELECT run_id, hash(run_id) AS h FROM newer_rows").fetchnumpy()
        run_ids, hashes = np.asarray(asked["run_id"]), np.asarray(asked["h"])
        cursor.unregister("newer_rows")
        wanted = list(paths)
        found = {}
        for path in wanted:
            known = self._hashes(cursor, path)
            place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
            if (there := known[place] == hashes).any():
                found[path] = [str(run_id) for run_id in run_ids[there]]
        self._of_file = {path: self._of_file[path] for path in wanted}
        return found

    def _hashes(self, cursor: duckdb.DuckDBPyConnection, path: str) -> npt.NDArray[np.uint64]:
        if path not in self._of_file:
            query = f"SELECT hash(run_id) AS h FROM read_parquet({literal(path)})"  # nosec B608
            self._of_file[path] = np.sort(np.asarray(cursor.execute(query).fetchnumpy()["h"]))
        return self._of_file[path]
