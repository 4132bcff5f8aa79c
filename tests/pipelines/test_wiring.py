"""What the one place that joins rooms gives."""

from __future__ import annotations

from pathlib import Path

from made_bundles import spec

from guardianflow.contracts.results import DetectorPackage, RunRequest
from pipelines.wiring import in_memory


def test_the_fakes_are_one_store(tmp_path: Path) -> None:
    ports = in_memory()
    run_id = ports.store.start_run(RunRequest("c/r-plant1/full", "train"))
    (tmp_path / "model.onnx").write_bytes(b"weights")
    package = DetectorPackage.create(tmp_path, spec())
    model = ports.registry.register(run_id, package, "c/r-plant1/full/ppe")
    assert model.run_id == run_id
    assert [each.version for each in ports.aliases.versions("c/r-plant1/full/ppe")] == ["1"]
    ports.aliases.set_alias("c/r-plant1/full/ppe", "champion", "1")
    assert ports.registry.describe("models:/c.r-plant1.full.ppe@champion").version == "1"
    assert in_memory().registry.list_models() == []
