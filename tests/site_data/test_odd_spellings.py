"""The same data set in every odd way that people's files have: the same mAP, or an error.

A fixed detector is judged on the plain set; each odd spelling of it must give that very number, and
Ultralytics must train on the boxes that we count.
"""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from guardianflow.contracts.data_warnings import DataWarningKind
from guardianflow.contracts.errors import DatasetError
from guardianflow.contracts.results import Detections, LocalDataset
from guardianflow.evaluation.accuracy.detection import evaluate_detections
from guardianflow.site_data.datasets import read_labelled_images, resolve_dataset
from guardianflow.site_data.sampling import sample_calibration_images

NAMES = ("안전모", "head")
COUNTS = {"train": 12, "val": 12}
SIZE = (96, 64)
NAMES_TEXT = f"[{', '.join(NAMES)}]"
Change = Callable[[Path], object]


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def truth(split: str, number: int) -> list[tuple[int, float, float, float, float]]:
    """Class and box of each object of an image."""
    chance = np.random.default_rng([len(split), number])
    return [
        (int(chance.integers(2)), *chance.uniform(0.3, 0.7, 2), *chance.uniform(0.1, 0.4, 2))
        for _ in range(1 + number % 3)
    ]


def row_text(row: tuple[int, float, float, float, float]) -> str:
    return f"{row[0]} " + " ".join(f"{value:.6f}" for value in row[1:])


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A data set as Ultralytics documents it, with Hangul in names; its directory."""
    root = tmp_path / "공장"
    for split, count in COUNTS.items():
        (root / "images" / split).mkdir(parents=True)
        (root / "labels" / split).mkdir(parents=True)
        for number in range(count):
            noise = np.random.default_rng([len(split), number]).integers(0, 255, (*SIZE[::-1], 3))
            stem = f"{split}_현장{number:02d}"
            Image.fromarray(noise.astype(np.uint8)).save(root / "images" / split / f"{stem}.png")
            rows = "".join(f"{row_text(row)}\n" for row in truth(split, number))
            (root / "labels" / split / f"{stem}.txt").write_text(rows, encoding="utf-8")
    write_yaml(root)
    return root


def write_yaml(root: Path, **given: str) -> None:
    values = {"train": "images/train", "val": "images/val", "names": f"[{', '.join(NAMES)}]"}
    lines = [f"{key}: {value}\n" for key, value in (values | given).items()]
    (root / "data.yaml").write_text("".join(lines), encoding="utf-8")


def resolve(root: Path) -> LocalDataset:
    return resolve_dataset(str(root / "data.yaml"), cache_dir=root.parent / "cache")


def judge(dataset: LocalDataset) -> dict[str, float]:
    """The accuracy of a detector that finds every object, each a little beside its place."""
    images = read_labelled_images(dataset, "val")
    found = []
    for image in images:
        number = int(unicodedata.normalize("NFC", image.path.stem)[-2:])
        rows = np.array(truth("val", number))
        chance = np.random.default_rng(number)
        centres = rows[:, 1:3] + chance.normal(0, 0.03, (len(rows), 2))
        corners = np.hstack([centres - rows[:, 3:] / 2, centres + rows[:, 3:] / 2])
        boxes = (corners * [*SIZE, *SIZE]).astype(np.float32)
        scores = np.sort(chance.uniform(0.3, 1, len(rows)).astype(np.float32))[::-1]
        found.append(Detections(boxes, scores, rows[:, 0].astype(np.int64)))
    metrics = evaluate_detections(found, images, dataset.class_names).as_metrics()
    return {key: metrics[key] for key in ("det.mAP50", "det.mAP50_95", "det.recall")}


def trained_on(dataset: LocalDataset, split: str) -> dict[str, list[list[float]]]:
    """Image → rows, sorted, as Ultralytics' own loader reads the resolved set."""
    from ultralytics.data.utils import check_det_dataset, img2label_paths, verify_image_label

    data = check_det_dataset(str(dataset.data_yaml), autodownload=False)
    paths = Path(data[split]).read_text(encoding="utf-8").split("\n")[:-1]
    rows = {}
    for path, label in zip(paths, img2label_paths(paths), strict=True):
        answer = verify_image_label((path, label, "", False, data["nc"], 0, 0, False))
        assert answer[0] is not None, answer[-1]
        rows[path] = sorted(answer[1].tolist())
    return rows


def assert_trained_is_judged(dataset: LocalDataset, split: str = "val") -> None:
    trained = trained_on(dataset, split)
    judged = read_labelled_images(dataset, split)
    assert list(trained) == [str(image.path) for image in judged]
    for image in judged:
        rows = np.array(trained[str(image.path)]).reshape(-1, 5)
        corners = np.hstack([rows[:, 1:3] - rows[:, 3:] / 2, rows[:, 1:3] + rows[:, 3:] / 2])
        theirs = np.hstack([rows[:, :1], np.clip(corners, 0, 1) * [*SIZE, *SIZE]])
        ours = np.hstack([image.class_ids[:, None], image.boxes_xyxy])
        np.testing.assert_allclose(sorted(theirs.tolist()), sorted(ours.tolist()), atol=2e-3)


# --- ways to spell the set that are read ----------------------------------------------------------


def upper_suffixes(root: Path) -> None:
    for label in (root / "labels").rglob("*.txt"):
        label.rename(label.with_suffix(".TXT" if "1" in label.stem else ".Txt"))


def decomposed_labels(root: Path) -> None:
    for label in list((root / "labels").rglob("*.txt")):
        label.rename(label.with_name(nfd(label.name)))


def decomposed_images(root: Path) -> None:
    for image in list((root / "images").rglob("*.png")):
        image.rename(image.with_name(nfd(image.name)))


def decomposed_folder_of_labels(root: Path) -> None:
    for kind in ("images", "labels"):
        name = nfd("구역") if kind == "labels" else "구역"
        (root / kind / "val").rename(root / kind / name)
    write_yaml(root, val="images/구역")


def decomposed_class_names(root: Path) -> None:
    write_yaml(root, names=nfd(NAMES_TEXT))


def list_in_another_form(root: Path) -> None:
    names = [f"images/val/{nfd(image.name)}" for image in (root / "images" / "val").iterdir()]
    (root / "val.TXT").write_text("\ufeff" + "\r\n".join(names), encoding="utf-8")
    write_yaml(root, val="val.TXT")


def lists_put_together(root: Path) -> None:
    names = [f"./images/val/{image.name}\n" for image in (root / "images" / "val").iterdir()]
    text = "".join(f"\ufeff{name}" if place % 5 == 0 else name for place, name in enumerate(names))
    (root / "val.txt").write_text(text, encoding="utf-8")
    write_yaml(root, val="val.txt")


def repeated_lines(root: Path) -> None:
    names = [f"./images/val/{image.name}\n" for image in (root / "images" / "val").iterdir()]
    (root / "val.txt").write_text("".join(names + names[:5] + names[:2]), encoding="utf-8")
    write_yaml(root, val="val.txt")


def link_into_itself(root: Path) -> None:
    (root / "images" / "val" / "again").symlink_to(root / "images" / "val")
    (root / "images" / "val" / "above").symlink_to(root / "images")
    (root / "images" / "val" / "self").symlink_to("self")


def hidden_files_of_a_mac(root: Path) -> None:
    for file in [*(root / "images").rglob("*.png"), *(root / "labels").rglob("*.txt")]:
        file.with_name(f"._{file.name}").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (root / "__MACOSX").mkdir()


def quoted_ids(root: Path) -> None:
    write_yaml(root, names=f"{{'1': {NAMES[1]}, '0': {NAMES[0]}}}", nc="2.0")


def float_ids(root: Path) -> None:
    write_yaml(root, names=f"{{1.0: {NAMES[1]}, 0.0: {NAMES[0]}}}", nc="'2'")


def outlines(root: Path) -> None:
    for label in (root / "labels").rglob("*.txt"):
        rows = [outline_of(line) for line in label.read_text(encoding="utf-8").splitlines()]
        label.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def outlines_beside_boxes(root: Path) -> None:
    for label in (root / "labels").rglob("*.txt"):
        first, *rest = label.read_text(encoding="utf-8").splitlines()
        label.write_text("\n".join([outline_of(first), *rest]), encoding="utf-8")


def outline_of(line: str) -> str:
    """A diamond in the box."""
    class_id, x, y, width, height = line.split()
    cx, cy, w, h = float(x), float(y), float(width) / 2, float(height) / 2
    points = [(cx - w, cy), (cx, cy - h), (cx + w, cy), (cx, cy + h)]
    return f"{class_id} " + " ".join(f"{px:.7f} {py:.7f}" for px, py in points)


def poses(root: Path) -> None:
    for label in (root / "labels").rglob("*.txt"):
        lines = label.read_text(encoding="utf-8").splitlines()
        label.write_text("".join(f"{line} 0.1 0.1 2 0.9 0.9 1\n" for line in lines))
    write_yaml(root, kpt_shape="[2, 3]")


def rows_twice(root: Path) -> None:
    for label in (root / "labels").rglob("*.txt"):
        lines = label.read_text(encoding="utf-8").splitlines()
        label.write_text("\r\n".join(["", *lines, *lines, "", ""]), encoding="utf-8")


def marks_and_old_line_ends(root: Path) -> None:
    for label in (root / "labels").rglob("*.txt"):
        content = "\ufeff" + label.read_text(encoding="utf-8").replace("\n", "\r\r\n")
        label.write_bytes(content.encode())


def no_test_there(root: Path) -> None:
    write_yaml(root, test="../test/images")


def empty_test(root: Path) -> None:
    (root / "images" / "test").mkdir()
    write_yaml(root, test="images/test")


def aliases(root: Path) -> None:
    text = "splits: &s {train: images/train, val: images/val}\n<<: *s\n"
    (root / "data.yaml").write_text(f"{text}names: {NAMES_TEXT}\n", encoding="utf-8")


def same_label_twice(root: Path) -> None:
    """Unpacked on two systems, one after the other."""
    for label in list((root / "labels").rglob("*.txt")):
        shutil.copy(label, label.with_name(nfd(label.name)))


def beside_the_images(root: Path) -> None:
    for split in COUNTS:
        shutil.move(root / "images" / split, root / split)
        for label in (root / "labels" / split).iterdir():
            label.rename(root / split / label.name)
    shutil.rmtree(root / "images")
    shutil.rmtree(root / "labels")
    write_yaml(root, train="train", val="val")


def beside_the_images_in_upper_case(root: Path) -> None:
    beside_the_images(root)
    for label in list(root.rglob("*_*.txt")):
        label.rename(label.with_suffix(".TXT"))


K = DataWarningKind
READ: list[tuple[Change, set[DataWarningKind]]] = [
    (upper_suffixes, {K.OTHER_SPELLING}),
    (decomposed_labels, {K.OTHER_SPELLING}),
    (decomposed_images, {K.OTHER_SPELLING}),
    (decomposed_folder_of_labels, {K.OTHER_SPELLING}),
    (decomposed_class_names, set()),
    (list_in_another_form, set()),
    (lists_put_together, set()),
    (repeated_lines, {K.REPEATED_LINES}),
    (link_into_itself, {K.LINKED_AGAIN}),
    (hidden_files_of_a_mac, set()),
    (quoted_ids, set()),
    (float_ids, set()),
    (outlines, {K.POLYGONS}),
    (outlines_beside_boxes, {K.POLYGONS}),
    (poses, {K.KEYPOINTS}),
    (rows_twice, {K.REPEATED_ROWS}),
    (marks_and_old_line_ends, set()),
    (no_test_there, {K.SPLIT_ABSENT}),
    (empty_test, {K.SPLIT_ABSENT}),
    (aliases, set()),
    (same_label_twice, set()),
    (beside_the_images, set()),
    (beside_the_images_in_upper_case, {K.OTHER_SPELLING}),
]


@pytest.mark.parametrize(("change", "causes"), READ, ids=[each.__name__ for each, _ in READ])
def test_another_spelling_gives_the_same_accuracy(
    plain: Path, change: Change, causes: set[DataWarningKind]
) -> None:
    reference = judge(resolve(plain))
    assert 0.2 < reference["det.mAP50_95"] < 0.9  # a number that can change
    change(plain)
    found = resolve(plain)
    assert {len(images) for images in found.splits.values()} == {12}
    assert judge(found) == pytest.approx(reference, abs=1e-6)
    assert {warning.cause for warning in found.warnings} == causes
    assert found.class_names == NAMES
    assert found.without_labels == {"train": 0, "val": 0}
    for split in COUNTS:
        assert_trained_is_judged(found, split)


# --- ways that nobody can be sure of --------------------------------------------------------------


def val_labels_in(place: str, name: Callable[[str], str] = str) -> Change:
    def change(root: Path) -> None:
        target = root / place
        target.mkdir(parents=True, exist_ok=True)
        for label in list((root / "labels" / "val").iterdir()):
            label.rename(target / name(label.name))

    return change


def capital_folders(root: Path) -> None:
    (root / "images").rename(root / "Images")
    (root / "labels").rename(root / "Labels")
    write_yaml(root, train="Images/train", val="Images/val")


def one_label_of_many_elsewhere(root: Path) -> None:
    label = root / "labels" / "val" / "val_현장07.txt"
    label.rename(root / label.name)


def images_under_another_name(root: Path) -> None:
    (root / "images").rename(root / "JPEGImages")
    write_yaml(root, train="JPEGImages/train", val="JPEGImages/val")


def two_labels_of_one_image(root: Path) -> None:
    label = root / "labels" / "val" / "val_현장07.txt"
    label.with_suffix(".TXT").write_text("0 0.5 0.5 0.1 0.1\n")


def two_odd_labels_of_one_image(root: Path) -> None:
    label = root / "labels" / "val" / "val_현장07.txt"
    shutil.copy(label, label.with_suffix(".TXT"))
    label.rename(label.with_suffix(".Txt"))


def label_that_leads_nowhere(root: Path) -> None:
    label = root / "labels" / "val" / "val_현장07.txt"
    label.unlink()
    label.symlink_to("gone.txt")


def wide_label(encoding: str) -> Change:
    def change(root: Path) -> None:
        label = root / "labels" / "val" / "val_현장07.txt"
        label.write_bytes(label.read_text(encoding="utf-8").encode(encoding))

    return change


def a_list(content: Callable[[str], bytes]) -> Change:
    def change(root: Path) -> None:
        names = sorted((root / "images" / "val").iterdir())
        text = "".join(f"images/val/{name.name}\n" for name in names)
        (root / "val.txt").write_bytes(content(text))
        write_yaml(root, val="val.txt")

    return change


def yaml_in(encoding: str) -> Change:
    def change(root: Path) -> None:
        file = root / "data.yaml"
        file.write_bytes(file.read_text(encoding="utf-8").encode(encoding))

    return change


def names_of_a_korean_windows(root: Path) -> None:
    image = root / "images" / "val" / "val_현장07.png"
    image.rename(image.parent / os.fsdecode("현장07.png".encode("cp949")))
    (root / "labels" / "val" / "val_현장07.txt").unlink()


REFUSED: list[tuple[str, Change, str]] = [
    ("flat", val_labels_in("labels"), r"12 images have no label .*labels/val/.*found: .*labels/"),
    ("other place", val_labels_in("annotations/val"), "found: .*annotations/val/val_현장00.txt"),
    ("beside", val_labels_in("images/val"), "found: .*images/val/val_현장00.txt"),
    ("train's", val_labels_in("labels/train"), "found: .*labels/train/val_현장00.txt"),
    ("capitals", val_labels_in("labels/val", str.upper), "found: .*VAL_현장00.TXT"),
    ("image.png.txt", val_labels_in("labels/val", lambda n: n.replace(".txt", ".png.txt")),
     r"val_현장00\.png\.txt"),
    ("Images", capital_folders, "found: .*Labels/train/"),
    ("JPEGImages", images_under_another_name, "found: .*labels/train/"),
    ("one", one_label_of_many_elsewhere, "1 image has no label where it belongs"),
    ("two", two_labels_of_one_image, r"현장07\.TXT: another label of the same image is"),
    ("two odd", two_odd_labels_of_one_image, "1 image has no label where it belongs"),
    ("dangling", label_that_leads_nowhere, "link to a file that is not there"),
    ("label in UTF-16", wide_label("utf-16"), "looks like UTF-16; convert it with: iconv"),
    ("label in UTF-16 without a mark", wide_label("utf-16-le"), "looks like UTF-16LE"),
    ("list in CP949", a_list(lambda text: text.encode("cp949")),
     r"val\.txt: is not UTF-8 \(line 1\) but looks like CP949 \(EUC-KR\); convert it with: iconv"),
    ("list in UTF-16", a_list(lambda text: text.encode("utf-16")), "looks like UTF-16"),
    ("list of Windows", a_list(lambda text: text.replace("/", "\\").encode()),
     r"val\.txt:1: image images\\val\\val_현장00\.png is missing; write / instead of \\"),
    ("data.yaml in CP949", yaml_in("cp949"), r"data\.yaml: is not UTF-8 .*CP949"),
    ("data.yaml in UTF-16", yaml_in("utf-16"), r"data\.yaml: is not UTF-8 .*UTF-16"),
    ("name in CP949", names_of_a_korean_windows, "names that are not UTF-8"),
    ("Windows path", lambda root: write_yaml(root, val="images\\val"), "write / instead of"),
    ("Windows root", lambda root: write_yaml(root, path="C:\\data\\ppe"), "write / instead of"),
    ("large", lambda root: write_yaml(root, notes="x" * 300_000), "256 are the most"),
    ("deep", lambda root: write_yaml(root, notes="[" * 60 + "]" * 60), "nested more than 50 deep"),
    ("nc", lambda root: write_yaml(root, nc="30000000"), "'nc' must be a whole number up to"),
    ("bell", lambda root: write_yaml(root, names='["a\\x07", b]'), r"U\+0007; remove it"),
    ("two lines", lambda root: write_yaml(root, names='["a\\nb", b]'), r"U\+000A; remove it"),
    ("direction", lambda root: write_yaml(root, names='["a\\u202eb", b]'), r"U\+202E; remove it"),
    ("same letters", lambda root: write_yaml(root, names=f"[안전모, {nfd('안전모')}]"),
     "more than once"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED]
)
def test_what_nobody_can_be_sure_of_is_an_error(plain: Path, change: Change, said: str) -> None:
    change(plain)
    with pytest.raises(DatasetError, match=said) as caught:
        resolve(plain)
    assert len(str(caught.value)) < 10_000


# --- numbers --------------------------------------------------------------------------------------


def test_boxes_over_the_edge_are_cut_and_counted(plain: Path) -> None:
    label = plain / "labels" / "val" / "val_현장00.txt"
    label.write_text("0 1.01 0.5 0.2 0.5\n1 -0.01 0.5 0.2 0.5\n0 0.5 0.5 1.0004 1\n")
    found = resolve(plain)
    (warning,) = found.warnings
    assert (warning.cause, warning.numbers) == (K.CLIPPED, {"boxes": 2})
    boxes = read_labelled_images(found, "val")[0].boxes_xyxy / [*SIZE, *SIZE]
    expected = [[0.91, 0.25, 1, 0.75], [0, 0.25, 0.09, 0.75], [0, 0, 1, 1]]
    np.testing.assert_allclose(boxes, expected, atol=1e-6)
    assert_trained_is_judged(found)


def test_two_outlines_of_one_box_are_two_objects_as_ultralytics_counts(plain: Path) -> None:
    label = plain / "labels" / "val" / "val_현장00.txt"
    square = "0 0.2 0.2 0.6 0.2 0.6 0.6 0.2 0.6\n"
    label.write_text(square + outline_of("0 0.4 0.4 0.4 0.4") + "\n" + square)
    found = resolve(plain)
    assert len(read_labelled_images(found, "val")[0].class_ids) == 2
    assert_trained_is_judged(found)


def test_two_outlines_of_one_box_are_one_object_beside_a_row_that_is_a_box(plain: Path) -> None:
    """Such a file is written anew as boxes, and equal boxes count once."""
    label = plain / "labels" / "val" / "val_현장00.txt"
    square = "0 0.2 0.2 0.6 0.2 0.6 0.6 0.2 0.6\n"
    label.write_text(f"{square}0 0.2 0.2 0.6 0.2 0.6 0.6\n1 0.5 0.5 0.2 0.2\n")
    found = resolve(plain)
    assert sorted(read_labelled_images(found, "val")[0].class_ids) == [0, 1]
    told = {warning.cause: dict(warning.numbers) for warning in found.warnings}
    assert told == {K.POLYGONS: {"rows": 2}, K.REPEATED_ROWS: {"rows": 1}}
    assert_trained_is_judged(found)


def test_images_that_a_list_repeats_are_trained_on_as_often(plain: Path) -> None:
    images = sorted((plain / "images" / "train").iterdir())
    once = resolve(plain)
    names = [*images, *images[:3], images[0]]
    (plain / "train.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    write_yaml(plain, train="train.txt")
    found = resolve(plain)
    assert found.splits == once.splits  # each is judged, and calibrated on, once
    assert found.fingerprint != once.fingerprint  # another training
    (warning,) = found.warnings
    assert (warning.split, warning.numbers) == ("train", {"repeats": 4, "images": 12})
    assert loaded_by_ultralytics(found) == sorted(map(str, names))
    assert len(sample_calibration_images(found, 99, seed=0)) == 12


def loaded_by_ultralytics(dataset: LocalDataset) -> list[str]:
    """The images that its data loader holds for an epoch."""
    from ultralytics.data.dataset import YOLODataset

    loader = YOLODataset(
        img_path=str(dataset.data_yaml.with_name("train.txt")),
        imgsz=96,
        augment=False,
        data={"names": dict(enumerate(dataset.class_names)), "channels": 3},
        task="detect",
    )
    return sorted(loader.im_files)


def test_background_is_counted_and_other_formats_are_told(plain: Path) -> None:
    for number in (3, 4):
        (plain / "labels" / "val" / f"val_현장{number:02d}.txt").unlink()
    (plain / "images" / "val" / "val_현장03.xml").write_text("<annotation/>")
    (plain / "labels" / "train" / "train_현장05.txt").write_text("")
    found = resolve(plain)
    assert found.without_labels == {"train": 0, "val": 2}
    told = {warning.cause: dict(warning.numbers) for warning in found.warnings}
    assert told == {K.WITHOUT_LABELS: {"without": 2, "images": 12}, K.OTHER_FORMAT: {"labels": 1}}


def test_predictions_and_labels_of_others_are_no_lost_labels(plain: Path) -> None:
    """A name that an image elsewhere claims, and what Ultralytics predicted, say nothing."""
    (plain / "labels" / "val" / "val_현장03.txt").unlink()
    predicted = plain / "runs" / "detect" / "predict" / "labels"
    predicted.mkdir(parents=True)
    (predicted / "val_현장03.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    shutil.copy(
        plain / "images" / "val" / "val_현장03.png", plain / "images" / "train" / "val_현장03.png"
    )
    (plain / "labels" / "train" / "val_현장03.txt").write_text("")
    assert resolve(plain).without_labels == {"train": 0, "val": 1}


def test_the_same_picture_is_told_by_content_and_never_calibrated_on(plain: Path) -> None:
    for number in range(12):
        source = plain / "images" / "val" / f"val_현장{number:02d}.png"
        copy = plain / "images" / "train" / f"copy{number:02d}.png"
        shutil.copy(source, copy) if number % 2 else copy.symlink_to(source)
        (plain / "labels" / "train" / f"copy{number:02d}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    found = resolve(plain)
    (warning,) = found.warnings
    assert (warning.cause, warning.split) == (K.SHARED_WITH_TRAIN, "val")
    assert warning.numbers == {"shared": 12, "images": 12}
    sample = sample_calibration_images(found, 99, seed=0)
    assert len(sample) == 12 and not any(path.name.startswith("copy") for path in sample)


def test_a_link_from_one_split_to_another_shares_its_pictures(plain: Path) -> None:
    (plain / "images" / "train" / "more").symlink_to(plain / "images" / "val")
    (plain / "labels" / "train" / "more").symlink_to(plain / "labels" / "val")
    found = resolve(plain)
    assert len(found.splits["train"]) == 24
    assert [warning.cause for warning in found.warnings] == [K.SHARED_WITH_TRAIN]


def test_copies_within_a_split_are_told(plain: Path) -> None:
    shutil.copy(plain / "images/val/val_현장03.png", plain / "images/val/x03.png")
    shutil.copy(plain / "labels/val/val_현장03.txt", plain / "labels/val/x03.txt")
    (warning,) = resolve(plain).warnings
    assert (warning.cause, warning.numbers) == (K.SAME_PICTURES, {"copies": 1, "images": 13})
    assert warning.examples[0].endswith("현장03.png")


def test_an_image_that_is_there_in_both_forms_has_its_label_twice(plain: Path) -> None:
    image = plain / "images" / "val" / "val_현장03.png"
    shutil.copy(image, image.with_name(nfd(image.name)))
    found = resolve(plain)
    assert found.without_labels["val"] == 0 and len(found.splits["val"]) == 13
    assert {each.cause for each in found.warnings} == {K.OTHER_SPELLING, K.SAME_PICTURES}
    boxes = [
        each.boxes_xyxy.tolist()
        for each in read_labelled_images(found, "val")
        if each.path.stem.endswith("03")
    ]
    assert len(boxes) == 2 and boxes[0] == boxes[1] != []
    assert_trained_is_judged(found)


def test_classes_and_paths_are_matched_in_either_form(plain: Path) -> None:
    write_yaml(plain, path=f"../{nfd(plain.name)}")
    given = Path(str(plain).replace("공장", nfd("공장"))) / "data.yaml"
    found = resolve_dataset(
        str(given), cache_dir=plain.parent / "cache", expected_classes=[nfd("안전모"), "head"]
    )
    assert judge(found) == judge(resolve(plain))


def test_a_resolved_set_follows_its_labels(plain: Path) -> None:
    """A label that is found under another spelling and then changed is not the one kept before."""
    upper_suffixes(plain)
    before = resolve(plain)
    label = next((plain / "labels" / "val").iterdir())
    label.write_text("1 0.5 0.5 0.9 0.9\n")
    after = resolve(plain)
    assert after.fingerprint != before.fingerprint and after.data_yaml != before.data_yaml
    assert_trained_is_judged(after)
    assert resolve(plain).splits == after.splits
