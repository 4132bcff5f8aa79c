from __future__ import annotations

import pickle
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from author_code import GOOD, Write

from experiments_adapters.code_path import ExperimentCode
from experiments_adapters.trainers import check_result


def test_experiments_with_equal_module_names_do_not_mix(
    write_experiment: Write, load: Callable[..., ExperimentCode], build: Callable[..., Any]
) -> None:
    text = GOOD.replace(
        "self.model_config = model_config", "import late; self.name = NAME + late.NAME"
    )
    codes = []
    for letter in "ab":
        files = {
            "train.py": "from helpers import NAME\n" + text,
            "helpers.py": f"NAME = 'early-{letter} '\n",
            "late.py": f"NAME = 'late-{letter}'\n",
        }
        codes.append(load(write_experiment(files, letter)))
    before = set(sys.modules)
    path_before = list(sys.path)
    for _ in range(2):
        assert [build(code).name for code in codes] == [
            "early-a late-a",
            "early-b late-b",
        ]
    assert {"helpers", "late", "train"}.isdisjoint(sys.modules)
    assert set(sys.modules) == before
    assert sys.path == path_before


def test_another_thread_may_import_meanwhile(
    write_experiment: Write, load: Callable[..., ExperimentCode]
) -> None:
    directory, ended = write_experiment({"train.py": GOOD}), threading.Event()
    made = [f"made_up_{number}" for number in range(100_000)]

    def keep_importing() -> None:  # as the one does that sends what is logged
        for name in made:
            if ended.wait(1e-5):
                return
            sys.modules[name] = ModuleType(name)

    thread = threading.Thread(target=keep_importing)
    thread.start()
    try:
        for _ in range(20):
            load(directory)
    finally:
        ended.set()
        thread.join()
        there = [name for name in made if sys.modules.pop(name, None) is not None]
    assert there, "nothing was imported meanwhile"


def test_siblings_are_importable_while_training(
    write_experiment: Write, load: Callable[..., ExperimentCode], build: Callable[..., Any]
) -> None:
    files = {
        "train.py": GOOD.replace("return __file__", "from later import PATH; return PATH"),
        "later.py": "import train\nPATH = train.__file__\n",
    }
    directory = write_experiment(files)
    trainer = build(load(directory))
    trainer.train()
    assert check_result(trainer) == directory / "train.py"
    assert "later" not in sys.modules


def test_relative_imports_work_in_a_package(
    write_experiment: Write, load: Callable[..., ExperimentCode]
) -> None:
    files = {
        "__init__.py": "KIND = 'package'\n",
        "train.py": "from . import KIND\nfrom .parts.net import NET\nfrom mine import KIND as K2\n"
        + GOOD,
        "parts/__init__.py": "",
        "parts/net.py": "from ..tools import NET\n",
        "tools.py": "NET = 'net'\n",
    }
    code = load(write_experiment(files, "mine"))
    module = sys.modules[code.loaded_class.__module__]
    assert (module.KIND, module.NET, module.K2) == ("package", "net", "package")
    assert "mine" not in sys.modules


def test_an_authors_module_comes_before_an_imported_one_of_that_name(
    write_experiment: Write, monkeypatch: pytest.MonkeyPatch, load: Callable[..., ExperimentCode]
) -> None:
    foreign = write_experiment({"common_name.py": "WHOSE = 'theirs'\n"}, "foreign")
    monkeypatch.syspath_prepend(foreign)
    import common_name  # type: ignore[import-not-found]

    files = {
        "train.py": "from common_name import WHOSE\n" + GOOD,
        "common_name.py": "WHOSE = 'mine'",
    }
    code = load(write_experiment(files))
    assert sys.modules[code.loaded_class.__module__].WHOSE == "mine"  # type: ignore[attr-defined]
    assert sys.modules["common_name"] is common_name
    monkeypatch.delitem(sys.modules, "common_name")


def test_directories_an_author_adds_to_the_path_stay_theirs(
    write_experiment: Write,
    tmp_path: Path,
    load: Callable[..., ExperimentCode],
    build: Callable[..., Any],
) -> None:
    write_experiment({"shared_code.py": "X = 1\n", "lazy_code.py": "X = 2\n"}, "common")
    head = "import sys\nsys.path.append(__file__ + '/../../common')\nimport shared_code\n"
    head = head.replace("__file__ + '/../../common'", repr(str(tmp_path / "common")))
    text = head + GOOD.replace("self.model_config = model_config", "import lazy_code")
    before = list(sys.path)
    code = load(write_experiment({"train.py": text}))
    build(code)
    assert sys.path == before
    assert {"shared_code", "lazy_code"}.isdisjoint(sys.modules)


def test_the_authors_directory_stays_as_it_was(
    write_experiment: Write, load: Callable[..., ExperimentCode], build: Callable[..., Any]
) -> None:
    files = {"train.py": "import helpers\n" + GOOD, "helpers.py": "", "deep/__init__.py": ""}
    directory = write_experiment(files)
    before = sorted(directory.rglob("*"))
    trainer = build(load(directory))
    trainer.train()
    assert sorted(directory.rglob("*")) == before


def test_hangul_and_spaces_in_paths(
    write_experiment: Write, load: Callable[..., ExperimentCode]
) -> None:
    files = {"train.py": "from 도구 import 이름\n" + GOOD, "도구.py": "이름 = '안전모'\n"}
    code = load(write_experiment(files, "동화 엔텍/용접 실험"))
    assert sys.modules[code.loaded_class.__module__].이름 == "안전모"


def test_an_edited_file_is_read_anew(
    write_experiment: Write, load: Callable[..., ExperimentCode]
) -> None:
    directory = write_experiment({"train.py": GOOD + "VALUE = 1\n"})
    first = load(directory)
    write_experiment({"train.py": GOOD + "VALUE = 2\n"})
    second = load(directory)
    assert sys.modules[second.loaded_class.__module__].VALUE == 2  # type: ignore[attr-defined]
    assert first.fingerprint != second.fingerprint


def test_classes_of_the_train_file_can_be_pickled(
    write_experiment: Write, load: Callable[..., ExperimentCode]
) -> None:
    code = load(write_experiment({"train.py": GOOD}))
    trainer = code.loaded_class("m", "t", "d")
    assert pickle.loads(pickle.dumps(trainer)).model_config == "m"


def test_the_fingerprint_sees_code_and_yaml_but_no_outputs(
    write_experiment: Write, load: Callable[..., ExperimentCode]
) -> None:
    directory = write_experiment({"train.py": GOOD, "net.py": "", "conf/aug.yaml": "a: 1\n"})
    start = load(directory).fingerprint
    write_experiment(
        {"runs/1/args.yaml": "x", "README.md": "x", ".idea/a.yaml": "x", "venv/pyvenv.cfg": ""}
        | {"venv/lib/a.py": "x"}
    )
    assert load(directory).fingerprint == start
    write_experiment({"conf/aug.yaml": "a: 2\n"})
    changed = load(directory).fingerprint
    write_experiment({"net.py": "x = 1\n"})
    assert len({start, changed, load(directory).fingerprint}) == 3
