"""Truth files: tables, CVAT and VIRAT, with everything wrong in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from guardianflow.contracts.errors import DatasetError, Problems
from guardianflow.contracts.recordings.alarms import Incident
from guardianflow.site_data.footage.moments import seconds_of
from guardianflow.site_data.footage.truth import Clock, find_truth, read_truth

EVEN = Clock(np.arange(1000) / 10, 100.0)
UNEVEN = Clock(np.array([0.0, 0.5, 1.0, 11.0, 12.0]), 12.5)
CLOCKS = {"cam1/0104": EVEN, "cam2/0104": EVEN, "cam2/0105": UNEVEN}
RULES = ("no_helmet", "fire")


def read(
    truth: Path, clocks: dict[str, Clock | None] | None = None, **asked: object
) -> tuple[dict[str, tuple[Incident, ...]], str]:
    problems = Problems()
    asked = {"rules": RULES, "labels": None} | asked
    found = read_truth(truth, clocks or dict(CLOCKS), problems=problems, **asked)  # type: ignore[arg-type]
    return found, "\n".join(map(str, problems))


def table(tmp_path: Path, *rows: str, header: str = "recording,rule,start_s,end_s") -> Path:
    path = tmp_path / "truth.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("75.5", 75.5),
        ("1:15.5", 75.5),
        ("01:15", 75.0),
        ("00:01:15.5", 75.5),
        ("26:00:00", 93_600.0),
        ("1:15,5", 75.5),
        (" 3 ", 3.0),
        ("1:75", None),
        ("1:60:00", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        ("soon", None),
        ("1:2:3:4", None),
    ],
)
def test_moments(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


# --- tables ---


def test_a_table_in_any_order_of_columns_with_hours_and_suffixes(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "late,no_helmet,0:20,cam1/0104.mp4,0:10",
        "early,fire,5.5,cam1/0104,1",
        "uneven,fire,12,0105,11",
        header="comment,rule,end_s,recording,start_s",
    )
    found, problems = read(path)
    assert problems == ""
    assert found["cam1/0104"] == (
        Incident("cam1/0104", "fire", 1.0, 5.5),
        Incident("cam1/0104", "no_helmet", 10.0, 20.0),
    )
    assert found["cam2/0105"] == (Incident("cam2/0105", "fire", 11.0, 12.0),)
    assert found["cam2/0104"] == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_korean_names_however_a_spreadsheet_saved_them(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    path = tmp_path / "truth.csv"
    lines = [
        ["recording", "rule", "start_s", "end_s"],
        ["정문", "안전모 미착용", "1", "2"],
    ]
    path.write_bytes("\r\n".join(delimiter.join(each) for each in lines).encode(encoding))
    found, problems = read(path, {"정문": EVEN}, rules=("안전모 미착용",))
    assert problems == ""
    assert found["정문"] == (Incident("정문", "안전모 미착용", 1.0, 2.0),)


def test_utf16_is_named_with_its_cure(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text("recording,rule,start_s,end_s\ngate,fire,1,2\n", encoding="utf-16")
    assert "looks like UTF-16; convert it with: iconv" in read(path)[1]


def test_frames_are_the_recordings_own_pictures(tmp_path: Path) -> None:
    """Pictures 2 and 3 of uneven footage: from 1 s to where picture 4 begins, at 12 s."""
    header = "recording,rule,start_frame,end_frame"
    path = table(tmp_path, "cam2/0105,fire,2,3", "cam1/0104,fire,990,999", header=header)
    found, problems = read(path)
    assert problems == ""
    assert found["cam2/0105"] == (Incident("cam2/0105", "fire", 1.0, 12.0),)
    assert found["cam1/0104"] == (Incident("cam1/0104", "fire", 99.0, 100.0),)


def test_everything_wrong_with_a_table_at_once(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "cam1/0104,no_helmet,10,20",
        "cam3/0104,no_helmet,1,2",
        "cam1/0104,no_helmt,1,2",
        "cam1/0104,no_helmet,30,30",
        "cam1/0104,no_helmet,nan,40",
        "cam1/0104,no_helmet,15,25",
        "cam1/0104,no_helmet,90,101",
        "cam1/0104,no_helmet,200,210",
        "cam1/0104,no_helmet,-1,3",
        "0104,fire,1,2",
        ",fire,1,2",
        "cam1/0104,fire,1",
    )
    text = read(path)[1]
    assert "truth.csv:3: 'cam3/0104' is no recording; did you mean 'cam1/0104'" in text
    assert "truth.csv:4: 'no_helmt' is no rule; known: no_helmet, fire; did you mean" in text
    assert "truth.csv:5: an incident must start at 0 or later and end after its start" in text
    assert "truth.csv:6: start_s must be seconds, mm:ss or hh:mm:ss but got 'nan'" in text
    assert "truth.csv:7: incidents of 'no_helmet' in 'cam1/0104' must not overlap" in text
    assert "truth.csv:8: an incident from 90 to 101 s lies beyond the end of 'cam1/0104'" in text
    assert "truth.csv:9: an incident from 200 to 210 s lies beyond the end" in text
    assert "truth.csv:10: an incident must start at 0 or later" in text
    assert "truth.csv:11: '0104' is the name of several recordings" in text
    assert "truth.csv:12: recording must not be empty" in text
    assert "truth.csv:13: end_s must be seconds" in text


def test_an_end_rounded_up_is_the_recordings_end(tmp_path: Path) -> None:
    found, problems = read(table(tmp_path, "cam1/0104,fire,90,100.4"))
    assert problems == ""
    assert found["cam1/0104"][0].end_s == 100.0


def test_all_overlaps_within_a_long_incident_are_told(tmp_path: Path) -> None:
    rows = ["cam1/0104,fire,0,90", "cam1/0104,fire,10,20", "cam1/0104,fire,30,40"]
    text = read(table(tmp_path, *rows))[1]
    assert text.count("must not overlap") == 2
    touching = ["cam1/0104,fire,0,10", "cam1/0104,fire,10,20", "cam1/0104,no_helmet,5,15"]
    assert read(table(tmp_path, *touching))[1] == ""


def test_another_cameras_recording_of_the_same_name_is_not_taken(tmp_path: Path) -> None:
    text = read(table(tmp_path, "cam3/0105,fire,1,2"))[1]
    assert "'cam3/0105' is no recording; did you mean 'cam2/0105'" in text
    tool = cvat(tmp_path, track(0, "fire", box(2)), source="/data/site/cam2/0105.mp4")
    assert read(tool)[1] == ""


def test_lacking_columns_are_named(tmp_path: Path) -> None:
    text = read(table(tmp_path, header="recording,rule,start,end_s"))[1]
    assert (
        "truth.csv:1: must have the columns recording,rule,start_s,end_s but lacks start_s" in text
    )
    assert "did you mean 'start'" in text


def test_a_recording_that_can_t_be_used_hides_no_other_problem(tmp_path: Path) -> None:
    path = table(tmp_path, "cam1/0104,fire,1,2", "cam1/0104,fyre,1,2")
    text = read(path, {"cam1/0104": None})[1]
    assert "'fyre' is no rule" in text and text.count("\n") == 0


# --- CVAT ---

CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><name>{name}</name><source>{source}</source></task></meta>
{body}
</annotations>"""


def box(frame: int, outside: int = 0) -> str:
    return (
        f'<box frame="{frame}" outside="{outside}" occluded="0" keyframe="1" '
        'xtl="1" ytl="1" xbr="9" ybr="9" z_order="0"></box>'
    )


def track(number: int, label: str, *boxes: str) -> str:
    return f'<track id="{number}" label="{label}" source="manual">{"".join(boxes)}</track>'


def cvat(tmp_path: Path, *tracks: str, source: str = "0105.mp4", name: str = "cvat.xml") -> Path:
    path = tmp_path / name
    body = "\n".join(tracks)
    path.write_text(CVAT.format(name="task", source=source, body=body), encoding="utf-8")
    return path


def test_a_track_is_an_incident_until_it_leaves(tmp_path: Path) -> None:
    path = cvat(
        tmp_path,
        track(0, "fire", *map(box, range(10, 50)), box(50, 1), *map(box, range(80, 90))),
        source="cam1/0104.mp4",
    )
    found, problems = read(path)
    assert problems == ""
    assert found["cam1/0104"] == (
        Incident("cam1/0104", "fire", 1.0, 5.0),
        Incident("cam1/0104", "fire", 8.0, 9.0),
    )


def test_people_seen_together_are_one_incident(tmp_path: Path) -> None:
    path = cvat(
        tmp_path,
        track(0, "no_helmet", *map(box, range(10, 50))),
        track(1, "no_helmet", *map(box, range(40, 70))),
        track(2, "fire", *map(box, range(40, 70))),
        source="cam1/0104.mp4",
    )
    found, problems = read(path)
    assert problems == ""
    assert [(each.rule, each.start_s, each.end_s) for each in found["cam1/0104"]] == [
        ("no_helmet", 1.0, 7.0),
        ("fire", 4.0, 7.0),
    ]


def test_uneven_footage_gives_the_frames_their_own_times(tmp_path: Path) -> None:
    found, problems = read(cvat(tmp_path, track(0, "fire", box(2), box(3))))
    assert problems == ""
    assert found["cam2/0105"] == (Incident("cam2/0105", "fire", 1.0, 12.0),)


def test_tags_on_a_run_of_images(tmp_path: Path) -> None:
    images = [
        f'<image id="{i}" name="{i:06d}.png" width="9" height="9">'
        + ('<tag label="fire"/>' if i in (0, 1, 4) else "")
        + "</image>"
        for i in range(5)
    ]
    found, problems = read(cvat(tmp_path, *images))
    assert problems == ""
    assert [(each.start_s, each.end_s) for each in found["cam2/0105"]] == [(0.0, 1.0), (12.0, 12.5)]


def test_labels_that_are_no_rules_are_told_or_mapped(tmp_path: Path) -> None:
    path = cvat(tmp_path, track(0, "person", box(0), box(4)), track(1, "bare head", box(2)))
    assert "'person' is no rule" in read(path)[1]
    found, problems = read(path, labels={"bare head": "no_helmet"})
    assert problems == ""
    assert found["cam2/0105"] == (Incident("cam2/0105", "no_helmet", 1.0, 11.0),)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<annotations><track", "is no XML"),
        ("<other/>", "must be a CVAT export, <annotations>, but begins with <other>"),
        ("<annotations/>", "holds neither tracks nor tags"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', "without a DOCTYPE"),
        ("<annotations><meta><project/></meta></annotations>", "is of a whole project"),
        (
            '<annotations><track id="3" label="fire"><box frame="x"/></track></annotations>',
            "track 3: frame must be a whole number but got 'x'",
        ),
        (
            '<annotations><track id="3" label="fire"><box frame="4"/><box frame="2"/></track>'
            "</annotations>",
            "track 3: frames must rise but 2 follows 4",
        ),
    ],
)
def test_what_is_no_export_of_cvat(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "0105.xml"
    path.write_text(content, encoding="utf-8")
    assert said in read(path)[1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    levels = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 9))
    path = tmp_path / "0105.xml"
    path.write_bytes(
        f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE a [<!ENTITY a0 "x">{levels}]>'
        '<annotations><track label="&a8;"/></annotations>'.encode(encoding)
    )
    assert "without a DOCTYPE" in read(path)[1]


# --- VIRAT ---


def test_virat_events_by_name_or_number(tmp_path: Path) -> None:
    path = tmp_path / "0105.viratdata.events.txt"
    rows = [f"1 9 3 1 3 {frame} 10 10 5 5" for frame in (1, 2, 3)] + ["2 77 1 4 4 4 10 10 5 5"]
    path.write_text("\n".join(rows), encoding="utf-8")
    found, problems = read(path, rules=("carrying", "77"))
    assert problems == ""
    assert found["cam2/0105"] == (
        Incident("cam2/0105", "carrying", 0.5, 12.0),
        Incident("cam2/0105", "77", 12.0, 12.5),
    )
    path.write_text("1 9 3 1\n", encoding="utf-8")
    assert "events.txt:1: must begin with event id, type, duration" in read(path)[1]


# --- places ---


def test_a_folder_of_truth_files(tmp_path: Path) -> None:
    table(tmp_path, "cam1/0104,fire,1,2")
    cvat(tmp_path, track(0, "fire", box(2)))
    found, problems = read(tmp_path)
    assert problems == ""
    assert len(found["cam1/0104"]) == len(found["cam2/0105"]) == 1
    (tmp_path / "empty").mkdir()
    assert "must be a CSV, CVAT's .xml or VIRAT's .events.txt" in read(tmp_path / "empty")[1]


def test_truth_csv_beside_the_footage_is_found(tmp_path: Path) -> None:
    assert find_truth(tmp_path, None) is None
    beside = table(tmp_path)
    assert find_truth(tmp_path, None) == beside
    assert find_truth(tmp_path / "gate.mp4", None) == beside
    with pytest.raises(DatasetError, match=r"no such truth file; did you mean 'truth.csv'"):
        find_truth(tmp_path, tmp_path / "truht.csv")
