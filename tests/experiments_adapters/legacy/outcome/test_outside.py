"""Results that a script writes elsewhere, noted by the script's own process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from experiments_adapters.legacy.changes import CATEGORIES, WEIGHTS
from experiments_adapters.legacy.environment import script_environment
from experiments_adapters.legacy.inside_script import OTHERS
from experiments_adapters.legacy.inside_script import WEIGHTS as NOTED_WEIGHTS
from experiments_adapters.legacy.outcome.outside import OutsideFiles, outside_files
from experiments_adapters.legacy.outcome.written import WrittenRecord


class Place:
    """A directory of scripts, another one beside it, and a script that is run."""

    def __init__(self, folder: Path) -> None:
        self.root, self.elsewhere = folder / "실험", folder / "저장소"
        self.root.mkdir()
        self.elsewhere.mkdir()

    def start(self, code: str, name: str = "a", **variables: str) -> subprocess.Popen[bytes]:
        hook = self.root.parent / f"hook-{name}"
        hook.mkdir()
        script = self.root / f"{name}.py"
        script.write_text(textwrap.dedent(code), encoding="utf-8")
        given = {"ELSEWHERE": str(self.elsewhere), **variables}
        environment = script_environment(os.environ, Path(sys.executable), given, hook)
        return subprocess.Popen([sys.executable, str(script)], cwd=self.root, env=environment)

    def found(self, name: str = "a", announced: tuple[Path, ...] = (), since: int = 0) -> set[str]:
        return {each.path for each, _ in self.outside(name, announced, since).files}

    def outside(
        self, name: str = "a", announced: tuple[Path, ...] = (), since: int = 0
    ) -> OutsideFiles:
        record = WrittenRecord(self.root.parent / f"hook-{name}")
        return outside_files(self.root, record, announced, since)

    def run(self, code: str, **variables: str) -> set[str]:
        since = time.time_ns()
        assert self.start(code, **variables).wait(60) == 0
        return self.found(since=since)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_kinds_that_are_noted_are_those_that_are_kept() -> None:
    assert set(NOTED_WEIGHTS) == CATEGORIES[WEIGHTS]
    assert set(OTHERS) == set().union(*CATEGORIES.values()) - CATEGORIES[WEIGHTS]


TRAINING = """
import os
from pathlib import Path
runs = Path(os.environ["ELSEWHERE"], "runs/detect/train")
number = ""
while True:
    try:
        (folder := Path(f"{runs}{number}")).mkdir(parents=True)
        break
    except FileExistsError:
        number = (number or 1) + 1
(folder / "weights").mkdir()
(folder / "weights/best.pt").write_bytes(b"best")
(folder / "results.csv").write_text("epoch,x\\n")
(folder / "mosaic.jpg").write_bytes(b"x")
"""


def test_a_training_below_ultralytics_runs_dir_is_this_scripts(place: Place) -> None:
    """Also where a training of somebody else's lies beside it, and one is added meanwhile."""
    other = place.elsewhere / "runs/detect/train"
    other.mkdir(parents=True)
    (other / "best.pt").write_bytes(b"another's")
    code = TRAINING + '(runs.parent / "train9").mkdir()\n'
    before = place.elsewhere / "runs/detect/mine-of-today"
    before.mkdir()
    (before / "best.pt").write_bytes(b"another's, of today")
    assert place.run(code) == {
        "outside/train2/weights/best.pt",
        "outside/train2/results.csv",
        "outside/train2/mosaic.jpg",
    }
    assert place.outside().places == (place.elsewhere / "runs/detect/train2",)


def test_two_runs_at_once_are_told_apart(place: Place) -> None:
    code = TRAINING + "import time; time.sleep(0.5)\n"
    both = [place.start(code, name) for name in ("a", "b")]
    assert [each.wait(60) for each in both] == [0, 0]
    homes = [{str(p) for p in place.outside(name).places} for name in ("a", "b")]
    runs = place.elsewhere / "runs/detect"
    assert homes[0] | homes[1] == {str(runs / "train"), str(runs / "train2")}
    assert not homes[0] & homes[1]
    assert {len(place.found(name)) for name in ("a", "b")} == {3}


def test_a_directory_that_another_made_a_moment_before_is_not_this_scripts(place: Place) -> None:
    """What it asked for is noted before it is made; this one is made by others meanwhile."""
    others = """
        import subprocess
        import sys
        taken = Path(os.environ["ELSEWHERE"], "runs/detect/train")
        sys.audit("os.mkdir", str(taken), 511, -1)
        made = f"mkdir -p '{taken}' && echo another > '{taken}/best.pt'"
        subprocess.run(["sh", "-c", made], check=True)
    """
    code = "import os\nfrom pathlib import Path\n" + textwrap.dedent(others) + TRAINING
    assert place.start(code).wait(60) == 0
    found = place.outside()
    assert found.places == (place.elsewhere / "runs/detect/train2",)
    assert sorted(lies.read_bytes() for file, lies in found.files if "best" in file.path) == [
        b"best"
    ]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        # Into a directory that is there, which others use too; and after a change of directory.
        ("os.chdir(E); open('best.pt', 'wb').write(b'x')", {"outside/저장소/best.pt"}),
        # Written under another name and moved into its place.
        (
            "open('tmp.bin', 'wb').write(b'x'); os.replace('tmp.bin', E / 'best.pt')",
            {"outside/저장소/best.pt"},
        ),
        # Through a link inside the directory: runs -> a disk of its own.
        (
            "os.symlink(E, 'runs'); os.makedirs('runs/exp')\n"
            "open('runs/exp/best.pt', 'wb').write(b'x')",
            {"outside/exp/best.pt"},
        ),
        # By a process of its own.
        (
            "subprocess.run([sys.executable, '-c', "
            'f\'open({str(E / chr(98))!r} + ".pt", "wb").write(b"x")\'], check=True)',
            {"outside/저장소/b.pt"},
        ),
        # Into a directory of data, which is not looked into.
        (
            "os.makedirs('data/exp'); open('data/exp/best.pt', 'wb').write(b'x')\n"
            "os.makedirs('data/labels'); open('data/labels/1.txt', 'w').write('0 .5 .5 .1 .1')",
            {"outside/exp/best.pt"},
        ),
        # Data, caches, other programs' bookkeeping, files that went again: nothing of it.
        (
            "os.makedirs(E / 'ppe/labels'); open(E / 'ppe/labels/1.txt', 'w').write('0')\n"
            "os.makedirs(E / 'datasets/x'); open(E / 'datasets/x/a.json', 'w').write('{}')\n"
            "os.makedirs(E / '.config/U'); open(E / '.config/U/settings.json', 'w').write('{}')\n"
            "os.makedirs(E / 'wandb/r'); open(E / 'wandb/r/best.pt', 'w').write('x')\n"
            "open(E / 'gone.pt', 'w').write('x'); os.remove(E / 'gone.pt')\n"
            "open(E / 'code.py', 'w').write('x')",
            set(),
        ),
        # What is only read is nobody's; nor what lies inside, which is compared with before.
        ("open(E / 'old.pt').read(); open('best.pt', 'w').write('x')", set()),
    ],
    ids=["chdir", "moved", "link", "process", "data", "no results", "inside"],
)
def test_what_a_script_writes_wherever_it_lies(place: Place, code: str, expected: set[str]) -> None:
    old = place.elsewhere / "old.pt"
    old.write_bytes(b"x")
    os.utime(old, (1, 1))
    head = "import os, subprocess, sys\nfrom pathlib import Path\nE = Path(os.environ['ELSEWHERE'])"
    assert place.run(f"{head}\n{code}\n") == expected


def test_torch_saves_in_cpp_and_is_noted(place: Place) -> None:
    pytest.importorskip("torch")
    (place.elsewhere / "old.txt").write_text("x")
    ascii_only = place.root.parent / "store"  # torch opens other names by Python
    ascii_only.mkdir()
    (ascii_only / "old.txt").write_text("x")
    os.utime(ascii_only / "old.txt", (1, 1))
    code = "import os, torch\ntorch.save({'a': 1}, os.environ['STORE'] + '/best.pt')\n"
    assert place.run(code, STORE=str(ascii_only)) == {"outside/store/best.pt"}


def test_openvino_saves_in_cpp_and_is_noted(place: Place) -> None:
    pytest.importorskip("openvino")
    code = """
        import os
        import openvino as ov
        from openvino import opset13 as op
        x = op.parameter([1, 2], dtype=float)
        folder = os.environ["ELSEWHERE"] + "/best_openvino_model"
        network = ov.Model([op.add(x, op.constant([1.0, 2.0], dtype=float))], [x])
        ov.save_model(network, folder + "/best.xml")
        open(folder + "/metadata.yaml", "w").write("imgsz: [64, 64]")
        """
    home = "outside/best_openvino_model"
    assert place.run(code) == {f"{home}/best.xml", f"{home}/best.bin", f"{home}/metadata.yaml"}


def test_of_an_announced_directory_only_what_is_younger_counts(place: Place) -> None:
    """A script whose interpreter notes nothing says where it wrote, and nothing else."""
    folder = place.elsewhere / "exp"
    folder.mkdir()
    (folder / "old.pt").write_bytes(b"x")
    os.utime(folder / "old.pt", (1, 1))
    since = time.time_ns()
    (folder / "weights").mkdir()
    (folder / "weights/best.pt").write_bytes(b"x")
    (folder / "another's").mkdir()
    (folder / "another's/best.pt").write_bytes(b"x")
    (place.root.parent / "hook-a").mkdir()
    assert place.found(announced=(folder,), since=since) == {"outside/exp/weights/best.pt"}


def test_two_places_keep_their_files_apart(place: Place) -> None:
    (place.root / "outside").mkdir()  # the script's own
    code = """
        import os
        for name in ("a", "b"):
            os.makedirs(os.environ["ELSEWHERE"] + f"/{name}/weights")
            open(os.environ["ELSEWHERE"] + f"/{name}/weights/best.pt", "w").write(name)
        """
    assert place.run(code) == {"outside_/a/weights/best.pt", "outside_/b/weights/best.pt"}


def test_a_table_that_goes_on_is_noted_with_what_it_held(place: Place) -> None:
    table = place.elsewhere / "results.csv"
    table.write_text("epoch,x\n1,2\n")
    code = "import os; open(os.environ['ELSEWHERE'] + '/results.csv', 'a').write('2,3\\n')"
    assert place.start(code).wait(60) == 0
    record = WrittenRecord(place.root.parent / "hook-a")
    record.read()
    assert record.files == {table.resolve(): 12}


def test_a_script_that_writes_very_many_files_is_hardly_slowed(place: Place) -> None:
    code = """
        import os
        for i in range(8000):
            open(os.environ["ELSEWHERE"] + f"/{i}.txt", "w").close()
        open(os.environ["ELSEWHERE"] + "/best.pt", "w").close()
        """
    found = place.run(code)
    assert "outside/저장소/best.pt" in found  # weights are noted whatever came before
    record = WrittenRecord(place.root.parent / "hook-a")
    record.read()
    assert len(record.files) == 5001
