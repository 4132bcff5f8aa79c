"""`-p` for every option that a script has: what the script then takes is what was meant."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from experiments_adapters.legacy.arguments import fill_template, parse_given
from experiments_adapters.legacy.registry_schema import EntryPoint
from guardianflow.contracts.errors import ConfigurationError

ARGPARSE = """
import argparse, json
p = argparse.ArgumentParser()
p.add_argument("source", nargs="?", default="0")
p.add_argument("--epochs", "-e", type=int, default=100)
p.add_argument("--batch", "--batch-size", type=int, default=16)   # its destination: batch
p.add_argument("--imgsz", "--img", "--img-size", type=int, default=640)
p.add_argument("--label-smoothing", type=float, default=0.0)
p.add_argument("--project", default="runs" + "/x")
p.add_argument("--resume", nargs="?", const=True, default=False)
p.add_argument("--exist-ok", action="store_true")
p.add_argument("--no-augment", dest="augment", action="store_false")
p.add_argument("--noval", action="store_false")
p.add_argument("--amp", action=argparse.BooleanOptionalAction, default=True)
p.add_argument("--cache", type=bool, default=True)
p.add_argument("--classes", nargs="+", type=int)
p.add_argument("--set", action="append")
p.add_argument("-v", "--verbose", action="count", default=0)
print(json.dumps(vars(p.parse_args())))
"""
CLICK = """
import click, json
@click.command()
@click.option("--epochs", "-e", "rounds", default=5)
@click.option("--amp/--no-amp", default=True)
@click.option("--save", is_flag=True)
@click.option("--gpu", multiple=True)
@click.option("--size", nargs=2, type=int)
def main(**k): print(json.dumps(k))
main()
"""
TYPER = """
import json
import typer
def go(epochs: int = 5, amp: bool = True, run_name: str = "a"): print(json.dumps(locals()))
typer.run(go)
"""
FIRE = """
import json
import fire
def go(data, epochs=5, cache=True): print(json.dumps(locals()))
fire.Fire(go)
"""
ABSL = """
import json
from absl import app, flags
FLAGS = flags.FLAGS
flags.DEFINE_integer("epochs", 5, "how long")
flags.DEFINE_boolean("cache", True, "whether")
flags.DEFINE_multi_string("tag", [], "several")
flags.DEFINE_string("name", None, "whose", required=True)
def main(argv): print(json.dumps({n: FLAGS[n].value for n in ("epochs", "cache", "tag", "name")}))
app.run(main)
"""


def words_for(script: Path, given: dict[str, str], template: str = "") -> list[str]:
    entry = EntryPoint.model_validate({"default": script.name, "args_template": template})
    return fill_template(entry, given, script=script, name="a")[0]


def taken(folder: Path, code: str, *given: str, template: str = "") -> dict[str, object]:
    """What the script itself takes from the command line that is made."""
    script = folder / "train.py"
    script.write_text(code, encoding="utf-8")
    words = words_for(script, parse_given(list(given)), template)
    done = subprocess.run(
        [sys.executable, str(script), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ("epochs=3", "epochs", 3),
        ("e=3", "epochs", 3),
        ("batch=4", "batch", 4),
        ("batch_size=4", "batch", 4),
        ("batch-size=4", "batch", 4),
        ("img_size=320", "imgsz", 320),
        ("label-smoothing=0.1", "label_smoothing", 0.1),
        ("label_smoothing=-0.5", "label_smoothing", -0.5),
        ("project=첫 시도; rm -rf /", "project", "첫 시도; rm -rf /"),
        ("project=-x", "project", "-x"),
        ("resume=last.pt", "resume", "last.pt"),
        ("exist_ok=true", "exist_ok", True),
        ("exist_ok=False", "exist_ok", False),
        ("augment=false", "augment", False),
        ("augment=true", "augment", True),
        ("noval=true", "noval", False),  # the flag is given, as its author wrote it
        ("amp=no", "amp", False),
        ("amp=yes", "amp", True),
        ("cache=False", "cache", False),  # type=bool takes the text 'False' as true
        ("cache=True", "cache", True),
        ("classes=0 2 5", "classes", [0, 2, 5]),
        ("set=a b", "set", ["a b"]),
        ("verbose=2", "verbose", 2),
    ],
)
def test_argparse(tmp_path: Path, given: str, name: str, value: object) -> None:
    found = taken(tmp_path, ARGPARSE, given)
    assert found[name] == value
    others = taken(tmp_path, ARGPARSE)
    assert {k: v for k, v in found.items() if k != name} == {
        k: v for k, v in others.items() if k != name
    }


@pytest.mark.parametrize(
    ("library", "code", "given", "expected"),
    [
        ("click", CLICK, ["epochs=7", "amp=false", "save=true"],
         {"rounds": 7, "amp": False, "save": True}),
        ("click", CLICK, ["rounds=7", "gpu=0 1", "size=3 4"],
         {"rounds": 7, "gpu": ["0", "1"], "size": [3, 4]}),
        ("typer", TYPER, ["epochs=7", "amp=false", "run_name=첫"],
         {"epochs": 7, "amp": False, "run_name": "첫"}),
        ("typer", TYPER, ["amp=true", "run-name=b"], {"amp": True, "run_name": "b"}),
        ("fire", FIRE, ["data=a.yaml", "cache=false", "epochs=7"],
         {"data": "a.yaml", "cache": False, "epochs": 7}),
        ("absl", ABSL, ["name=a", "cache=false", "tag=x y", "epochs=7"],
         {"name": "a", "cache": False, "tag": ["x", "y"], "epochs": 7}),
    ],
)  # fmt: skip
def test_other_libraries(
    tmp_path: Path, library: str, code: str, given: list[str], expected: dict[str, object]
) -> None:
    pytest.importorskip(library)
    found = taken(tmp_path, code, *given)
    assert {name: found[name] for name in expected} == expected


def test_an_option_that_the_template_fills_is_given_once(tmp_path: Path) -> None:
    """Or the run would record the template's default beside the value that was used."""
    script = tmp_path / "train.py"
    script.write_text(ARGPARSE)
    entry = EntryPoint.model_validate(
        {
            "default": "train.py",
            "args_template": "--img-size={img_size} --batch {n}",
            "defaults": {"img_size": 640, "n": 16},
        }
    )
    given = {"imgsz": "320", "batch_size": "4", "epochs": "2"}
    words, values = fill_template(entry, given, script=script, name="a")
    assert words == ["--img-size=320", "--batch", "4", "--epochs", "2"]
    assert values == {"img_size": "320", "n": "4", "epochs": "2"}


def test_options_of_a_parser_in_a_module_beside_the_script(tmp_path: Path) -> None:
    (tmp_path / "options.py").write_text(
        "import argparse\ndef get_parser():\n    p = argparse.ArgumentParser()\n"
        "    p.add_argument('--epochs', type=int)\n    return p\n"
    )
    script = tmp_path / "train.py"
    script.write_text("from options import get_parser\nget_parser().parse_args()\n")
    assert words_for(script, {"epochs": "3"}) == ["--epochs", "3"]
    (tmp_path / "other.py").write_text((tmp_path / "options.py").read_text())
    script.write_text("from other import helper\n")  # it uses nobody's parser
    with pytest.raises(ConfigurationError, match="no such option"):
        words_for(script, {"epochs": "3"})


def test_what_an_option_cannot_take_is_told_at_once(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(ARGPARSE)
    given = {
        "epochs": "many", "exist_ok": "perhaps", "source": "a.mp4", "verbose": "-1", "epcohs": "3",
        "classes": "'1",
    }  # fmt: skip
    with pytest.raises(ConfigurationError) as caught:
        words_for(script, given)
    text = str(caught.value)
    for part in (
        "-p epochs must be of type int", "-p exist_ok is a switch", "{source}",
        "-p verbose is counted", "did you mean 'epochs'", "-p classes takes several values",
    ):  # fmt: skip
        assert part in text
