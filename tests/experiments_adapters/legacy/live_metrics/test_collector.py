"""Metrics of scripts that know nothing of us: printed, in tables, in TensorBoard's files."""

from __future__ import annotations

import json
import math
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments_adapters.legacy.changes import take_snapshot
from experiments_adapters.legacy.live_metrics import LiveMetrics
from experiments_adapters.legacy.live_metrics.buffer import MetricBuffer
from experiments_adapters.legacy.live_metrics.metric_keys import PRINTED, TABLE, Reading, metric_key
from experiments_adapters.legacy.live_metrics.printed import PrintedMetrics
from experiments_adapters.legacy.live_metrics.tables import CsvFollower, JsonFollower
from experiments_adapters.legacy.live_metrics.tensorboard import EventFileFollower, masked_crc
from experiments_adapters.legacy.outcome.written import WrittenRecord
from guardianflow.contracts.errors import TrackingError
from guardianflow.contracts.results import MetricPoint

RESULTS_HEADER = (
    "epoch,time,train/box_loss,metrics/precision(B),metrics/mAP50(B),val/box_loss,lr/pg0\n"
)


def printed(*lines: str, patterns: Sequence[str] = ()) -> list[tuple[str, float, int | None]]:
    import re

    reader = PrintedMetrics([re.compile(each) for each in patterns])
    reader.feed("".join(f"{line}\n" for line in lines).encode())
    return [(each.key, each.value, each.step) for each in reader.poll()]


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("metrics/mAP50(B)", 0.5, "det.mAP50"),
        ("metrics/mAP50-95(B)", 0.5, "det.mAP50_95"),
        ("metrics/mAP_0.5:0.95", 0.5, "det.mAP50_95"),
        ("mAP@0.5", 0.5, "det.mAP50"),
        ("coco/bbox_mAP", 0.5, "det.mAP50_95"),  # mmdetection's
        ("coco/bbox_mAP_50", 0.5, "det.mAP50"),
        ("train/box_loss", 4.0, "det.box_loss"),
        ("val/box_loss", 4.0, "script.val/box_loss"),
        ("precision", 16.0, "script.precision"),  # a number of bits, no rate
        ("mAP50", 61.2, "script.mAP50"),  # percent: not ours to convert
        ("정확도", 0.9, "script.정확도"),
        ("loss@top (new)//x", 1.0, "script.loss_top _new_/x"),
    ],
)
def test_known_meanings_are_ours_and_all_else_is_the_scripts(
    name: str, value: float, key: str
) -> None:
    assert metric_key(name, value) == key


def test_a_second_training_keeps_its_values_apart() -> None:
    assert metric_key("metrics/mAP50(B)", 0.5, "train2") == "script.train2/mAP50"


# --- printed --------------------------------------------------------------------------------------


def test_pairs_are_read_with_their_epoch() -> None:
    assert printed("Epoch 3/10 loss: 0.5, mAP50=0.61", "val loss = 1e-2", "정확도: .93") == [
        ("script.loss", 0.5, 3),
        ("det.mAP50", 0.61, 3),
        ("script.val loss", 0.01, 3),
        ("script.정확도", 0.93, 3),
    ]


def test_mmdetection_prints_its_epoch_behind_a_word() -> None:
    line = "mmengine - INFO - Epoch(val) [3][10/10]  coco/bbox_mAP: 0.045  coco/bbox_mAP_50: 0.1"
    assert printed(line) == [("det.mAP50_95", 0.045, 3), ("det.mAP50", 0.1, 3)]


@pytest.mark.parametrize(
    "line",
    [
        "12:30:45 started",
        "see http://localhost:5000 and C:\\x",
        "  50%|█████     | 1/2 [00:01<00:01, loss=0.5, 1.0it/s]",
        "engine/trainer: " + ", ".join(f"arg{chr(97 + i)}={i}" for i in range(25)),
        "version: 1.2.3",
        "epochs=100",
        "Overriding model.yaml nc=80 with nc=2",
    ],
)
def test_what_is_no_measurement_is_left_alone(line: str) -> None:
    assert printed(line) == []


def test_what_ultralytics_says_of_itself_is_no_measurement() -> None:
    assert printed(
        "baseline: 0.5",
        "Ultralytics 8.4.190 🚀 Python-3.11.7 torch-2.14.1 CPU",
        "engine/trainer: agnostic_nms=False, amp=False, batch=2",
        "optimizer: AdamW(lr=0.001667, momentum=0.9) with parameter groups decay=0.0 bias=0.5",
        "Results saved to \x1b[1mruns/train\x1b[0m",
        "site score: 0.75",
    ) == [("script.baseline", 0.5, None), ("script.site score", 0.75, None)]


def test_ultralytics_tables_are_read_and_the_final_judging_is_no_epoch() -> None:
    head = "      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size"
    judged = (
        "                   all          4         17    0.00143     0.0833   0.000899   9.22e-05"
    )
    values = printed(
        f"\x1b[34m\x1b[1m{head}\x1b[0m",
        "        2/2         0G      4.018      3.906      4.021          9         64: 100% ━━",
        "                 Class     Images  Instances      Box(P          R      mAP50  mAP50-95):",
        judged,
        "Validating runs/detect/train/weights/best.pt...",
        judged.replace("0.00143", "0.9"),
    )
    assert values == [
        ("det.box_loss", 4.018, 2),
        ("det.cls_loss", 3.906, 2),
        ("det.dfl_loss", 4.021, 2),
        ("det.precision", 0.00143, 2),
        ("det.recall", 0.0833, 2),
        ("det.mAP50", 0.000899, 2),
        ("det.mAP50_95", 9.22e-05, 2),
    ]


def test_declared_patterns_win_over_what_is_known() -> None:
    pattern = r"\[(?P<epoch>\d+)\] score (?P<mAP50>[\d.]+)"
    assert printed("[7] score 0.5 loss=3", patterns=[pattern]) == [("det.mAP50", 0.5, 7)]


def test_of_too_many_lines_the_last_of_each_shape_counts_and_a_rare_one_is_seen() -> None:
    reader = PrintedMetrics()
    lines = [f"step {i} loss={i / 8}\n" for i in range(50_000)]
    lines[20_000:20_000] = ["Epoch 4/9 mAP50: 0.75\n"]
    reader.feed("".join(lines).encode())
    found = {each.key: (each.value, each.step) for each in reader.poll()}
    assert found == {"det.mAP50": (0.75, 4), "script.loss": (49_999 / 8, None)}
    assert reader.lines_left_out >= 49_990


def test_of_a_hundred_thousand_lines_between_two_looks_few_are_read() -> None:
    reader = PrintedMetrics()
    block = "".join(f"iter {i} loss={i / 8:.4f} lr=0.01\n" for i in range(2_000)).encode()
    for _ in range(50):
        reader.feed(block)
    assert {each.key for each in reader.poll()} == {"script.loss", "script.lr"}
    assert reader.lines_left_out > 99_900


@given(st.binary(max_size=300))
def test_no_line_is_too_strange(line: bytes) -> None:
    reader = PrintedMetrics()
    reader.feed(line + b"\n")
    assert all(math.isfinite(each.value) for each in reader.poll())


# --- files ----------------------------------------------------------------------------------------


def test_a_table_is_followed_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text(RESULTS_HEADER + "1,2.5,4.0,0.1,0.2,3.0,nan\n2,5.0,3.5")
    follower = CsvFollower(path)
    first = {each.key: (each.value, each.step) for each in follower.poll()}
    assert first == {
        "script.time": (2.5, 1),
        "det.box_loss": (4.0, 1),
        "det.precision": (0.1, 1),
        "det.mAP50": (0.2, 1),
        "script.val/box_loss": (3.0, 1),
    }
    assert follower.poll() == []
    with path.open("a") as file:
        file.write(",0.3,0.4,2.9,0.01\n")
    assert {each.step for each in follower.poll()} == {2}
    path.write_text("epoch,metrics/mAP_0.5\n0,0.7\n")  # begun anew, with another header
    assert [(e.key, e.value, e.step) for e in follower.poll()] == [("det.mAP50", 0.7, 0)]


def test_of_a_table_that_goes_on_only_the_new_rows_count(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("epoch, metrics/mAP50(B)\n1, 0.1\n")
    follower = CsvFollower(path, start=path.stat().st_size)
    with path.open("a") as file:
        file.write("2, 0.2\n")
    assert [(e.key, e.value, e.step) for e in follower.poll()] == [("det.mAP50", 0.2, 2)]


def test_json_and_jsonl_by_declared_path(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps({"mAP50": 0.8, "ap": {"안전모": 0.7, "ok": True, "n": 10**400}}))
    follower = JsonFollower(path)
    values = {each.key: each.value for each in follower.poll()}
    assert values == {"det.mAP50": 0.8, "script.ap.안전모": 0.7}
    assert follower.poll() == []
    path.write_text('[{"epoch": 3, "loss": 1}, {"loss": 2}, "no row"]')
    assert [(e.key, e.value, e.step) for e in follower.poll()] == [
        ("script.loss", 1.0, 3),
        ("script.loss", 2.0, 2),
    ]
    path.write_text('{"half": ')
    assert follower.poll() == []
    assert "no JSON" in follower.problem
    lines = tmp_path / "log.jsonl"
    lines.write_text('{"step": 5, "loss": 0.5}\nbroken\n{"loss": 0.25}\n')
    assert [(e.value, e.step) for e in JsonFollower(lines).poll()] == [(0.5, 5), (0.25, 3)]


# --- TensorBoard ----------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def record(event: bytes) -> bytes:
    length = struct.pack("<Q", len(event))
    return (
        length
        + struct.pack("<I", masked_crc(length))
        + event
        + struct.pack("<I", masked_crc(event))
    )


def event(step: int, *values: bytes) -> bytes:
    wall_time = b"\x09" + struct.pack("<d", 1.7e9)
    summary = b"".join(field(1, value) for value in values)
    return record(wall_time + b"\x10" + varint(step & 2**64 - 1) + field(5, summary))


def simple(tag: str, value: float) -> bytes:
    return field(1, tag.encode()) + b"\x15" + struct.pack("<f", value)


def tensor(tag: str, value: float) -> bytes:
    """As tf.summary.scalar and newer writers do it."""
    content = b"\x08\x01" + field(2, b"") + field(4, struct.pack("<f", value))
    return field(1, tag.encode()) + field(8, content)


def test_the_checksum_is_crc32c() -> None:
    # RFC 3720, B.4: CRC-32C of 32 zero bytes is 0x8a9136aa; masked as record_writer.h says.
    crc = 0x8A9136AA
    assert masked_crc(bytes(32)) == ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) % 2**32


def test_scalars_are_read_as_the_file_grows(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1.host"
    version = record(b"\x09" + struct.pack("<d", 1.7e9) + field(3, b"brain.Event:2"))
    second = event(2, tensor("metrics/mAP50(B)", 0.5), field(1, b"picture") + field(4, b"x" * 50))
    path.write_bytes(version + event(1, simple("train/box_loss", 4.0)) + second[:-3])
    follower = EventFileFollower(path)
    assert [(e.key, e.value, e.step) for e in follower.poll()] == [("det.box_loss", 4.0, 1)]
    with path.open("ab") as file:
        file.write(second[-3:] + event(3, field(1, b"big") + field(4, b"x" * 70_000)))
        file.write(event(4, simple("lr", 0.25)))
    assert [(e.key, e.value, e.step) for e in follower.poll()] == [
        ("det.mAP50", 0.5, 2),
        ("script.lr", 0.25, 4),
    ]
    assert follower.problem == ""


def test_what_is_damaged_is_told_and_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1.host"
    bad = bytearray(event(1, simple("a", 1.0)))
    bad[-6] ^= 1  # inside the data
    path.write_bytes(bytes(bad) + event(2, simple("a", 2.0)) + b"\xff" * 40)
    follower = EventFileFollower(path)
    assert [(e.value, e.step) for e in follower.poll()] == [(2.0, 2)]
    assert "damaged" in follower.problem


@given(st.binary(max_size=200))
def test_no_record_is_too_strange(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.out.tfevents.1"
        path.write_bytes(record(content))
        assert all(isinstance(each.value, float) for each in EventFileFollower(path).poll())


# --- on the way to the run ------------------------------------------------------------------------


def test_a_table_says_it_better_than_a_printed_line() -> None:
    now = [0.0]
    buffer = MetricBuffer(now=lambda: now[0])
    buffer.add([Reading("mAP50", 0.61, 1, PRINTED)])
    assert buffer.take() == []  # it waits for a table
    buffer.add([Reading("metrics/mAP50(B)", 0.61234, 1, TABLE)], "runs/train")
    now[0] = 60.0
    assert [point.value for point in buffer.take()] == [0.61234]
    buffer.done()
    buffer.add([Reading("mAP50", 0.7, 2, PRINTED)])
    assert buffer.take(last=True) == []


def test_without_a_table_the_printed_value_comes_a_little_later() -> None:
    now = [0.0]
    buffer = MetricBuffer(now=lambda: now[0])
    buffer.add([Reading("mAP50", 0.61, 1, PRINTED)])
    now[0] = 6.0
    assert [(p.key, p.value, p.step) for p in buffer.take()] == [("det.mAP50", 0.61, 1)]


def test_values_without_a_step_are_counted_and_floods_are_bounded() -> None:
    buffer = MetricBuffer()
    buffer.add(Reading("loss", float(i), None, PRINTED) for i in range(30_000))
    points = buffer.take()
    assert [(p.key, p.value, p.step) for p in points] == [("script.loss", 29_999.0, 30_000)]
    assert buffer.overwritten == 29_999
    buffer.add(Reading(f"k{i}", 1.0, 1, PRINTED) for i in range(2_000))
    assert len(buffer.keys) == 300
    assert sum(buffer.refused_keys.values()) == 1_701


def wait_for(true: Callable[[], bool], limit_s: float = 20.0) -> None:
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_new_is_followed_and_what_was_there_is_not(tmp_path: Path) -> None:
    old = tmp_path / "runs/detect/train/results.csv"
    old.parent.mkdir(parents=True)
    old.write_text("epoch,metrics/mAP50(B)\n1,0.99\n")
    logged: list[MetricPoint] = []
    live = LiveMetrics(
        tmp_path,
        take_snapshot(tmp_path).files,
        logged.extend,
        tell=print,
        files=["logs/**/*.jsonl"],
        look_every_s=0.05,
    )
    live.start()
    for name in ("train2", "train3"):
        folder = tmp_path / "runs/detect" / name
        folder.mkdir()
        (folder / "results.csv").write_text(f"epoch,metrics/mAP50(B)\n1,0.{name[-1]}\n")
        time.sleep(0.02)
    (tmp_path / "logs/a").mkdir(parents=True)
    (tmp_path / "logs/a/x.jsonl").write_text('{"step": 9, "fps": 30}\n')
    live.feed(b"Epoch 1: gate=4\n")
    wait_for(lambda: len(logged) >= 4)
    summary = live.stop()
    assert {(p.key, p.value, p.step) for p in logged} == {
        ("det.mAP50", 0.2, 1),
        ("script.train3/mAP50", 0.3, 1),
        ("script.fps", 30.0, 9),
        ("script.gate", 4.0, 1),
    }
    assert summary.main == tmp_path / "runs/detect/train2"
    assert summary.others == (tmp_path / "runs/detect/train3",)


def test_a_store_that_goes_away_for_a_while_loses_no_point(tmp_path: Path) -> None:
    logged: list[MetricPoint] = []
    told: list[str] = []
    away = [True]

    def log(points: Sequence[MetricPoint]) -> None:
        if away[0]:
            raise TrackingError("the server does not answer")
        logged.extend(points)

    live = LiveMetrics(tmp_path, {}, log, tell=told.append, look_every_s=0.02)
    live.start()
    live.feed(b"loss=1\n")
    wait_for(lambda: bool(told))
    assert told == ["metrics wait, they are tried again: the server does not answer"]
    away[0] = False
    live.feed(b"loss=2\n")
    live.stop()
    assert [point.value for point in logged] == [1.0, 2.0]


def test_a_table_that_was_announced_is_found_without_a_search(tmp_path: Path) -> None:
    logged: list[MetricPoint] = []
    live = LiveMetrics(tmp_path, {}, logged.extend, tell=print, look_every_s=0.02)
    live._search = lambda: None  # type: ignore[method-assign] - as in a directory of a million files
    live.start()
    (tmp_path / "runs/train").mkdir(parents=True)
    (tmp_path / "runs/train/results.csv").write_text("epoch,metrics/mAP50(B)\n1,0.5\n")
    live.feed(b"Logging results to runs/train\n")
    wait_for(lambda: bool(logged))
    live.stop()
    assert [(p.key, p.value, p.step) for p in logged] == [("det.mAP50", 0.5, 1)]


def test_of_a_table_elsewhere_that_goes_on_only_the_new_rows_are_read(tmp_path: Path) -> None:
    """Noted by the script's own process, with what the table held before."""
    inside, hook = tmp_path / "inside", tmp_path / "hook"
    inside.mkdir()
    hook.mkdir()
    table = tmp_path.resolve() / "results.csv"
    head = "epoch,metrics/mAP50(B)\n1,0.5\n"
    table.write_text(head + "2,0.75\n")
    (hook / "written").write_bytes(f"D {tmp_path.resolve()}/x\0F {len(head)} {table}\0".encode())
    logged: list[MetricPoint] = []
    record = WrittenRecord(hook)
    live = LiveMetrics(inside, {}, logged.extend, tell=print, record=record, look_every_s=0.02)
    live.start()
    live.stop()
    assert [(p.key, p.value, p.step) for p in logged] == [("det.mAP50", 0.75, 2)]


def test_results_that_go_elsewhere_are_followed_too(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "elsewhere/train"
    inside.mkdir()
    outside.mkdir(parents=True)
    (outside / "results.csv").write_text("epoch,metrics/mAP50(B)\n1,0.5\n")
    logged: list[MetricPoint] = []
    live = LiveMetrics(inside, {}, logged.extend, tell=print, look_every_s=0.02)
    live.start()
    live.feed(f"Logging results to \x1b[1m{outside}\x1b[0m\n".encode())
    summary = live.stop()
    assert [(p.key, p.value) for p in logged] == [("det.mAP50", 0.5)]
    assert summary.announced == (outside,)
