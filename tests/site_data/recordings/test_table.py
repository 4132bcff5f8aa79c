"""groups.csv: what is read, what is refused."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from guardianflow.contracts.errors import DatasetError
from guardianflow.contracts.recordings.groups import ImageOrigin
from guardianflow.site_data.recordings.table import read_table, write_table

ROOT = Path("/data")
A, B, C = ROOT / "images/train/a/1.jpg", ROOT / "images/val/b/1.jpg", ROOT / "images/val/b/둘.jpg"
NAMES = {A: "a/1.jpg", B: "b/1.jpg", C: "b/둘.jpg"}
ROWS = "a/1.jpg,gate,0104,7,rain\nb/1.jpg,yard,0104,8,sun\n둘.jpg,yard,0104,9,sun\n"


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    file = folder / "groups.csv"
    file.write_bytes(text.encode(encoding))
    return file


def problems_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(DatasetError) as caught:
        read_table(write(folder, text), NAMES, ROOT)
    return [str(each) for each in caught.value.problems]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_a_table_says_where_images_come_from_and_more(tmp_path: Path, encoding: str) -> None:
    file = write(tmp_path, "image,camera,recording,frame,weather\n" + ROWS, encoding)
    found = read_table(file, NAMES, ROOT)
    assert found[A] == ImageOrigin("gate", "gate/0104", 7.0, {"weather": "rain"})
    assert found[C] == ImageOrigin("yard", "yard/0104", 9.0, {"weather": "sun"})


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_what_spreadsheets_make_of_it(tmp_path: Path, delimiter: str) -> None:
    text = "파일;Camera;Time\r\nimages/train/a/1.jpg;gate;20260104_081500\r\n"
    text += ".\\b\\1.jpg;yard;2026-01-04 08:15:01\r\n/data/images/val/b/"
    text += unicodedata.normalize("NFD", "둘.jpg") + ";yard;\r\n;;\r\n"
    found = read_table(write(tmp_path, text.replace(";", delimiter)), NAMES, ROOT)
    assert [found[each].camera for each in (A, B, C)] == ["gate", "yard", "yard"]
    assert found[B].moment == 1767514501.0
    assert found[C].moment is None
    assert found[A].recording == ""


def test_all_that_is_wrong_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    text = "image,camera,frame\n1.jpg,gate,1\na/1.jpg,gate,x\na/1.jpg,gate,2\nb/둘.jgp,yard,3\n"
    text += "b/1.jpg,,4\nb/1.jpg\n"
    told = problems_of(tmp_path, text)
    file = tmp_path / "groups.csv"
    assert any(f"{file}:2: '1.jpg' may be any of 2 images" in each for each in told)
    assert any(f"{file}:3: frame must be a number but got 'x'" in each for each in told)
    assert any(f"{file}:4: 'a/1.jpg' is there already, in line 3" in each for each in told)
    assert any(f"{file}:5: 'b/둘.jgp' is no image" in each for each in told)
    assert any("did you mean '둘.jpg'?" in each for each in told)
    assert any(f"{file}:6: 'b/1.jpg' has neither camera nor recording" in each for each in told)
    assert any(f"{file}:7: has 1 cells, the header 3" in each for each in told)
    assert any("1 of 3 images have no row: b/둘.jpg" in each for each in told)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must name the column image but is nothing"),
        ("imge,camera\n", "must name the column image but is imge, camera; did you mean 'imge'?"),
        ("image,weather\n", "must name camera or recording, or both"),
        ("image,camera,recordng\n", "the column 'recordng'; did you mean 'recording'?"),
        ("image,file,camera\n", "the columns image and file both say 'image'"),
        ("image,camera\n", "has no row below its header"),
        ("image,camera,\n", "column 3 has no name"),
        ('image,camera\n"a/1.jpg,gate\n', "is no CSV"),
    ],
)
def test_headers_and_files_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    assert said in " ".join(problems_of(tmp_path, text))


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    file = write(tmp_path, "image,camera\n", "utf-16")
    with pytest.raises(DatasetError, match="UTF-16"):
        read_table(file, NAMES, ROOT)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    origins = {
        A: ImageOrigin("-gate", "-gate/1", 1.5, {"weather": "=rain"}),
        B: ImageOrigin("yard", "yard/1", 2.0),
        C: ImageOrigin("yard", "yard/1"),
    }
    file = tmp_path / "groups.csv"
    write_table(file, {NAMES[path]: origin for path, origin in origins.items()})
    found = read_table(file, NAMES, ROOT)
    assert [(o.camera, o.recording, o.moment) for o in found.values()] == [
        (o.camera, o.recording, o.moment) for o in origins.values()
    ]
    assert found[A].columns == {"weather": "=rain"}
    assert "'=rain" in file.read_text(encoding="utf-8-sig")  # no formula for a spreadsheet
