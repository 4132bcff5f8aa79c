from __future__ import annotations

import logging
from pathlib import Path

import pytest

from experiments_adapters.outputs import collect_outputs


def fill(root: Path, names: list[str], size: int = 10) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)


def names(files: list[Path]) -> list[str]:
    return [path.name for path in files]


def test_files_are_sorted_by_kind_with_the_best_weights_first(tmp_path: Path) -> None:
    fill(
        tmp_path,
        [
            "weights/best.pt",
            "weights/last.pt",
            "weights/a.onnx",
            "results.csv",
            "F1.PNG",
            "batch0.jpg",
            "args.yaml",
            "notes.xyz",
            "sub/more.json",
        ],
    )
    kinds = collect_outputs(tmp_path, tmp_path / "weights/best.pt")
    assert {kind: names(files) for kind, files in kinds.items()} == {
        "weights": ["best.pt", "a.onnx", "last.pt"],
        "results": ["results.csv", "more.json"],
        "plots": ["F1.PNG", "batch0.jpg"],
        "config": ["args.yaml"],
    }


def test_datasets_snapshots_hidden_files_and_links_stay_out(tmp_path: Path) -> None:
    fill(
        tmp_path,
        [
            "best.pt",
            "epoch12.pt",
            "images/a.jpg",
            "x/labels/a.txt",
            "datasets/d/data.yaml",
            ".secret.yaml",
            ".git/config.yaml",
        ],
    )
    (tmp_path / "link.png").symlink_to(tmp_path / "images/a.jpg")
    assert collect_outputs(tmp_path, tmp_path / "best.pt") == {"weights": [tmp_path / "best.pt"]}


def test_the_best_model_is_kept_wherever_and_however_large_it_is(tmp_path: Path) -> None:
    work = tmp_path / "work"
    fill(work, ["last.pt"], 50)
    fill(tmp_path / "elsewhere", ["m.xml", "m.bin"], 500)
    kinds = collect_outputs(work, tmp_path / "elsewhere", max_file_bytes=100)
    assert names(kinds["weights"]) == ["m.bin", "m.xml", "last.pt"]


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ({"max_file_bytes": 9}, []),
        ({"max_total_bytes": 25}, ["0.png", "1.png"]),
        ({"max_files": 3}, ["0.png", "1.png", "2.png"]),
    ],
)
def test_what_a_limit_keeps_out_is_named(
    tmp_path: Path, limits: dict[str, int], kept: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path, ["best.pt"])
    fill(tmp_path, [f"{i}.png" for i in range(5)])
    with caplog.at_level(logging.WARNING):
        kinds = collect_outputs(tmp_path, tmp_path / "best.pt", **limits)  # type: ignore[arg-type]
    assert names(kinds.get("plots", [])) == kept
    assert f"{5 - len(kept)} files" in caplog.text
    assert "4.png" in caplog.text
