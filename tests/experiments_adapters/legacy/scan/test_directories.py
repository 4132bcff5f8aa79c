"""What a scan finds in a fleet, and that nothing in a directory can stop it."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from experiments_adapters.legacy.registry import ExperimentRegistry, parse_registry
from experiments_adapters.legacy.scan import (
    FoundDirectories,
    FoundDirectory,
    Script,
    scan_directories,
)
from experiments_adapters.legacy.scan.results import KnownSite
from experiments_adapters.legacy.scan.sites import KnownSites
from experiments_adapters.legacy.scan.write import to_yaml
from guardianflow.contracts.errors import ConfigurationError

KNOWN = KnownSites(
    [
        KnownSite("donghwa-entec", "busan", zone="welding", task="ppe"),
        KnownSite("sampyo", "gimhae", zone="bct", task="collision"),
    ]
)


@pytest.fixture(scope="module")
def scanned(fleet: Path) -> FoundDirectories:
    return scan_directories(fleet, KNOWN)


def of(scanned: FoundDirectories, name: str) -> FoundDirectory:
    return next(each for each in scanned.directories if each.name == name)


def make(directory: Path, scripts: dict[str, str | bytes]) -> FoundDirectory:
    """Scan one directory with these scripts."""
    for name, content in scripts.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return scan_directories(directory, single=True).directories[0]


def script(found: FoundDirectory, path: str) -> Script:
    return next(each for each in found.scripts if each.path == path)


def test_at_least_95_percent_of_the_fleet_are_classified_rightly(
    scanned: FoundDirectories, labels: dict[str, dict[str, str]]
) -> None:
    found = {d.name: {s.path: s.type for s in d.scripts} for d in scanned.directories}
    assert {d: set(s) for d, s in found.items()} == {d: set(s) for d, s in labels.items()}
    pairs = [(d, s, found[d][s], kind) for d, each in labels.items() for s, kind in each.items()]
    wrong = [pair for pair in pairs if pair[2] != pair[3]]
    assert len(pairs) >= 60
    assert len(wrong) <= 0.05 * len(pairs), wrong
    assert {kind for *_, kind in pairs} == {"train", "infer", "quant", "other"}


def test_every_answer_says_how_sure_it_is_and_why(scanned: FoundDirectories) -> None:
    for each in (s for d in scanned.directories for s in d.scripts):
        assert 0 < each.confidence < 1
        assert each.why.endswith(".")
        assert len(each.why.splitlines()) == 1
    old = script(of(scanned, "legacy_py2"), "train_darknet.py")
    assert old.confidence <= 0.6
    assert "Python 2" in old.why
    merge = script(of(scanned, "merge-conflict-ppe"), "train_v2.py")
    assert merge.confidence <= 0.6
    assert "marks of a merge" in merge.why


def test_scanning_changes_nothing(fleet: Path) -> None:
    def state() -> dict[str, tuple[int, str]]:
        return {
            str(path): (path.lstat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
            for path in fleet.rglob("*")
            if path.is_file()
        }

    before = state()
    scan_directories(fleet)
    assert state() == before


def test_code_is_read_and_not_run(tmp_path: Path) -> None:
    trap = f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\n"
    found = make(
        tmp_path / "e", {"train.py": trap + "import torch\nimport helper", "helper.py": trap}
    )
    assert not (tmp_path / "ran").exists()
    assert "helper" not in sys.modules
    assert {each.path for each in found.scripts} == {"helper.py", "train.py"}


@pytest.mark.parametrize(
    ("directory", "kind", "default", "sure"),
    [
        ("donghwa-entec-fall", "train", "학습_최종_v3.py", True),
        ("donghwa-entec-fall", "infer", "추론.py", True),
        ("hanil-pohang-fire", "train", "train_cli_241211.py", True),
        ("merge-conflict-ppe", "train", "train_v1.py", True),  # v2 can't run
        ("donghwa-entec-ppe", "train", "train_yolov11_v2.py", False),  # or the one of 1214?
        ("hanil-pohang-fire", "quant", None, False),  # a notebook only
    ],
)
def test_the_default_among_versions(
    scanned: FoundDirectories, directory: str, kind: str, default: str | None, sure: bool
) -> None:
    entry = of(scanned, directory).entry(kind)
    assert entry is not None
    assert (entry.default, entry.sure) == (default, sure), entry.why


def test_what_lies_beside_the_code_is_passed_by_and_named(scanned: FoundDirectories) -> None:
    found = of(scanned, "donghwa-entec-ppe")
    assert {"data/", "runs/", "__pycache__/"} <= set(found.passed_by)
    assert all("site-packages" not in each.path for each in found.scripts)
    assert any("latest.py leads nowhere" in problem for problem in found.problems)


def test_the_sites_come_from_what_is_known(scanned: FoundDirectories) -> None:
    site = of(scanned, "sampyo-gimhae-bct").site
    assert (site.customer, site.region, site.zone, site.task) == ("sampyo", "gimhae", "bct", "TODO")
    assert ("task.type", "known there: collision") in site.hints
    site = of(scanned, "donghwa-entec-ppe").site
    assert (site.customer, site.region, site.task) == ("donghwa-entec", "TODO", "ppe")
    site = of(scanned, "hanil-pohang-fire").site
    assert (site.customer, site.region, site.task) == ("TODO", "pohang", "fire")
    assert ("customer", "perhaps hanil") in site.hints


def test_a_longer_customer_goes_before_a_shorter_one() -> None:
    known = KnownSites([KnownSite("donghwa", "ulsan"), KnownSite("donghwa-entec", "busan")])
    assert known.read("donghwa-entec-ppe").customer == "donghwa-entec"
    assert known.read("donghwa_ulsan_화재_v2").customer == "donghwa"
    assert known.read("donghwa_ulsan_화재_v2").task == "fire"


def test_the_whole_fleet_becomes_a_registry_that_loads(
    scanned: FoundDirectories, fleet: Path
) -> None:
    registry = parse_registry(to_yaml(scanned), fleet / "experiments.yaml")
    entry = registry.get("donghwa-entec-ppe")
    assert entry.directory == fleet / "donghwa-entec-ppe"
    assert entry.select_script("train", version="1214").name == "yolo_v11_train_1214.py"
    point = entry.entry_point("train")
    assert dict(point.defaults)["epochs"] == 100
    assert set(point.placeholders) == set(point.defaults)
    for each in registry:
        for kind in ("train", "infer", "quant"):
            point = getattr(each.entry_points, kind)
            if point and point.default != "TODO":
                assert each.select_script(kind).is_file()  # type: ignore[arg-type]
                expected = {s.path for s in of(scanned, each.name).scripts
                            if s.type == kind and s.runnable}  # fmt: skip
                named = {p.relative_to(each.directory).as_posix() for p in each.scripts(kind)}  # type: ignore[arg-type]
                assert named == expected
    assert "reports" not in [each.name for each in registry]


def test_the_registry_class_scans_too(fleet: Path) -> None:
    assert len(ExperimentRegistry.scan(fleet).directories) == 16


# --- single scripts -------------------------------------------------------------------------------


YOLO = "from ultralytics import YOLO\nm = YOLO('x')\n"


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        ("train", "a.py", f"{YOLO}m.to('cuda')\nm.train(data='d')"),
        ("train", "a.py", f"{YOLO}m.train()"),  # of a YOLO, that trains with its defaults
        ("train", "a.py", "import ultralytics\nultralytics.YOLO('x').train(**cfg)"),
        ("train", "a.py", "from ultralytics import YOLO as Y\nm = Y('x')\nm.tune(data='d')"),
        ("train", "a.py", "import subprocess as s\ns.run(['yolo', 'train', 'data=a.yaml'])"),
        ("train", "a.py", "import os\nc = f'yolo train data={d}'\nos.system(c)"),
        ("other", "a.py", "# model.train(data='x')\nfrom ultralytics import YOLO\nprint(YOLO)"),
        ("other", "a.py", "'''model.train(data=1)'''\nimport torch\nprint(torch.__version__)"),
        ("other", "train_utils.py", "import torch\ndef f(m):\n    m.train()\n"),
        ("quant", "a.py", f"{YOLO}m.val(data='d')\nm.export(format='onnx')"),
        ("infer", "a.py", f"{YOLO}def show(model, f):\n    model(f)\nmodel = m\nshow(m, 'a.jpg')"),
        ("infer", "a.py", "import os\nos.system('./darknet detector test a.data a.cfg a.weights')"),
        ("quant", "a.py", "from openvino.tools import nncf\nnncf.quantize(m, d)"),
        # a function that nothing calls says little
        ("infer", "a.py", f"{YOLO}def old():\n    m.train(data='d')\nm.predict('a.jpg')"),
        ("quant", "b.py", "import onnxruntime.quantization as q\nq.quantize_dynamic('a', 'b')"),
        ("infer", "b.py", "from openvino import Core\nc = Core().compile_model('m.xml')\nc([x])"),
    ],
)
def test_what_a_script_does(tmp_path: Path, kind: str, name: str, code: str) -> None:
    found = script(make(tmp_path, {name: code}), name)
    assert found.type == kind, found.why


def test_a_detector_is_known_where_it_is_handed_on(tmp_path: Path) -> None:
    code = "from ultralytics import YOLO\ndef look(det, f):\n    return det.predict(f)\n"
    code += "def main():\n    det = YOLO('a.pt')\n    look(det, 'a.jpg')\nmain()\n"
    assert script(make(tmp_path, {"run.py": code}), "run.py").type == "infer"


def test_a_network_switched_to_training_mode_is_not_trained(tmp_path: Path) -> None:
    code = "import torch\nm = torch.load('a.pth')\nm.train(False)\nm.eval()\n"
    code += "with torch.no_grad():\n    m(x)"
    assert script(make(tmp_path, {"run.py": code}), "run.py").type == "infer"


def test_a_helper_gives_its_meaning_to_who_calls_it(tmp_path: Path) -> None:
    helper = "from ultralytics import YOLO\ndef fit(d):\n    YOLO('a').train(data=d)\n"
    helper += "def out(p):\n    YOLO(p).export(format='onnx')\n"
    found = make(
        tmp_path,
        {
            "lib/core.py": helper,
            "go.py": "from lib.core import fit\nfit('a.yaml')",
            "make.py": "from lib import core\ncore.out('a.pt')",
            "look.py": "import lib.core\nprint(lib.core)",
        },
    )
    types = [(each.path, each.type) for each in found.scripts]
    assert types == [
        *(("go.py", "train"), ("lib/core.py", "other"), ("look.py", "other"), ("make.py", "quant"))
    ]


# --- the bad -------------------------------------------------------------------------------------


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="must be a directory but there is no"):
        scan_directories(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="is a file"):
        scan_directories(tmp_path / "file")


def test_links_in_circles_and_twice_to_one_directory(tmp_path: Path) -> None:
    home = tmp_path / "fleet"
    (home / "a" / "deep").mkdir(parents=True)
    (home / "a" / "train.py").write_text("import torch")
    (home / "a" / "deep" / "up").symlink_to(home, target_is_directory=True)
    (home / "a" / "self.py").symlink_to(home / "a" / "self.py")
    (home / "alias").symlink_to(home / "a", target_is_directory=True)
    (home / "round").symlink_to(home, target_is_directory=True)
    found = scan_directories(home)
    assert [each.name for each in found.directories] == ["a"]
    assert any("round is a link to a directory around it" in each for each in found.problems)
    assert any("self.py" in each for each in found.directories[0].problems)


def test_names_that_are_no_utf8_and_a_pipe_that_never_answers(tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/\xc7\xd0\xbd\xc0.py"  # 학습 on a CP949 disk
    with open(odd, "wb") as stream:
        stream.write(b"from ultralytics import YOLO\nYOLO('a').train(data='b')")
    os.mkfifo(tmp_path / "train.py")
    found = scan_directories(tmp_path, single=True)
    assert [each.type for each in found.directories[0].scripts] == ["train"]
    assert "\\xc7" in found.directories[0].scripts[0].path
    assert any("no regular file" in each for each in found.directories[0].problems)
    parse_registry(to_yaml(found), tmp_path / "e.yaml")


@contextmanager
def without_rights() -> Iterator[Path]:
    """A directory that everybody may enter, while this process is not root."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    root = os.geteuid() == 0
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(folder)


def test_what_may_not_be_read_is_told() -> None:
    with without_rights() as folder:
        (folder / "ok.py").write_text("from ultralytics import YOLO\nYOLO('a').train(data='b')")
        (folder / "closed").mkdir(mode=0)
        (folder / "train.py").touch(mode=0)
        if os.geteuid() == 0:
            os.seteuid(65534)
        found = scan_directories(folder, single=True).directories[0]
    assert sorted(found.problems) == [
        "closed/ can't be read: Permission denied",
        "train.py can't be read: Permission denied",
    ]
    assert [each.type for each in found.scripts] == ["train", "other"]


def test_a_hundred_thousand_images_cost_little(tmp_path: Path) -> None:
    """Counted, not timed: directories of data are not even listed."""
    (tmp_path / "e" / "data").mkdir(parents=True)
    (tmp_path / "e" / "train.py").write_text("import torch")
    listed: list[str] = []
    real = os.scandir

    def counting(path: str) -> object:
        listed.append(str(path))
        return real(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", counting)
        scan_directories(tmp_path)
    assert not [path for path in listed if path.endswith("data")]


def test_loose_scripts_and_empty_directories_are_told(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import torch")
    (tmp_path / "empty").mkdir()
    found = scan_directories(tmp_path)
    assert found.loose == ("train.py",)
    assert found.without_scripts == ("empty",)
