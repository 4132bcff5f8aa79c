"""Where a fleet stands."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest
from inprocess import InProcessExecutor
from rich.cells import cell_len
from rich.console import Console
from workplace import QUICK_TRAINER

from apps.cli.legacy.status import drift_in_words, show_table, table_of
from experiments_adapters.legacy.drift import record_scan
from experiments_adapters.legacy.registry import load_registry
from guardianflow.contracts.results import RunRequest
from pipelines.wrap.plan import WrapRequest, make_plan
from pipelines.wrap.run import run_wrapped
from pipelines.wrap_batch.status import DirectoryStatus, directory_statuses

REGISTRY = """
experiments:
  동화 안전모:
    path: 동화 안전모
    site: {customer: 동화엔텍, region: busan}
    task: {type: ppe}
  never: {path: never, site: {customer: sampyo, region: TODO}}
  unset: {path: "${NO_SUCH_VARIABLE}/x"}
"""


@pytest.fixture
def rows(tmp_path: Path, executor: InProcessExecutor) -> dict[str, DirectoryStatus]:
    registry = tmp_path / "experiments.yaml"
    registry.write_text(REGISTRY, "utf-8")
    home = tmp_path / "동화 안전모"
    home.mkdir()
    (home / "학습.py").write_text("print(1)", "utf-8")
    record_scan(registry, [home])
    tags = {
        "exp.name": "동화 안전모",
        "exp.type": "train",
        "exp.script": "학습.py",
        "exp.script_sha256": hashlib.sha256(b"print(1)").hexdigest(),
    }
    store = executor.store
    trained = store.start_run(RunRequest("동화엔텍/busan-plant1/full", "r", tags=tags))
    store.log_metrics(trained, {"det.mAP50": 0.8125})
    store.end_run(trained)
    failed = store.start_run(
        RunRequest("동화엔텍/busan-plant1/full", "r", tags={**tags, "exp.type": "infer"})
    )
    store.end_run(failed, "FAILED")
    store.annotate(failed, tags={"guardianflow.error": "exit code 1: ValueError: 빈 데이터"})
    (home / "학습.py").write_text("print(2)", "utf-8")
    (home / "새것.py").write_text("", "utf-8")
    found = directory_statuses(load_registry(registry), registry, executor.ports)
    return {each.name: each for each in found}


def test_a_directory_shows_its_last_run_and_the_last_number_that_was_measured(
    rows: dict[str, DirectoryStatus],
) -> None:
    found = rows["동화 안전모"].as_dict()
    assert found["last_run"]["status"] == "FAILED"
    assert found["last_run"]["type"] == "infer"
    assert found["last_run"]["error"] == "exit code 1: ValueError: 빈 데이터"
    assert found["mAP50"] == 0.8125
    assert found["mAP50_run_id"] != found["last_run"]["run_id"]
    assert found["model"] is None
    assert found["drift"]["added"] == ("새것.py",)
    assert found["drift"]["changed"] == ("학습.py",)
    assert found["script_changed"] is True


def test_why_the_last_run_failed_stands_below_the_table(
    rows: dict[str, DirectoryStatus], capsys: pytest.CaptureFixture[str]
) -> None:
    show_table([*rows.values()])
    assert "동화 안전모: its last run failed: exit code 1: ValueError: 빈 데이터" in (
        capsys.readouterr().out
    )


def test_what_never_ran_and_what_cannot_be_found_have_a_row(
    rows: dict[str, DirectoryStatus],
) -> None:
    assert rows["never"].last is None
    assert rows["never"].mAP50 is None
    assert rows["never"].todos == ("site.region", "task.type")
    assert drift_in_words(rows["never"]) == "directory is gone"
    assert "NO_SUCH_VARIABLE" in rows["unset"].problem
    assert drift_in_words(rows["unset"]) == "unknown"


def test_the_table_is_straight_at_100_columns_with_hangul(
    rows: dict[str, DirectoryStatus],
) -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(table_of(list(rows.values())))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    lines = [line for line in text.splitlines() if line]
    assert {cell_len(line) for line in lines} == {cell_len(lines[0])}
    assert cell_len(lines[0]) <= 100
    for part in ("동화 안전모", "failed", "0.812*", "new: 새것.py", "changed: 학습.py", "never"):
        assert part in text


QUANT = (
    'NAMES = ["안전모", "머리"]\n'
    + QUICK_TRAINER
    + """
from types import SimpleNamespace as S
Path("out").mkdir()
Trainer(S(input_size=64, num_classes=2), None, None, "out").get_best_model_path()
"""
)


def test_the_model_is_shown_with_the_aliases_it_has_now(
    tmp_path: Path, executor: InProcessExecutor
) -> None:
    registry = tmp_path / "experiments.yaml"
    registry.write_text(
        REGISTRY.replace("path: 동화 안전모\n", "path: 동화 안전모\n    entry_points: "
                         "{quant: {default: quant.py}, infer: {default: infer.py}}\n"),
        "utf-8",
    )  # fmt: skip
    home = tmp_path / "동화 안전모"
    home.mkdir()
    (home / "quant.py").write_text(QUANT, "utf-8")
    (home / "infer.py").write_text("print('mAP50=0.25')\n", "utf-8")
    for kind in ("quant", "infer"):
        run_wrapped(
            make_plan(WrapRequest("동화 안전모", kind, experiments=registry, terminal=False)),
            executor.settings,
            executor.ports,
            environment=dict(os.environ),
            tell=lambda text: None,
        )
    first, *_ = directory_statuses(load_registry(registry), registry, executor.ports)
    assert first.last is not None
    assert first.last.tags["exp.type"] == "infer"
    assert first.mAP50 == 0.25
    assert first.model is not None  # of the run before
    assert first.model.display_name == "동화엔텍/busan-plant1/full/ppe__onnx_fp32"
    assert (first.model.version, first.model.aliases) == ("1", ("candidate",))
    console = Console(file=io.StringIO(), width=100)
    console.print(table_of([first]))
    assert "@candidate" in console.file.getvalue()  # type: ignore[attr-defined]
