"""What would stop a script is found before it starts, and nothing of it is run for that."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import venv
from pathlib import Path

import pytest

from experiments_adapters.legacy.arguments import script_options
from experiments_adapters.legacy.before_start.check import look_before
from experiments_adapters.legacy.before_start.findings import Cause, Finding

RAN = "open('it-ran', 'w').close()\n"


def found(folder: Path, code: str, *words: str, python: str = sys.executable) -> list[Finding]:
    script = folder / "train.py"
    script.write_text(RAN + textwrap.dedent(code), encoding="utf-8")
    (folder / "it-ran").unlink(missing_ok=True)
    findings = look_before(
        script, Path(python), folder, options=script_options(script), words=words
    )
    assert not (folder / "it-ran").exists()
    return list(findings)


def causes(findings: list[Finding]) -> list[tuple[Cause, bool]]:
    return [(each.cause, each.certain) for each in findings]


MISSING, PERHAPS = [(Cause.MODULE, True)], [(Cause.MODULE, False)]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import numpy, os.path, xml.etree.ElementTree as ET", []),
        ("import no_such_module", MISSING),
        ("import no_such_module.part as x", MISSING),
        ("from no_such_module import x", MISSING),
        ("if __name__ == '__main__':\n    import no_such_module", MISSING),
        ("def main():\n    import no_such_module\nif __name__ == '__main__':\n    main()", MISSING),
        ("class A:\n    import no_such_module", MISSING),
        ("with open('x') as f:\n    import no_such_module", MISSING),
        # Whoever catches it knows what to do.
        ("try:\n    import no_such_module\nexcept ImportError:\n    x = None", []),
        ("try:\n    import no_such_module\nexcept (OSError, ModuleNotFoundError):\n    pass", []),
        ("try:\n    import no_such_module\nexcept:\n    pass", []),
        ("try:\n    import json\nexcept ImportError:\n    import no_such_module as json", PERHAPS),
        ("import contextlib\nwith contextlib.suppress(ImportError):\n    import no_such", []),
        ("try:\n    import no_such_module\nexcept ValueError:\n    pass", MISSING),
        # For another Python or system, for a type checker.
        ("import sys\nif sys.version_info[0] == 2:\n    import no_such_module", []),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import no_such_module", []),
        # It may come to that.
        ("import os\nif os.environ.get('WANDB'):\n    import no_such_module", PERHAPS),
        ("def export():\n    import no_such_module\nx = [export]", PERHAPS),
        ("def never():\n    import no_such_module", []),
        ("import sys\nif len(sys.argv) > 9: sys.exit()\nimport no_such_module", PERHAPS),
        # It brings it itself.
        ("import sys\nsys.path.append('/common')\nimport no_such_module", PERHAPS),
        ("import os\nos.system('pip install no_such')\nimport no_such_module", PERHAPS),
    ],
)
def test_modules_that_its_interpreter_lacks(
    tmp_path: Path, code: str, expected: list[tuple[Cause, bool]]
) -> None:
    assert causes(found(tmp_path, code)) == expected


def test_what_is_certain_is_what_happens(tmp_path: Path) -> None:
    """The interpreter itself fails on what is called certain, and says the same line."""
    findings = found(tmp_path, "import os\nimport no_such_module\n")
    assert "train.py:3: " in findings[0].text
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "line 3" in done.stderr and "No module named 'no_such_module'" in done.stderr


def test_modules_beside_the_script_are_followed_as_their_import_runs_them(tmp_path: Path) -> None:
    (tmp_path / "도구").mkdir()
    (tmp_path / "도구/__init__.py").write_text("")
    (tmp_path / "도구/읽기.py").write_text("from . import 더\nimport no_such_a\n")
    (tmp_path / "도구/더.py").write_text(
        "def f():\n    import no_such_b\nif __name__ == '__main__':\n    import no_such_c\n"
    )
    (tmp_path / "data").mkdir()  # a directory is a package as well
    findings = found(tmp_path, "from 도구 import 읽기\nimport 도구.읽기\nimport data\n")
    assert causes(findings) == MISSING
    assert "도구/읽기.py:2" in findings[0].text and "no_such_a" in findings[0].text


def test_it_is_the_scripts_interpreter_that_is_asked(tmp_path: Path) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    code = "import numpy\n"
    assert found(tmp_path, code) == []
    findings = found(tmp_path, code, python=str(home / "bin/python"))
    assert causes(findings) == MISSING
    assert f"{home}/bin/python has no module 'numpy'" in findings[0].text
    site = next(home.glob("lib/python*/site-packages"))
    (site / "numpy.py").write_text("raise SystemExit('imported')")
    assert found(tmp_path, code, python=str(home / "bin/python")) == []


def test_an_interpreter_that_cannot_be_asked_or_cannot_read_the_script(tmp_path: Path) -> None:
    old = tmp_path / "python2"
    old.write_text("#!/bin/sh\necho 'ImportError: No module named util' >&2; exit 1\n")
    old.chmod(0o755)
    findings = found(tmp_path, "import numpy\n", python=str(old))
    assert causes(findings) == [(Cause.NOT_ASKED, False)]
    assert "No module named util" in findings[0].text
    (syntax,) = found(tmp_path, "print 'python 2'\n")
    assert (syntax.cause, syntax.certain) == (Cause.SYNTAX, True)
    assert "line 2" in syntax.text


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x = input('epochs? ')", [(Cause.INPUT, True)]),
        ("def ask():\n    return int(input())\ndef main():\n    ask()\nmain()",
         [(Cause.INPUT, True)]),
        ("while True:\n    input()", [(Cause.INPUT, True)]),
        ("import sys\nif len(sys.argv) < 2:\n    x = input()", [(Cause.INPUT, False)]),
        ("import os\nx = os.environ.get('X') or input()", [(Cause.INPUT, False)]),
        ("try:\n    x = input()\nexcept EOFError:\n    x = ''", []),
        ("input = 3\ndef f(input): return input(2)\nf(abs)", []),
        ("import getpass\np = getpass.getpass()", [(Cause.INPUT, True)]),
        ("class Camera:\n    def ask(self): input()\nCamera().ask()", [(Cause.INPUT, False)]),
    ],
)  # fmt: skip
def test_questions_that_nobody_answers(
    tmp_path: Path, code: str, expected: list[tuple[Cause, bool]]
) -> None:
    assert causes(found(tmp_path, code)) == expected


YOLO = """
import argparse
from ultralytics import YOLO
p = argparse.ArgumentParser()
p.add_argument("--data", default="{data}")
p.add_argument("--model", default="{model}")
args = p.parse_args()
YOLO(args.model).train(data=args.data)
"""


def test_data_and_weights_that_are_not_there(tmp_path: Path) -> None:
    pytest.importorskip("ultralytics")
    code = YOLO.replace("{data}", "data/ppe.yaml").replace("{model}", "pre/best.pt")
    data, weights = found(tmp_path, code)
    assert (data.cause, data.certain) == (Cause.DATA, False)
    assert data.text.endswith(f"data/ppe.yaml is not there: no {tmp_path / 'data/ppe.yaml'}")
    assert (weights.cause, weights.certain) == (Cause.WEIGHTS, False)
    for name in ("data/ppe.yaml", "pre/best.pt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("names: [a]\n")
    assert found(tmp_path, code) == []
    # What is passed counts, not the default.
    (passed,) = found(tmp_path, code, "--data", "없음.yaml")
    assert "없음.yaml is not there" in passed.text


def test_what_would_be_downloaded(tmp_path: Path) -> None:
    pytest.importorskip("ultralytics")
    code = YOLO.replace("{data}", "coco8.yaml").replace("{model}", "yolo11n.pt")
    data, weights = found(tmp_path, code)
    assert data.cause == weights.cause == Cause.DOWNLOAD
    assert "yolo11n.pt are not in" in weights.text and "would be downloaded" in weights.text
    (tmp_path / "yolo11n.pt").write_bytes(b"x")
    (tmp_path / "coco8.yaml").write_text("names: [a]\n")
    assert found(tmp_path, code) == []
    assert found(tmp_path, "from ultralytics import YOLO\nYOLO('yolo11n.yaml')\n") == []
    (hub,) = found(tmp_path, "import torch\nm = torch.hub.load('ultralytics/yolov5', 'custom')\n")
    assert (hub.cause, hub.certain) == (Cause.DOWNLOAD, False)
    assert found(tmp_path, "import torch\ntorch.hub.load('.', 'custom', source='local')\n") == []


def test_paths_of_another_machine(tmp_path: Path) -> None:
    code = """
        DATA = "/home/no-such-kim/ppe/data.yaml"
        OUT = "/home/no-such-kim/runs"
        DISK = r"D:\\\\detectors\\\\best.pt"
        URL = "/api/v1/events"
        HERE = "/usr/share"
        """
    findings = found(tmp_path, code)
    assert causes(findings) == [(Cause.OTHER_MACHINE, False)] * 2
    assert "train.py:3: paths of another machine: /home/no-such-kim/ppe/data.yaml, " in (
        findings[0].text
    )
    assert "there is no /home/no-such-kim here" in findings[0].text
    assert "D:" in findings[1].text


@pytest.mark.parametrize(
    ("code", "certain"),
    [
        ("YOLO('yolo11n.yaml').train(data='/home/no-such-kim/ppe/data.yaml')", True),
        ("D = 'D:/데이터/data.yaml'\nYOLO('yolo11n.yaml').train(data=D)", True),
        ("YOLO('/home/no-such-kim/best.pt')", True),
        # It may not come to that, or be another by then.
        ("import os\nif os.environ.get('X'):\n    YOLO('/home/no-such-kim/best.pt')", False),
        ("try:\n    YOLO('/home/no-such-kim/best.pt')\nexcept Exception:\n    pass", False),
        ("def f(D='x'):\n    YOLO(D)\nD = '/home/no-such-kim/best.pt'\nf('y')", False),
        ("D = '/home/no-such-kim/best.pt'\nD = 'here.yaml'\nYOLO(D)", False),
    ],
)
def test_data_and_weights_by_a_path_of_another_machine(
    tmp_path: Path, code: str, certain: bool
) -> None:
    pytest.importorskip("ultralytics")
    findings = found(tmp_path, f"from ultralytics import YOLO\n{code}\n")
    assert causes(findings) == [(Cause.OTHER_MACHINE, certain)]


def test_a_data_yaml_whose_own_paths_are_another_machines(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("path: /home/no-such-kim/ppe\ntrain: images/train\n")
    code = "from ultralytics import YOLO\nYOLO('yolo11n.yaml').train(data='a.yaml')\n"
    (finding,) = found(tmp_path, code)
    assert finding.cause == Cause.DATA
    assert "a.yaml: path: /home/no-such-kim/ppe is not on this machine" in finding.text
